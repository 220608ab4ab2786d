"""The fold "How good is it?" of the keypoint tab."""

from typing import TYPE_CHECKING

from facial_keypoints.detection.detectors import DETECTOR_TITLES
from facial_keypoints.landmarks.markup import PART_GROUPS
from web.charts import Bar, BarRow, bar_table
from web.model_card import ModelCard, number, read_card
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

    keypoints, detector = read_card("facial_keypoints"), read_card("face_detector")
    charts = [lambda: by_part(keypoints), lambda: by_yaw(keypoints), lambda: by_size(detector)]
    build_quality([keypoints, detector], charts, _CASES, look)


def by_part(card: ModelCard) -> str:
    """HTML: error by facial part."""
    table = card.table("set", "faces", "NME", *PART_GROUPS)
    rows = _by_set(table.rows)
    bars = [
        BarRow(part.capitalize(), "", [_percent(table.cell(row, part)) for row in rows])
        for part in PART_GROUPS
    ]
    columns = ["Part", *(f"{row[0]}: {table.cell(row, 'faces')} faces" for row in rows)]
    return bar_table("Error by facial part", _NME + "less is better.", columns, bars)


def by_yaw(card: ModelCard) -> str:
    """HTML: error by how far the head is turned."""
    table = card.table("set", "yaw 0-15°")
    bands = [column for column in table.columns if column.startswith("yaw")]
    rows = _by_set(table.rows)
    bars = [
        BarRow(
            band.removeprefix("yaw ").replace("-", "–"),
            "",
            [_with_count(table.cell(row, band)) for row in rows],
        )
        for band in bands
    ]
    columns = ["Turned by", *(row[0] for row in rows)]
    note = _NME + "small figures count faces."
    return bar_table("Error by how far the head is turned to a side", note, columns, bars)


def by_size(card: ModelCard) -> str:
    """HTML: faces that each detector finds, by their size."""
    table = card.table("faces' side", "detector", "faces", "recall")
    detectors = list(dict.fromkeys(table.cell(row, "detector") for row in table.rows))
    sizes = list(dict.fromkeys(row[0] for row in table.rows))
    found = {(row[0], table.cell(row, "detector")): row for row in table.rows}
    bars = []
    for size in sizes:
        rows = [found.get((size, detector)) for detector in detectors]
        faces = next(table.cell(row, "faces") for row in rows if row)
        cells = [_percent(table.cell(row, "recall")) if row else None for row in rows]
        bars.append(BarRow(f"{size.replace('-', '–')} pixels", f"{faces} faces", cells))
    titles = [DETECTOR_TITLES.get(detector, detector) for detector in detectors]
    columns = ["Side of the face", *titles]
    note = "Share of the faces in held-out photos that another detector, the teacher, is sure of."
    return bar_table("Faces that are found, by size", note, columns, bars, full=100)


def _by_set(rows: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    return [row for name in _SETS for row in rows if row[0] == name]


def _percent(cell: str) -> Bar | None:
    value = number(cell)
    return None if value is None else Bar(value, f"{cell.rstrip(' %')} %")


def _with_count(cell: str) -> Bar | None:
    """Of a cell such as "4.41 (5)"."""
    value, _, count = cell.partition(" (")
    bar = _percent(value)
    return bar and bar._replace(note=count.rstrip(")"))


def _outcome(case: "HardCase") -> str:
    told = "Not found" if case.error is None else f"Found, points {case.error:.0f} % off"
    if case.false_faces:
        told += "; 1 false face" if case.false_faces == 1 else f"; {case.false_faces} false faces"
    return f"{told}."
