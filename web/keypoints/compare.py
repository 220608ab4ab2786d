"""The fold "Compare detectors" of the keypoint tab: the boxes of each detector on the photo."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from facial_keypoints.detection.detectors import DETECTOR_TITLES
from keypoints_captions.photos.reader import PhotoError, read_photo
from keypoints_captions.weights import WeightsError
from web.components import LazyFold, notice, photo_view
from web.keypoints.answer import PhotoAnswer
from web.models import MODELS, Background

if TYPE_CHECKING:
    from facial_keypoints.comparison import Look
    from web.keypoints.model import Ready

_INTRODUCTION = (
    "A detector proposes boxes, and the keypoint network decides which of them are faces. Rejected "
    "boxes are drawn thin."
)


class Comparison(LazyFold):
    """The fold's components."""

    def __init__(self, ready: "Background[Ready]", answer: gr.State):
        super().__init__()
        self._ready = ready
        with gr.Accordion("Compare detectors", open=False, elem_id="compare") as self.fold:
            gr.Markdown(_INTRODUCTION)
            table = gr.HTML()
            view = photo_view(
                label="Boxes of each detector", show_label=False, elem_id="compare-view"
            )
        self.shown = [table, view]
        self._connect([answer])

    def _look(self, answer: PhotoAnswer | None) -> list[Any]:
        if answer is None:
            return ["", None]
        from facial_keypoints import comparison  # here, because OpenVINO takes time to import

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
