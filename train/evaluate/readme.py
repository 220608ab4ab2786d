"""The README's tables, from the model cards: `python -m train.evaluate readme [--check]`.

Each table stands between `<!-- figures: NAME -->` and `<!-- end -->`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from keypoints_captions.model_card import Card, card_path, read_card, replace_region

README = Path(__file__).resolve().parents[2] / "README.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate readme`."""
    parser.add_argument(
        "--check", action="store_true", help="only say whether the tables agree with the cards"
    )


def run(options: argparse.Namespace) -> None:
    """Rewrites the tables, or ends with status 1 where they are not those of the cards."""
    text = README.read_text(encoding="utf-8")
    renewed = with_figures(text)
    if renewed == text:
        print("README.md has the figures of the model cards.")
    elif options.check:
        sys.exit(
            "README.md does not have the figures of the model cards; "
            "run: python -m train.evaluate readme"
        )
    else:
        README.write_text(renewed, encoding="utf-8")
        print("README.md: tables renewed.")


def with_figures(text: str) -> str:
    """The README's text with every table as the cards have it."""
    cards = {name: read_card(card_path(name)) for name in CARDS}
    for name, (card, make) in TABLES.items():
        text = replace_region(text, f"figures: {name}", make(cards[card]))
    return text


def keypoints(card: Card) -> str:
    """Accuracy and speed of the keypoint network."""
    lfpw = card.value("landmark-boxes", "nme", set="LFPW test")
    people = card.value("landmark-boxes", "nme", set="YouTube Faces, held-out people")
    crop = card.value("speed", "crop_ms")
    distance = "of the distance between the outer eye corners"
    return _table(
        ["keypoints: `python -m train.evaluate keypoints --data FACES`", ""],
        [f"mean error on LFPW's test set, {distance}", f"{lfpw:.2f} %"],
        ["on people of YouTube Faces never trained on (small video frames)", f"{people:.2f} %"],
        ["the network on a face crop (`python -m train.evaluate speed`)", f"{crop:.0f} ms"],
    )


def detector(card: Card) -> str:
    """Our CNN beside the Haar cascades."""

    def values(table: str, metric: str, form: str, **conditions: str) -> list[str]:
        return [
            form.format(card.value(table, metric, detector=name, **conditions))
            for name in ("cnn", "haar")
        ]

    def stages(metric: str, form: str, unit: str = "") -> list[str]:
        alone = values("false-boxes", metric, form, stage="detector alone")
        after = values("false-boxes", metric, form, stage="face score")
        return [f"{one} / {other}{unit}" for one, other in zip(alone, after, strict=True)]

    teacher = "of a teacher's faces of 24 pixels or more, held-out photos"
    whole = "640×480, one face, with its keypoints"
    return _table(
        ["face detector: `python -m train.evaluate detection --photos CAPTIONS --faces FACES …`",
         "our CNN", "Haar"],
        ["faces found of LFPW's test set",
         *values("labelled-faces", "found", "{:.1f} %", set="LFPW test")],
        [f"{teacher}, alone / after the keypoint network", *stages("recall", "{:.1f}", " %")],
        ["average precision against the teacher, 16 pixels or more",
         *values("by-size", "average_precision", "{:.2f}", side="≥ 16")],
        ["false boxes a photo without a face, alone / after the keypoint network",
         *stages("false_boxes", "{:.3f}")],
        ["a photo of 640 × 480", *values("times", "ms", "{:.0f} ms", photo="640×480")],
        ["the same with one face and its keypoints",
         *values("times", "ms", "{:.0f} ms", photo=whole)],
    )  # fmt: skip


def captions(card: Card) -> str:
    """Scores on both sets of photos."""
    search = "beam 3"
    sets = {"coco_val": "MS COCO", "flickr8k_val": "Flickr8k"}

    def values(metric: str, form: str) -> list[str]:
        return [form.format(card.value("captions", metric, set=s, search=search)) for s in sets]

    photos = values("photos", "{:.0f} photos")
    titles = [f"{title}, {count}" for title, count in zip(sets.values(), photos, strict=True)]
    return _table(
        ["captions: `python -m train.evaluate captioning --data DATA`", *titles],
        ["CIDEr", *values("cider", "{:.1f}")],
        ["BLEU-4", *values("bleu-4", "{:.1f}")],
        ["distinct captions, of all", *values("distinct", "{:.0f} %")],
    )


def live(card: Card) -> str:
    """The live view in a browser."""
    updates = card.value("live-browser", "updates")
    each, errors, streams, minutes = (
        card.value("live-streams", metric) for metric in ("updates", "errors", "streams", "minutes")
    )
    many = f"{streams:.0f} cameras at once, {minutes:g} min: updates a second of each, errors"
    return _table(
        ["live: `python -m train.evaluate live`", ""],
        ["overlay updates a second in headless Chromium", f"{updates:.0f}"],
        [many, f"{each:.1f}, {errors:.0f}"],
    )


def load(card: Card) -> str:
    """The page under the load of many clients."""

    def column(form: str, *metrics: str) -> list[str]:
        return [
            form.format(*(card.value(table, metric) for metric in metrics))
            for table in ("serving-captions", "serving-mixed")
        ]

    clients = column("{:.0f} clients", "clients")
    minutes = [card.value(t, "seconds") / 60 for t in ("serving-captions", "serving-mixed")]
    return _table(
        ["", f"{clients[0]}, captions, {minutes[0]:.2g} minutes",
         f"{clients[1]}, both tabs, uploads, {minutes[1]:.2g} minutes"],
        ["answers a second", *column("{:.1f}", "answers_a_second")],
        ["errors; refused because the page is busy", *column("{:.0f}; {:.0f}", "errors", "busy")],
        ["latency: median, 95 %", *column("{:.1f} s, {:.1f} s", "latency", "latency_95")],
        ["server's memory: highest in the first minute, highest",
         *column("{:.0f}, {:.0f} MiB", "first_minute_mib", "peak_mib")],
    )  # fmt: skip


def sharing(card: Card) -> str:
    """Live frames and captions on the same cores."""
    rows = []
    for way in dict.fromkeys((result.metric_args or {})["way"] for result in card.table("sharing")):
        rates = [
            f"{card.value('sharing', metric, way=way):.1f}"
            for metric in ("captions_a_second", "frames_a_second")
        ]
        trips = [r for r in card.table("sharing") if r.metric_type.startswith("trip_ms")]
        trip = [f"{r.metric_value:.0f} ms" for r in trips if r.metric_args == {"way": way}]
        rows.append([way, *rates, ", ".join(trip)])
    return _table(["", "captions a second", "frames a second", "round trip: median, 95 %"], *rows)


def _table(head: Sequence[str], *rows: Sequence[str]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


CARDS = ("facial_keypoints", "face_detector", "captioning")
#: Name of the region -> the card its figures are in, and what makes the table.
TABLES: dict[str, tuple[str, Callable[[Card], str]]] = {
    "keypoints": ("facial_keypoints", keypoints),
    "detector": ("face_detector", detector),
    "captions": ("captioning", captions),
    "live": ("facial_keypoints", live),
    "sharing": ("captioning", sharing),
    "load": ("captioning", load),
}
