"""The fold "Compare detectors" of the keypoint tab: what each detector makes of the photo."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from facial_keypoints.detection.detectors import DETECTOR_TITLES
from keypoints_captions.photos.reader import PhotoError, read_photo
from keypoints_captions.weights import WeightsError
from web.components import MODEL_BUDGET, notice, photo_view, private
from web.keypoints.answer import PhotoAnswer
from web.models import MODELS, Background

if TYPE_CHECKING:
    from facial_keypoints.detection.comparison import Look
    from web.keypoints.model import Ready

_INTRODUCTION = (
    "A detector proposes boxes, and the keypoint network says which of them are faces. Boxes that "
    "it throws out are drawn thin."
)
_LOOK: dict[str, Any] = {**private(MODEL_BUDGET), "show_progress": "minimal"}


class Comparison:
    """The fold's components. It stays closed, and computes nothing, until somebody opens it."""

    def __init__(self, ready: "Background[Ready]", answer: gr.State):
        self._ready, self.answer = ready, answer
        self.opened = gr.State(False)
        with gr.Accordion("Compare detectors", open=False, elem_id="compare") as self.fold:
            gr.Markdown(_INTRODUCTION)
            self.table = gr.HTML()
            self.view = photo_view(
                label="Boxes of each detector", show_label=False, elem_id="compare-view"
            )
        self.shown = [self.table, self.view]
        self.fold.expand(lambda: True, None, self.opened, **private()).then(
            self._look, answer, self.shown, **_LOOK
        )
        self.fold.collapse(lambda: False, None, self.opened, **private())

    def follow(self, asked: gr.events.Dependency) -> None:
        """Looks again when a photo was asked about."""
        asked.then(self._look_if_open, [self.opened, self.answer], self.shown, **_LOOK)

    def _look_if_open(self, opened: bool, answer: PhotoAnswer | None) -> list[Any]:
        return self._look(answer) if opened else [gr.skip()] * len(self.shown)

    def _look(self, answer: PhotoAnswer | None) -> list[Any]:
        if answer is None:
            return ["", None]
        from facial_keypoints.detection import (
            comparison,  # here, because torch takes seconds to import
        )

        ready = self._ready.get()
        try:
            with MODELS.turn():
                photo = answer.photo()
                looks = [comparison.look(ready.using(name), photo) for name in DETECTOR_TITLES]
        except (PhotoError, WeightsError) as error:
            return [notice("error", "The detectors cannot be compared", str(error)), None]
        preview = read_photo(answer.preview)
        drawn = comparison.draw_looks(preview, looks, preview.shape[1] / answer.width)
        return [table(looks, comparison.DETECTOR_COLOURS), drawn]


def table(looks: Sequence["Look"], colours: dict[str, tuple[int, int, int]]) -> str:
    """HTML: a row for each detector with its boxes, the faces among them and its time."""
    rows = "".join(
        f'<tr><th scope="row"><span style="color: rgb{colours[look.detector]}" aria-hidden="true">'
        f"■</span> {escape(DETECTOR_TITLES[look.detector])}</th><td>{len(look.boxes)}</td>"
        f"<td>{int(look.is_face.sum())}</td><td>{look.seconds * 1000:.0f} ms</td></tr>"
        for look in looks
    )
    return (
        '<table class="compared"><thead><tr><th scope="col">Detector</th>'
        '<th scope="col">Boxes</th><th scope="col">Faces among them</th>'
        f'<th scope="col">Time</th></tr></thead><tbody>{rows}</tbody></table>'
    )
