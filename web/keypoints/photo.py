"""The photo view of the keypoint tab: photo, drawing, a card for each face, downloads."""

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from facial_keypoints.detection.detectors import DEFAULT_DETECTOR
from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.weights import WeightsError
from web.components import (
    DRAWING_BUDGET,
    MODEL_BUDGET,
    OPENING_BUDGET,
    Upload,
    build_photo_input,
    clicks,
    not_loaded,
    notice,
    photo_view,
    private,
)
from web.device.examples import PHOTOS
from web.device.files import DeviceFiles
from web.device.markup import keep_html
from web.device.script import start_script
from web.keypoints.answer import PhotoAnswer, answer_photo
from web.keypoints.api import build_endpoint
from web.keypoints.cards import cards, summary
from web.keypoints.choices import build_choices, build_detectors, draw_style
from web.keypoints.compare import Comparison
from web.keypoints.downloads import build_downloads
from web.keypoints.inside import Inside, inside_updates
from web.keypoints.model import Ready
from web.keypoints.quality import build_keypoint_quality
from web.links import LinkedSettings
from web.models import MODELS, Background
from web.photo_transfer import PhotoTab, build_carry


def build_tab(
    page: gr.Blocks,
    files: DeviceFiles,
    ready: Background[Ready],
) -> PhotoTab:
    """Lays out the view in the Gradio context of the caller.

    Args:
        page: the Blocks that the view is part of.
        files: what faces are found with on the visitor's own device.
        ready: the model; handlers start it and wait for it.

    Returns:
        What the page connects.
    """
    answer = gr.State(None)
    gr.HTML(
        keep_html(),
        js_on_load=start_script(files, "KeepPhoto"),
        apply_default_css=False,
        elem_id="keypoints-keep",
    )
    with gr.Column(elem_classes="on-server"):
        with gr.Row(elem_classes="photo-row"):
            with gr.Column(scale=4, min_width=300):
                photo = build_photo_input("keypoints-photo", PHOTOS)
            with gr.Column(scale=6, min_width=320):
                status = gr.HTML(elem_id="keypoints-status")
                view = photo_view(label="Keypoints", show_label=False, elem_id="keypoints-view")
                detector = build_detectors()
                choices = build_choices()
                downloads = build_downloads(answer, choices)
                carry, alt_text = build_carry("Caption this photo")
            with gr.Column(scale=4, min_width=280, elem_classes="cards-column"):
                face_cards = gr.HTML(elem_id="keypoints-cards", js_on_load=clicks("data-face"))
        inside = Inside(ready, answer)
        comparison = Comparison(ready, answer)
    build_keypoint_quality(ready)

    linked = LinkedSettings(detector=detector, show=choices[0], wear=choices[1])
    usual = [choice.value for choice in choices]
    results = [answer, status, view, face_cards, *inside.changing, *downloads, carry]

    def answered(answer: PhotoAnswer, *choices: list[str]) -> list[Any]:
        """Updates of the results; the drawing is made from the photo's own pixels."""
        return [
            replace(answer.stored(), choices=choices),
            summary(answer),
            gr.update(value=_drawn(answer, *choices), visible=True),
            cards(answer),
            *inside_updates(len(answer.faces)),
            *[gr.update(interactive=True)] * (len(downloads) + 1),
        ]

    def unanswered(message: str) -> list[Any]:
        off = [gr.update(interactive=False)] * (len(downloads) + 1)
        hidden = gr.update(value=None, visible=False)
        return [None, message, hidden, "", *inside_updates(0), *off]

    def on_open(request: gr.Request) -> list[Any]:
        settings = linked.updates(request)
        try:
            return [*answered(ready.get().example, *usual), *settings]
        except WeightsError as error:
            return [*unanswered(not_loaded(error)), *settings]

    def on_photo(photo: Upload | None, detector: str, *rest: Any) -> list[Any]:
        """rest: the choices of what is drawn, and the answer until now."""
        *choices, answer = rest
        try:
            if photo is None and answer is not None and answer.path == ready.get().example.path:
                photo = Upload(answer.path, answer.name)  # the page opened with it
            if photo is None:
                return unanswered("")
            find_faces = ready.get().using(detector)
            with MODELS.turn():
                answer = answer_photo(find_faces, *photo)
            return answered(answer, *choices)
        except PhotoError as error:
            return unanswered(notice("error", "This photo cannot be used", str(error)))
        except WeightsError as error:
            return unanswered(not_loaded(error))

    def on_opened(photo: Upload | None, detector: str, *rest: Any) -> list[Any]:
        """Catches up with a link's settings, and with a visitor who did not wait for the model."""
        *choices, answer = rest
        updates = [gr.skip()] * len(results)
        if answer is None:
            return updates
        if detector != DEFAULT_DETECTOR or (photo is not None and photo.path != answer.path):
            return on_photo(photo, detector, *rest)
        if choices != usual:
            updates[results.index(view)] = _drawn(answer, *choices)
        return updates

    def redrawn(answer: PhotoAnswer | None, *choices: list[str]) -> Any:
        """The drawing, where other things were chosen while the photo was being answered."""
        if answer is None or choices == answer.choices:
            return gr.skip()
        return _drawn(answer, *choices)

    asks = {"show_progress_on": [view, status], **private(MODEL_BUDGET)}
    current = [photo, detector, *choices, answer]
    opened = page.load(
        on_open,
        None,
        [*results, *linked.components],
        show_progress_on=view,
        **private(OPENING_BUDGET),
    ).then(on_opened, current, results, show_progress="hidden", **private(MODEL_BUDGET))
    # One event, so that no answer overtakes another: what came last is answered last.
    asked = gr.on(
        [photo.change, detector.input],
        on_photo,
        current,
        results,
        trigger_mode="always_last",
        **asks,
    )
    asked.then(
        redrawn,
        [answer, *choices],
        view,
        show_progress="hidden",
        **private(DRAWING_BUDGET),
    )
    inside.follow(asked)
    comparison.follow(asked)
    inside.open_from(face_cards)
    gr.on(
        [choice.input for choice in choices],
        lambda answer, *choices: gr.skip() if answer is None else _drawn(answer, *choices),
        [answer, *choices],
        view,
        show_progress="hidden",
        trigger_mode="always_last",
        **private(DRAWING_BUDGET),
    )
    build_endpoint(ready)
    return PhotoTab(photo, answer, carry, alt_text, [opened, asked])


def _drawn(answer: PhotoAnswer, show: list[str], fun: list[str]) -> np.ndarray:
    return answer.draw(draw_style(show), fun)
