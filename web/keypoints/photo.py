"""The keypoint tab of the page: a photo in; keypoints, a card for each face and downloads out."""

from typing import Any

import gradio as gr

from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.weights import WeightsError
from web.components import (
    DRAWING_BUDGET,
    MODEL_BUDGET,
    Upload,
    build_photo_input,
    clicks,
    notice,
    photo_view,
    private,
)
from web.keypoints.answer import PhotoAnswer, answer_photo
from web.keypoints.api import build_endpoint
from web.keypoints.cards import cards, summary
from web.keypoints.choices import build_choices, build_detectors, draw_style
from web.keypoints.compare import Comparison
from web.keypoints.downloads import build_downloads
from web.keypoints.inside import Inside, inside_updates
from web.keypoints.model import PHOTOS, load
from web.keypoints.quality import build_keypoint_quality
from web.links import LinkedSettings
from web.models import MODELS, Background
from web.photo_transfer import PhotoTab, build_carry


def build_tab(page: gr.Blocks, weights: str | None = None, device: str | None = None) -> PhotoTab:
    """Lays out the tab in the Gradio context of the caller.

    Args:
        page: the Blocks that the tab is part of.
        weights, device: as `FacialKeypoints.load` takes them.

    Returns:
        What the page connects; the model is not yet loading: handlers start it and wait for it.
    """
    ready = Background(lambda: load(weights, device))
    answer = gr.State(None)
    with gr.Row(elem_classes="photo-row"):
        with gr.Column(scale=5, min_width=320):
            photo = build_photo_input("keypoints-photo", PHOTOS)
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(elem_id="keypoints-status")
            view = photo_view(label="Keypoints", show_label=False, elem_id="keypoints-view")
            detector = build_detectors()
            choices = build_choices()
            build_downloads(answer, choices)
            carry, alt_text = build_carry("Caption this photo")
    face_cards = gr.HTML(elem_id="keypoints-cards", js_on_load=clicks("data-face"))
    inside = Inside(ready, answer)
    comparison = Comparison(ready, answer)
    build_keypoint_quality(ready)

    linked = LinkedSettings(detector=detector, show=choices[0], wear=choices[1])

    def on_open(request: gr.Request) -> list[Any]:
        detector, *drawn = settings = linked.read(request)
        try:
            example = ready.get().example
            find_faces = ready.get().using(detector)
            if find_faces is not ready.get().find_faces:
                with MODELS.turn():
                    example = answer_photo(find_faces, example.path, example.name)
            return [*_answered(example, *drawn), *settings]
        except WeightsError as error:
            message = notice("error", "The model could not be loaded", str(error))
            return [*_unanswered(message), *settings]

    def on_photo(photo: Upload | None, detector: str, show: list[str], fun: list[str]) -> list[Any]:
        if photo is None:
            return _unanswered("")
        try:
            find_faces = ready.get().using(detector)
            with MODELS.turn():
                answer = answer_photo(find_faces, *photo)
            return _answered(answer, show, fun)
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
    asks = {"show_progress_on": view, **private(MODEL_BUDGET)}
    opened = page.load(on_open, None, [*results, *linked.components], **asks)
    asked = photo.change(on_photo, [photo, detector, *choices], results, **asks)
    again = detector.input(on_detector, [answer, photo, detector, *choices], results, **asks)
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
    build_endpoint(ready)
    return PhotoTab(ready, photo, answer, carry, alt_text, [opened, asked, again])


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
