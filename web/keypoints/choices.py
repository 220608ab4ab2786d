"""The keypoint tab's choices: what finds the faces, what is drawn, what the faces wear."""

import gradio as gr

from facial_keypoints.detection.detectors import DEFAULT_DETECTOR, DETECTOR_TITLES
from facial_keypoints.drawing.faces import DrawStyle

_SHOW = [
    ("Points", "points"),
    ("Contours", "contours"),
    ("Numbers", "numbers"),
    ("Boxes", "boxes"),
    ("Pose axes", "axes"),
]
_FUN = [("Sunglasses", "sunglasses"), ("Hat", "hat"), ("Moustache", "moustache")]


def build_detectors() -> gr.Radio:
    """What finds the faces."""
    return gr.Radio(
        [(title, name) for name, title in DETECTOR_TITLES.items()],
        value=DEFAULT_DETECTOR,
        label="Find by",
        elem_classes="chips",
        elem_id="keypoints-detector",
    )


def build_choices() -> list[gr.CheckboxGroup]:
    """What is drawn, and what the faces wear."""
    show = gr.CheckboxGroup(_SHOW, value=["points", "contours"], label="Show", elem_classes="chips")
    fun = gr.CheckboxGroup(_FUN, value=[], label="Dress up", elem_classes="chips")
    return [show, fun]


def draw_style(show: list[str]) -> DrawStyle:
    """What these check boxes stand for."""
    return DrawStyle(**{name: name in show for _, name in _SHOW})
