"""What the keypoint tab saves on the visitor's machine: the annotated photo, JSON and CSV."""

from pathlib import Path

import gradio as gr

from facial_keypoints.export import to_csv, to_json
from keypoints_captions.photos.jpeg import encode_jpeg
from web.components import DRAWING_BUDGET, SAVE_FILE, private, saved_file
from web.keypoints.answer import PhotoAnswer
from web.keypoints.choices import draw_style

_DOWNLOAD_QUALITY = 92  # of the JPEG; less smears thin lines


def build_downloads(answer: gr.State, choices: list[gr.CheckboxGroup]) -> None:
    """A row of buttons, in the Gradio context of the caller."""
    made = gr.JSON(visible=False)
    with gr.Row(elem_classes="downloads"):
        for label, make in (
            ("Annotated photo", photo_file),
            ("JSON", json_file),
            ("CSV", csv_file),
        ):
            button = gr.Button(f"↓ {label}", size="sm", min_width=90)
            click = button.click(make, [answer, *choices], made, **private(DRAWING_BUDGET))
            click.success(None, made, None, js=SAVE_FILE)


def photo_file(
    answer: PhotoAnswer | None, show: list[str], fun: list[str]
) -> dict[str, str] | None:
    answer = _needed(answer)
    try:
        data = encode_jpeg(answer.draw_full(draw_style(show), fun), _DOWNLOAD_QUALITY)
    except ValueError as error:  # the photo is gone, or too long for a JPEG
        raise gr.Error(str(error), print_exception=False) from error
    return saved_file(data, f"{_stem(answer)}_keypoints.jpg", "image/jpeg")


def json_file(answer: PhotoAnswer | None, *_choices: list[str]) -> dict[str, str]:
    answer = _needed(answer)
    text = to_json([answer.record])
    return saved_file(text.encode(), f"{_stem(answer)}_keypoints.json", "application/json")


def csv_file(answer: PhotoAnswer | None, *_choices: list[str]) -> dict[str, str]:
    answer = _needed(answer)
    text = to_csv([answer.record])
    return saved_file(text.encode(), f"{_stem(answer)}_keypoints.csv", "text/csv")


def _needed(answer: PhotoAnswer | None) -> PhotoAnswer:
    if answer is None:
        raise gr.Error("Open a photo first.", title="Nothing to save", print_exception=False)
    return answer


def _stem(answer: PhotoAnswer) -> str:
    return Path(answer.name).stem or "photo"
