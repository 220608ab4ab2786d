"""Choices of the keypoint tab: the detector, what is drawn, the filters on the faces."""

import gradio as gr

from facial_keypoints.detection.detectors import DEFAULT_DETECTOR, DETECTOR_TITLES
from facial_keypoints.drawing.faces import DrawStyle
from facial_keypoints.drawing.filters import FILTER_TITLES

_SHOW = [
    ("Points", "points"),
    ("Contours", "contours"),
    ("Numbers", "numbers"),
    ("Boxes", "boxes"),
    ("Pose axes", "axes"),
]


def build_detectors() -> gr.Radio:
    """The detector."""
    return gr.Radio(
        _choices(DETECTOR_TITLES),
        value=DEFAULT_DETECTOR,
        label="Find by",
        elem_classes="chips",
        elem_id="keypoints-detector",
    )


def build_choices() -> list[gr.CheckboxGroup]:
    """Check boxes for the drawing and for the filters."""
    show = gr.CheckboxGroup(_SHOW, value=["points", "contours"], label="Show", elem_classes="chips")
    fun = gr.CheckboxGroup(
        _choices(FILTER_TITLES), value=[], label="Dress up", elem_classes="chips"
    )
    return [show, fun]


def draw_style(show: list[str]) -> DrawStyle:
    """The style for these names."""
    return DrawStyle(**{name: name in show for _, name in _SHOW})


def _choices(titles: dict[str, str]) -> list[tuple[str, str]]:
    return [(title, name) for name, title in titles.items()]
