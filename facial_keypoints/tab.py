"""The keypoint tab of the page: a photo in; keypoints, a card for each face and downloads out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from common.background import Background
from common.jpeg import encode_jpeg
from common.photos import PhotoError, read_photo
from common.ui import (
    DRAWING_BUDGET,
    EXAMPLES,
    MODEL_BUDGET,
    SAVE_FILE,
    PhotoInput,
    Upload,
    build_examples,
    clicks,
    notice,
    photo_input,
    photo_view,
    private,
    saved_file,
)
from common.weights import WeightsError

from .answer import PhotoAnswer, answer_photo
from .detectors import DEFAULT_DETECTOR, DETECTOR_TITLES
from .drawing import DrawStyle
from .export import Record, record_to_dict, to_csv, to_json
from .tab_cards import cards, summary
from .tab_compare import Comparison
from .tab_inside import Inside, inside_updates

if TYPE_CHECKING:
    from .pipeline import FacialKeypoints

_EXAMPLES = {
    "astronaut.jpg": "An astronaut in an orange suit",
    "admiral.jpg": "A navy officer with glasses and a cap",
    "two_portraits.jpg": "Two portraits side by side",
    "cat.jpg": "A cat, which has no human face",
}
_FIRST_EXAMPLE = next(iter(_EXAMPLES))
_SHOW = [
    ("Points", "points"),
    ("Contours", "contours"),
    ("Numbers", "numbers"),
    ("Boxes", "boxes"),
    ("Pose axes", "axes"),
]
_FUN = [("Sunglasses", "sunglasses"), ("Hat", "hat"), ("Moustache", "moustache")]
_DOWNLOAD_QUALITY = 92  # of the JPEG; less smears thin lines


class Ready(NamedTuple):
    """The loaded model, and the example that the page opens with, already answered.

    others: the model behind other detectors, by their names, made when first asked for.
    """

    find_faces: "FacialKeypoints"
    example: PhotoAnswer
    others: dict[str, "FacialKeypoints"]

    def using(self, detector: str) -> "FacialKeypoints":
        """The model behind the detector of that name.

        Raises:
            WeightsError: the detector's weights are missing, damaged or of another kind.
        """
        if detector == self.find_faces.detector.name:
            return self.find_faces
        if detector not in self.others:
            self.others[detector] = self.find_faces.using(detector)
        return self.others[detector]


def load() -> Ready:
    """The trained model and its answer; the very first run is slower than all others."""
    from .pipeline import FacialKeypoints  # here, because torch takes seconds to import

    model = FacialKeypoints.load()
    answer_photo(model, EXAMPLES / _FIRST_EXAMPLE, _FIRST_EXAMPLE)
    return Ready(model, answer_photo(model, EXAMPLES / _FIRST_EXAMPLE, _FIRST_EXAMPLE), {})


def build_tab(page: gr.Blocks) -> Background[Ready]:
    """Lays out the tab in the Gradio context of the caller.

    Args:
        page: the Blocks that the tab is part of.

    Returns:
        The model, not yet loading: handlers start it and wait for it.
    """
    ready = Background(load)
    answer = gr.State(None)
    with gr.Row(elem_classes="photo-row"):
        with gr.Column(scale=5, min_width=320):
            photo = _build_input()
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(elem_id="keypoints-status")
            view = photo_view(label="Keypoints", show_label=False, elem_id="keypoints-view")
            detector = _build_detectors()
            choices = build_choices()
            _build_downloads(answer, choices)
    face_cards = gr.HTML(elem_id="keypoints-cards", js_on_load=clicks("data-face"))
    inside = Inside(ready, answer)
    comparison = Comparison(ready, answer)

    def on_open(show: list[str], fun: list[str]) -> list[Any]:
        try:
            return _answered(ready.get().example, show, fun)
        except WeightsError as error:
            return _unanswered(notice("error", "The model could not be loaded", str(error)))

    def on_photo(photo: Upload | None, detector: str, show: list[str], fun: list[str]) -> list[Any]:
        if photo is None:
            return _unanswered("")
        try:
            find_faces = ready.get().using(detector)
            return _answered(answer_photo(find_faces, *photo), show, fun)
        except PhotoError as error:
            return _unanswered(notice("error", "This photo cannot be used", str(error)))
        except WeightsError as error:
            return _unanswered(notice("error", "The model could not be loaded", str(error)))

    def on_detector(
        answer: PhotoAnswer | None, photo: Upload | None, detector: str, *choices: list[str]
    ) -> list[Any]:
        if photo is None and answer is not None:  # the example that the page opened with
            photo = Upload(answer.path, answer.name)
        return on_photo(photo, detector, *choices)

    results = [answer, status, view, face_cards, *inside.changing]
    page.load(on_open, choices, results, **private(MODEL_BUDGET))
    asked = photo.change(on_photo, [photo, detector, *choices], results, **private(MODEL_BUDGET))
    again = detector.input(
        on_detector, [answer, photo, detector, *choices], results, **private(MODEL_BUDGET)
    )
    for answered in (asked, again):
        inside.follow(answered)
    comparison.follow(asked)
    inside.open_from(face_cards)
    gr.on(
        [choice.input for choice in choices],
        _on_choice,
        [answer, *choices],
        view,
        show_progress="hidden",
        trigger_mode="always_last",
        **private(DRAWING_BUDGET),
    )
    _build_endpoint(ready)
    return ready


def _build_input() -> PhotoInput:
    photo = photo_input(
        label="Your photo",
        show_label=False,
        elem_id="keypoints-photo",
        placeholder="# Drop a photo here\nor click to choose one",
    )
    build_examples(photo, _EXAMPLES)
    return photo


def _build_detectors() -> gr.Radio:
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


def _build_downloads(answer: gr.State, choices: list[gr.CheckboxGroup]) -> None:
    made = gr.JSON(visible=False)
    with gr.Row(elem_classes="downloads"):
        for label, make in (
            ("Annotated photo", _photo_file),
            ("JSON", _json_file),
            ("CSV", _csv_file),
        ):
            button = gr.Button(f"↓ {label}", size="sm", min_width=90)
            click = button.click(make, [answer, *choices], made, **private(DRAWING_BUDGET))
            click.success(None, made, None, js=SAVE_FILE)


def _build_endpoint(ready: Background[Ready]) -> None:
    """The API endpoint /keypoints."""

    def keypoints(photo: Upload | None) -> dict[str, Any]:
        """Faces of a photo, 68 keypoints on each: {"file", "width", "height", "faces"}.

        The entries are those of the command line's JSON: pixels of the upright photo, origin top
        left, points in iBUG / 300-W order.
        """
        if photo is None:
            raise gr.Error("Expected a photo, got none.", print_exception=False)
        try:
            image = read_photo(photo.path)
            faces = ready.get().find_faces(image)
        except (PhotoError, WeightsError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        height, width = image.shape[:2]
        return record_to_dict(Record(file=photo.name, width=width, height=height, faces=faces))

    gr.Button(visible=False).click(
        keypoints,
        photo_input(label="photo", visible=False),
        gr.JSON(label="record", visible=False),
        api_name="keypoints",
        **MODEL_BUDGET,
    )


def _answered(answer: PhotoAnswer, show: list[str], fun: list[str]) -> list[Any]:
    return [
        answer,
        summary(answer),
        answer.draw(draw_style(show), fun),
        cards(answer),
        *inside_updates(len(answer.faces)),
    ]


def _unanswered(message: str) -> list[Any]:
    return [None, message, None, "", *inside_updates(0)]


def _on_choice(answer: PhotoAnswer | None, show: list[str], fun: list[str]) -> Any:
    return None if answer is None else answer.draw(draw_style(show), fun)


def draw_style(show: list[str]) -> DrawStyle:
    """What these check boxes stand for."""
    return DrawStyle(**{name: name in show for _, name in _SHOW})


def _photo_file(
    answer: PhotoAnswer | None, show: list[str], fun: list[str]
) -> dict[str, str] | None:
    answer = _needed(answer)
    try:
        data = encode_jpeg(answer.draw_full(draw_style(show), fun), _DOWNLOAD_QUALITY)
    except ValueError as error:  # the photo is gone, or too long for a JPEG
        raise gr.Error(str(error), print_exception=False) from error
    return saved_file(data, f"{_stem(answer)}_keypoints.jpg", "image/jpeg")


def _json_file(answer: PhotoAnswer | None, *_choices: list[str]) -> dict[str, str]:
    answer = _needed(answer)
    text = to_json([answer.record])
    return saved_file(text.encode(), f"{_stem(answer)}_keypoints.json", "application/json")


def _csv_file(answer: PhotoAnswer | None, *_choices: list[str]) -> dict[str, str]:
    answer = _needed(answer)
    text = to_csv([answer.record])
    return saved_file(text.encode(), f"{_stem(answer)}_keypoints.csv", "text/csv")


def _needed(answer: PhotoAnswer | None) -> PhotoAnswer:
    if answer is None:
        raise gr.Error("Open a photo first.", title="Nothing to save", print_exception=False)
    return answer


def _stem(answer: PhotoAnswer) -> str:
    return Path(answer.name).stem or "photo"
