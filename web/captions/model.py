"""The captioner of the page: loaded once, shared by every part of the tab."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from web.captions.answer import Answer, answer_photo, see_photo
from web.captions.batches import Batches
from web.captions.search_form import DEFAULTS
from web.components import EXAMPLES
from web.models import MODELS

if TYPE_CHECKING:
    from captioning.captioner import Captioner

PHOTOS = {
    "flower.jpg": "An orange flower",
    "cat.jpg": "A cat, close up",
    "coffee.jpg": "A cup of coffee on a wooden table",
    "pagoda.jpg": "A pagoda above a lake",
}
_FIRST_EXAMPLE = next(iter(PHOTOS))


class Ready(NamedTuple):
    """The loaded model, what runs it for several visitors at once, and the example that the page
    opens with, already answered."""

    captioner: "Captioner"
    batches: Batches
    example: Answer


def load(weights: str | Path | None = None, device: str | None = None) -> Ready:
    """The trained model and its answer; the very first run is slower than all others.

    weights, device: as `Captioner.load` takes them.
    """
    from captioning.captioner import Captioner  # here, because torch takes seconds to import

    captioner = Captioner.load(weights, device)
    _answer_example(captioner)
    return Ready(captioner, Batches(captioner, MODELS), _answer_example(captioner))


def _answer_example(captioner: "Captioner") -> Answer:
    seen = see_photo(captioner, EXAMPLES / _FIRST_EXAMPLE, _FIRST_EXAMPLE)
    *_, answer = answer_photo(captioner, seen, DEFAULTS)
    assert isinstance(answer, Answer)
    return answer
