"""The API endpoint /caption of the page."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from captioning.export import Record
from captioning.options import SearchOptions
from web.captions.batches import BATCH
from web.components import Upload, endpoint_errors, photo_input
from web.models import MODELS, Background

if TYPE_CHECKING:
    from web.captions.model import Ready

#: Two batches for each compute slot: the photos of the next are there when one is done.
CAPTION_BUDGET: dict[str, Any] = {
    "concurrency_id": "captions",
    "concurrency_limit": min(2 * BATCH * MODELS.count, 24),
}


def build_endpoint(ready: "Background[Ready]") -> None:
    """The API endpoint /caption."""

    def caption(
        photo: Upload | None, beam_size: float = 3, num_captions: float = 1
    ) -> dict[str, Any]:
        """Captions of a photo: English sentences about it, best first.

        Returns {"file", "captions"}, the captions as in the command line's JSON: {"text",
        "log_probability", "words"}, with {"word", "probability"} for each word.

        Args:
            photo: JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF.
            beam_size: captions followed at once by the beam search, 1 to 20.
            num_captions: captions returned, 1 to 20.
        """
        with endpoint_errors(photo) as given:
            options = SearchOptions(
                beam_size=_whole("beam_size", beam_size),
                num_captions=_whole("num_captions", num_captions),
            )
            captions = ready.get().batches.caption(given.path, options).captions
        return Record(given.name, tuple(captions)).to_dict()

    gr.Button(visible=False).click(
        caption,
        [
            photo_input(label="photo", visible=False),
            gr.Number(3, label="beam_size", visible=False),
            gr.Number(1, label="num_captions", visible=False),
        ],
        gr.JSON(label="record", visible=False),
        api_name="caption",
        **CAPTION_BUDGET,
    )


def _whole(name: str, value: Any) -> int:
    """The value as an integer; ValueError where it is no whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    return int(value)
