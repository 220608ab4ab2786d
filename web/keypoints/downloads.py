"""Downloads of the keypoint tab: the annotated photo, JSON and CSV."""

import gradio as gr

from facial_keypoints.export import to_csv, to_json
from keypoints_captions.photos.jpeg import encode_jpeg
from web.components import download_button, needed, saved_file
from web.keypoints.answer import PhotoAnswer
from web.keypoints.choices import draw_style

_DOWNLOAD_QUALITY = 92  # of the JPEG; less smears thin lines


def build_downloads(answer: gr.State, choices: list[gr.CheckboxGroup]) -> list[gr.Button]:
    """A row of buttons, disabled until there is an answer, in the Gradio context of the caller."""
    with gr.Row(elem_classes="downloads"):
        return [
            download_button(label, make, [answer, *choices])
            for label, make in (
                ("Annotated photo", photo_file),
                ("JSON", json_file),
                ("CSV", csv_file),
            )
        ]


def photo_file(answer: PhotoAnswer | None, show: list[str], fun: list[str]) -> dict[str, str]:
    answer = needed(answer)
    try:
        data = encode_jpeg(answer.draw_full(draw_style(show), fun), _DOWNLOAD_QUALITY)
    except ValueError as error:  # the photo is gone, or too long for a JPEG
        raise gr.Error(str(error), print_exception=False) from error
    return saved_file(data, answer.name, "_keypoints.jpg")


def json_file(answer: PhotoAnswer | None, *_choices: list[str]) -> dict[str, str]:
    answer = needed(answer)
    return saved_file(to_json([answer.record]).encode(), answer.name, "_keypoints.json")


def csv_file(answer: PhotoAnswer | None, *_choices: list[str]) -> dict[str, str]:
    answer = needed(answer)
    return saved_file(to_csv([answer.record]).encode(), answer.name, "_keypoints.csv")
