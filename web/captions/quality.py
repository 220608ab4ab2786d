"""The fold "How good is it?" of the captioning tab."""

from typing import TYPE_CHECKING

import numpy as np

from captioning.alt_text import alt_text
from captioning.options import SearchOptions
from keypoints_captions.corruptions import blurred, dark
from keypoints_captions.model_card import Card, card_path, read_card
from keypoints_captions.photos.reader import read_photo
from web.charts import Bar, BarRow, bar_table
from web.components import EXAMPLES
from web.model_quality import Case, build_quality
from web.models import MODELS, Background

if TYPE_CHECKING:
    from web.captions.model import Ready

_METRICS = {
    "BLEU-1": "single words shared with what people wrote",
    "BLEU-4": "runs of four words shared",
    "METEOR": "words, their stems and synonyms shared",
    "ROUGE-L": "longest common sequence of words",
    "CIDEr": "shared phrases, rare ones counting more; can pass 100",
}
_SETS = {"coco_val": "MS COCO", "flickr8k_val": "Flickr8k"}
_SIDE = 320  # pixels, the longer side of what is shown
_CASES = (
    "What the model says of photos unlike those it has learnt from, and of one made hard. What it "
    "takes for a guess itself begins with “Probably”: compare the sentences with the photos."
)


def build_caption_quality(ready: "Background[Ready]") -> None:
    """Lays out the fold in the Gradio context of the caller."""

    def look() -> list[Case]:
        captioner = ready.get().captioner
        cases = []
        for name, photo in hard_photos():
            with MODELS.turn():
                sentence = alt_text(captioner(photo)[0])
            cases.append(Case(name, photo, f"“{sentence}”"))
        return cases

    card = read_card(card_path("captioning"))
    build_quality([card], [lambda: by_metric(card)], ["captioning"], _CASES, look)


def by_metric(card: Card) -> str:
    """HTML: the captions' scores, a column for each set of photos.

    Raises LookupError where the card lacks one.
    """
    search = f"beam {SearchOptions.beam_size}"
    columns = ["Metric"]
    for name, title in _SETS.items():
        photos = card.value("captions", "photos", set=name, search=search)
        columns.append(f"{title}: {photos} photos, {search}")
    rows = []
    for metric, meaning in _METRICS.items():
        values = [card.value("captions", metric.lower(), set=name, search=search) for name in _SETS]
        rows.append(BarRow(metric, meaning, [Bar(value, f"{value:.1f}") for value in values]))
    note = "Captions compared with five by people for each photo, in %: more is better."
    return bar_table("Scores of the captions", note, columns, rows, full=100)


def hard_photos() -> list[tuple[str, np.ndarray]]:
    """What is hard about it, and the photo, (H, W, 3) uint8 RGB."""
    astronaut, hopper, pagoda, coffee = (
        read_photo(EXAMPLES / f"{name}.jpg", max_side=_SIDE)
        for name in ("astronaut", "admiral", "pagoda", "coffee")
    )
    return [
        ("An astronaut", astronaut),
        ("A naval officer", hopper),
        ("A pagoda", pagoda),
        ("Upside down", np.ascontiguousarray(coffee[::-1, ::-1])),
        ("Blurred", blurred(coffee, len(coffee) / 20)),
        ("In the dark", dark(coffee)),
    ]
