"""The fold "How good is it?" of the keypoint tab."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from huggingface_hub import EvalResult

from facial_keypoints.detection.detectors import DETECTOR_TITLES
from facial_keypoints.landmarks.markup import PART_GROUPS
from keypoints_captions.model_card import Card, card_path, read_card
from web.charts import Bar, BarRow, bar_table
from web.model_quality import Case, build_quality
from web.models import MODELS, Background

if TYPE_CHECKING:
    from web.keypoints.hard_cases import HardCase
    from web.keypoints.model import Ready

#: Sets that neither training nor a choice saw; the model card has the others.
_SETS = ("LFPW test", "AFW, held-out scenes", "YouTube Faces, held-out people")
_NME = "Mean distance from the labels, in % of the distance between the outer eye corners: "
_CASES = (
    "The first example, made hard. How far its points have moved is told in % of the distance "
    "between the outer eye corners; over 8 % the model card counts a face as a failure."
)


def build_keypoint_quality(ready: "Background[Ready]") -> None:
    """Lays out the fold in the Gradio context of the caller."""

    def look() -> list[Case]:
        from web.keypoints.hard_cases import (
            hard_cases,  # here, because torch takes seconds to import
        )

        find_faces, example, _ = ready.get()
        with MODELS.turn():
            found = hard_cases(find_faces, example.photo(), example.faces[0])
        return [Case(case.name, case.picture, _outcome(case)) for case in found]

    keypoints, detector = map(read_card, map(card_path, ("facial_keypoints", "face_detector")))
    charts = [lambda: by_part(keypoints), lambda: by_yaw(keypoints), lambda: by_size(detector)]
    build_quality([keypoints, detector], charts, ["keypoints", "detection"], _CASES, look)


def by_part(card: Card) -> str:
    """HTML: error by facial part.

    Raises LookupError where the card lacks a figure of the chart; the others below likewise.
    """
    table = "landmark-boxes"
    bars = [
        BarRow(
            part.capitalize(),
            "",
            [_percent(card.value(table, "nme_of_part", set=name, part=part)) for name in _SETS],
        )
        for part in PART_GROUPS
    ]
    faces = [f"{name}: {card.value(table, 'faces', set=name)} faces" for name in _SETS]
    note = _NME + "less is better."
    return bar_table("Error by facial part", note, ["Part", *faces], bars)


def by_yaw(card: Card) -> str:
    """HTML: error by how far the head is turned."""
    bars = []
    for yaw in _conditions(card.table("yaw"), "yaw"):
        errors = [_known(card, "yaw", "nme", set=name, yaw=yaw) for name in _SETS]
        faces = [_known(card, "yaw", "faces", set=name, yaw=yaw) for name in _SETS]
        cells = [
            None if error is None else _percent(error)._replace(note=str(count))
            for error, count in zip(errors, faces, strict=True)
        ]
        bars.append(BarRow(yaw.replace("-", "–"), "", cells))
    note = _NME + "small figures count faces."
    title = "Error by how far the head is turned to a side"
    return bar_table(title, note, ["Turned by", *_SETS], bars)


def by_size(card: Card) -> str:
    """HTML: faces that each detector finds, by their size."""
    table = card.table("by-size")
    detectors, bars = _conditions(table, "detector"), []
    for side in _conditions(table, "side"):
        found = [card.value("by-size", "recall", side=side, detector=d) for d in detectors]
        faces = card.value("by-size", "faces", side=side, detector=detectors[0])
        cells = [Bar(share, f"{share:.1f} %") for share in found]
        bars.append(BarRow(f"{side.replace('-', '–')} pixels", f"{faces} faces", cells))
    titles = [DETECTOR_TITLES.get(detector, detector) for detector in detectors]
    columns = ["Side of the face", *titles]
    note = "Share of the faces in held-out photos that another detector, the teacher, is sure of."
    return bar_table("Faces that are found, by size", note, columns, bars, full=100)


def _conditions(table: Sequence[EvalResult], name: str) -> list[str]:
    """The different values of a condition, in the table's order.

    Raises LookupError where there are none.
    """
    values = list(dict.fromkeys((result.metric_args or {}).get(name) for result in table))
    if not values:
        raise LookupError(f"expected figures by {name} in the model card, got none")
    return [value for value in values if value is not None]


def _known(card: Card, table: str, metric: str, **conditions: str) -> float | None:
    """A figure that the card may lack: a set need not have faces of every kind."""
    try:
        return card.value(table, metric, **conditions)
    except LookupError:
        return None


def _percent(value: float) -> Bar:
    return Bar(value, f"{value:.2f} %")


def _outcome(case: "HardCase") -> str:
    told = "Not found" if case.error is None else f"Found, points {case.error:.0f} % off"
    if case.false_faces:
        told += "; 1 false face" if case.false_faces == 1 else f"; {case.false_faces} false faces"
    return f"{told}."
