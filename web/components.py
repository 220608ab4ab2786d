"""Parts of the page that both tabs use."""

import base64
import mimetypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import cv2
import gradio as gr
import numpy as np
from gradio.data_classes import ImageData

from keypoints_captions.photos.jpeg import encode_jpeg
from keypoints_captions.photos.reader import read_photo
from keypoints_captions.weights import WeightsError
from web.models import MODELS

ASSETS = Path(__file__).resolve().parent.parent / "assets"
EXAMPLES = ASSETS / "examples"

#: Events that run a model: Gradio starts no more of them than there are compute slots; the others
#: wait in the request queue, which tells visitors their place.
MODEL_BUDGET: dict[str, Any] = {"concurrency_id": "models", "concurrency_limit": MODELS.count}
#: Waiting for a model to load takes no compute slot.
OPENING_BUDGET: dict[str, Any] = {"concurrency_id": "opening", "concurrency_limit": None}
#: Drawing is cheap and does not wait for compute slots.
DRAWING_BUDGET: dict[str, Any] = {"concurrency_id": "drawing", "concurrency_limit": 4}

#: JavaScript that saves a `saved_file` on the visitor's machine; see assets/page.js.
_SAVE_FILE = "(file) => window.saveFile(file)"
T = TypeVar("T")


class Upload(NamedTuple):
    """An uploaded photo: its path here, and its owner's name for it (for display only)."""

    path: Path
    name: str


class PhotoInput(gr.Image):
    """Upload, webcam snapshot or clipboard; the handler gets an `Upload`.

    Gradio's own decoding is not used: it ends in a bare "Error" for damaged files, clips 16-bit
    pictures to white and knows neither HEIC nor a limit on pixels.
    """

    is_template = True  # the browser renders it as its base class

    def preprocess(self, payload: ImageData | None) -> Upload | None:  # type: ignore[override]
        """The uploaded file, not opened; None where there is none."""
        if payload is None:
            return None
        if payload.path is None:
            raise gr.Error("Expected a photo as a file, got text; upload the file first.")
        return Upload(Path(payload.path), payload.orig_name or Path(payload.path).name)

    def postprocess(self, value: Upload | None) -> ImageData | None:  # type: ignore[override]
        """The photo as it is; Gradio shows it from its own folder."""
        return None if value is None else ImageData(path=str(value.path), orig_name=value.name)


class PhotoView(gr.Image):
    """Shows an (H, W, 3) uint8 RGB array without leaving a file on the server."""

    is_template = True

    def postprocess(self, value: np.ndarray | None) -> ImageData | None:  # type: ignore[override]
        """The picture as a `data:` URL."""
        return None if value is None else ImageData(url=jpeg_url(value), mime_type="image/jpeg")


def photo_input(**settings: Any) -> PhotoInput:
    """A `PhotoInput` with the settings of every tab, and these. (Gradio reads a component's
    settings off its constructor's signature, so the class cannot have one of its own.)"""
    return PhotoInput(
        sources=["upload", "webcam", "clipboard"],
        type="filepath",
        buttons=[],
        webcam_options=gr.WebcamOptions(mirror=False),
        elem_classes="photo-input",
        **settings,
    )


def photo_view(**settings: Any) -> PhotoView:
    """A `PhotoView` with the settings of every tab, and these; its label is the picture's
    alternative text too."""
    settings = {"alt_text": settings.get("label"), "elem_classes": "view", **settings}
    return PhotoView(interactive=False, buttons=["fullscreen"], **settings)


def build_photo_input(elem_id: str, examples: Mapping[str, str]) -> PhotoInput:
    """The photo input of a tab, and examples below it (see `build_examples`)."""
    photo = photo_input(
        label="Your photo",
        show_label=False,
        elem_id=elem_id,
        placeholder="# Drop a photo here\nor click to choose one",
    )
    build_examples(photo, examples)
    return photo


def build_examples(photo: PhotoInput, examples: Mapping[str, str]) -> None:
    """A row of example photos, which a click or the keyboard puts into `photo`.

    examples: name of a file in `EXAMPLES` -> what it shows, which is its name for screen readers.
    """
    names = list(examples)
    buttons = "".join(
        f'<button type="button" data-index="{index}" title="{escape(text)}">'
        f'<img src="{_thumbnail(name)}" alt="{escape(text)}"></button>'
        for index, (name, text) in enumerate(examples.items())
    )
    strip = gr.HTML(
        f'<div class="examples"><span>Or try one of these</span><div>{buttons}</div></div>',
        js_on_load=clicks("data-index"),
    )

    def on_click(event: gr.EventData) -> Upload | dict[str, Any]:
        index = event.index
        known = index in range(len(names))
        return Upload(EXAMPLES / names[index], names[index]) if known else gr.skip()

    strip.click(on_click, None, photo, show_progress="hidden", **private())


def clicks(attribute: str) -> str:
    """JavaScript of a gr.HTML: its `click` event comes from buttons with this `data-` attribute,
    a whole number, and carries it under the attribute's name without `data-`."""
    name = attribute.removeprefix("data-")
    return f"""element.addEventListener("click", (event) => {{
  const button = event.target.closest("[{attribute}]");
  if (button) trigger("click", {{{name}: Number(button.dataset.{name})}});
}});"""


def _thumbnail(name: str, height: int = 144) -> str:
    """An example photo at this height, as a `data:` URL."""
    image = read_photo(EXAMPLES / name)
    width = round(image.shape[1] * height / image.shape[0])
    return jpeg_url(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), quality=85)


def jpeg_url(image: np.ndarray, quality: int = 90) -> str:
    """(H, W, 3) uint8 RGB to a `data:` URL."""
    return data_url(encode_jpeg(image, quality), "image/jpeg")


def data_url(data: bytes, mime_type: str) -> str:
    """The bytes as a `data:` URL."""
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


def download_button(
    label: str, make: Callable[..., dict[str, str]], inputs: list[Any], interactive: bool = False
) -> gr.Button:
    """A button that saves a file on the visitor's machine; `make` gives a `saved_file`."""
    made = gr.JSON(visible=False)
    button = gr.Button(f"↓ {label}", size="sm", min_width=90, interactive=interactive)
    click = button.click(make, inputs, made, **private(DRAWING_BUDGET))
    click.success(None, made, None, js=_SAVE_FILE)
    return button


def saved_file(data: bytes, photo: str, ending: str) -> dict[str, str]:
    """A file for the visitor's machine that is never stored on this one.

    photo: name of the photo's file. ending: what replaces its own ending, "_keypoints.json".
    """
    name = f"{Path(photo).stem or 'photo'}{ending}"
    return {"name": name, "url": data_url(data, mimetypes.guess_type(name)[0] or "")}


def needed(answer: T | None) -> T:
    """The answer; a message to the visitor where there is none any more, for the server keeps those
    of so many pages. Before there is one, no button asks for it."""
    if answer is None:
        text = "The server does not have this page's photo any more; open it again."
        raise gr.Error(text, title="The photo is gone", print_exception=False)
    return answer


def private(budget: dict[str, Any] | None = None) -> dict[str, Any]:
    """Settings of an event that is no endpoint of the API."""
    return {"api_visibility": "private", **(budget or {})}


def notice(kind: Literal["info", "error"], title: str, text: str = "") -> str:
    """HTML of a message, read out by screen readers. Takes plain text and escapes it."""
    read_out = 'role="alert"' if kind == "error" else "data-said"  # see assets/page.js
    rest = f"<p>{escape(text)}</p>" if text else ""
    return f'<div class="notice {kind}" {read_out}><strong>{escape(title)}</strong>{rest}</div>'


def not_loaded(error: WeightsError) -> str:
    """HTML of the message."""
    return notice("error", "The model could not be loaded", str(error))


@contextmanager
def endpoint_errors(photo: Upload | None) -> Iterator[Upload]:
    """The photo; what an endpoint of the API raises for bad values becomes a sentence."""
    if photo is None:
        raise gr.Error("Expected a photo, got none.", print_exception=False)
    try:
        yield photo
    except ValueError as error:  # also PhotoError and WeightsError
        raise gr.Error(sentence(error), print_exception=False) from error


def sentence(error: ValueError) -> str:
    """The error's message with a capital letter and a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


class LazyFold:
    """A closed accordion that computes its contents only while it is open.

    Derived classes lay out `fold` and the components `shown`, and give `_look` their updates.
    """

    fold: gr.Accordion
    shown: Sequence[gr.blocks.Block]

    def __init__(self) -> None:
        self.opened = gr.State(False)

    def _look(self, *inputs: Any) -> list[Any]:
        raise NotImplementedError

    def _connect(self, inputs: list[Any]) -> None:
        """Looks when the fold is opened."""
        self._inputs = inputs
        self.fold.expand(lambda: True, None, self.opened, **private()).then(
            self._look, inputs, self.shown, **LOOK
        )
        self.fold.collapse(lambda: False, None, self.opened, **private())

    def follow(self, asked: gr.events.Dependency) -> None:
        """Looks again after a new answer, if the fold is open."""
        asked.then(self._look_if_open, [self.opened, *self._inputs], self.shown, **LOOK)

    def _look_if_open(self, opened: bool, *inputs: Any) -> list[Any]:
        return self._look(*inputs) if opened else [gr.skip()] * len(self.shown)


#: Settings of an event that fills a fold.
LOOK: dict[str, Any] = {**private(MODEL_BUDGET), "show_progress": "minimal"}
