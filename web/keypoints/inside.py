"""The fold "Look inside" of the keypoint tab: feature maps and heat maps of one face."""

import threading
from typing import TYPE_CHECKING, Any

import gradio as gr

from keypoints_captions.photos.reader import PhotoError
from web.components import LOOK, LazyFold, PhotoView, photo_view, private
from web.keypoints.answer import PhotoAnswer
from web.models import MODELS, Background

if TYPE_CHECKING:
    from facial_keypoints.landmarks.network import KeypointNet
    from web.keypoints.model import Ready

_INTRODUCTION = (
    "The network cuts the face out, turned upright, and reads it through layers of filters. Each "
    "map shows where on the face one filter of the chosen layer responds, dark for little, bright "
    "for much. The last layer makes one map for each keypoint."
)
_NO_SINGLE_FILTER = "This layer is a block of several convolutions; a single one shows a filter."


class Inside(LazyFold):
    """The fold's components.

    changing: what `inside_updates` is for.
    """

    def __init__(self, ready: "Background[Ready]", answer: gr.State):
        super().__init__()
        self._ready = ready
        # Hooks on PyTorch's layers record what they compute, so the fold has a network of its
        # own, loaded when it is first opened, for one visitor at a time.
        self._network: KeypointNet | None = None
        self._looking = threading.Lock()
        with gr.Accordion(
            "Look inside the network", open=False, visible=False, elem_id="inside"
        ) as self.fold:
            gr.Markdown(_INTRODUCTION)
            with gr.Row():
                self.face = gr.Dropdown([("Face 1", 0)], value=0, label="Face", min_width=120)
                self.layer = gr.Dropdown([], label="Layer", min_width=160)
                self.filter = gr.Slider(
                    0, 1, value=0, step=1, label="Filter", min_width=200, elem_id="inside-filter"
                )
            with gr.Row():
                with gr.Column(min_width=280):
                    self.points = _picture("Where it sees the points", "inside-points")
                with gr.Column(min_width=280):
                    self.maps = _picture("The layer's feature maps, by number", "inside-maps")
            with gr.Column() as self.single:
                self.effect = _picture(
                    "The face, the chosen filter, and what that filter makes of the face",
                    "inside-effect",
                )
            self.note = gr.Markdown()
        self.changing: list[gr.blocks.Block] = [self.fold, self.face]
        choices = [self.face, self.layer, self.filter]
        self.shown = [
            self.layer,
            self.filter,
            self.points,
            self.maps,
            self.single,
            self.effect,
            self.note,
        ]
        self._connect([answer, *choices])
        gr.on(
            [self.face.input, self.layer.input, self.filter.input],
            self._look,
            [answer, *choices],
            self.shown,
            trigger_mode="always_last",
            **LOOK,
        )

    def open_from(self, cards: gr.HTML) -> None:
        """Opens the fold at a face when its card is clicked."""
        cards.click(_on_card, None, [self.fold, self.opened, self.face], **private()).then(
            self._look, self._inputs, self.shown, js=_SCROLL_TO_FOLD, **LOOK
        )

    def _look(
        self, answer: PhotoAnswer | None, face: int, layer: str | None, number: int
    ) -> list[Any]:
        if answer is None or not 0 <= face < len(answer.faces):
            return [gr.skip()] * len(self.shown)
        pairs = self._ready.get().find_faces.pairs
        from facial_keypoints.pipeline import load_network

        with self._looking, MODELS.turn():
            self._network = self._network or load_network(pairs[0] if pairs else None)
            return _looked(self._network, answer, face, layer, number)


def _looked(
    network: "KeypointNet", answer: PhotoAnswer, face: int, layer: str | None, number: int
) -> list[Any]:
    from facial_keypoints.drawing import inspection  # here, because torch takes seconds to import

    names = inspection.layer_names(network)
    layer = layer if layer in names else names[0]
    try:
        crop, batch = inspection.face_input(network, answer.photo(), answer.faces[face])
    except PhotoError as error:
        raise gr.Error(str(error), title="Cannot look inside", print_exception=False) from error
    heat = inspection.heat_maps(network, batch)
    points = crop if heat is None else inspection.heat_map_picture(heat, crop)
    maps = inspection.tile_maps(inspection.feature_maps(network, batch, layer))
    known = gr.update(choices=names, value=layer)
    if layer not in inspection.filter_layer_names(network):
        hidden = gr.update(visible=False)
        return [known, hidden, points, maps, hidden, None, _NO_SINGLE_FILTER]
    last = inspection.filter_count(network, layer) - 1
    number = min(int(number), last)
    effect = inspection.filter_effect(network, batch, layer, number)
    slider = gr.update(maximum=last, value=number, visible=True)
    picture = inspection.filter_picture(effect, crop)
    return [known, slider, points, maps, gr.update(visible=True), picture, ""]


def _picture(caption: str, elem_id: str) -> PhotoView:
    gr.HTML(f'<span class="caption">{caption}</span>')
    return photo_view(label=caption, show_label=False, elem_id=elem_id)


_SCROLL_TO_FOLD = """(...inputs) => {
  document.getElementById("inside")?.scrollIntoView({behavior: "smooth", block: "start"});
  return inputs;
}"""


def inside_updates(count: int) -> list[Any]:
    """For `Inside.changing`, when a photo with this many faces is shown; hidden without any."""
    faces = [(f"Face {index + 1}", index) for index in range(max(count, 1))]
    return [gr.update(visible=count > 0), gr.update(choices=faces, value=0)]


def _on_card(event: gr.EventData) -> list[Any]:
    return [gr.update(open=True), True, int(event.face)]
