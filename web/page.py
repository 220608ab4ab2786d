"""The page: header, the two tabs, and the photo they hand to each other."""

from typing import TYPE_CHECKING, Any

import gradio as gr

import web.captions.model
import web.captions.tab
import web.keypoints.model
import web.keypoints.tab
from captioning.alt_text import alt_text
from web.api_section import build_api_section
from web.components import ASSETS, DRAWING_BUDGET, Upload, private
from web.device.files import DeviceFiles
from web.gradio_internals import PageBlocks, RequestQueue, forget_session, use_request_queue
from web.models import Background, start_in_order
from web.photo_transfer import PhotoTab, alt_text_line, photo_to_carry, same_photo

if TYPE_CHECKING:
    from web.captions.answer import Answer
    from web.keypoints.answer import PhotoAnswer

TITLE = "Facial keypoints and photo captions"
TAGLINE = "Give a photo: get 68 points on every face, or a sentence that describes it."

#: Age at which uploaded files are deleted, and pause between two checks; seconds.
DELETE_AGE, DELETE_EVERY = 900, 60
QUEUE_SIZE = 64  # waiting requests; more are refused: the page is busy


def build_page(
    files: DeviceFiles, weights: str | None = None, device: str | None = None
) -> tuple[gr.Blocks, RequestQueue, dict[str, Background[Any]]]:
    """The page, its request queue, and the models of its tabs by name, which load meanwhile.

    Args:
        files: what faces are found with on the visitor's own device.
        weights, device: as `FacialKeypoints.load` and `Captioner.load` take them, for both.
    """
    models: dict[str, Background[Any]] = {
        "keypoints": Background(lambda: web.keypoints.model.load(weights, device)),
        "captions": Background(lambda: web.captions.model.load(weights, device)),
    }
    start_in_order(list(models.values()))
    with PageBlocks(
        title=TITLE, analytics_enabled=False, delete_cache=(DELETE_EVERY, DELETE_AGE)
    ) as page:
        gr.HTML(
            f'<header class="masthead">{(ASSETS / "logo.svg").read_text()}<div>'
            f"<h1>{TITLE}</h1><p>{TAGLINE}</p></div></header>"
        )
        with gr.Tabs(elem_classes="halves"):
            with gr.Tab("Facial keypoints", id="keypoints"):
                faces = web.keypoints.tab.build_tabs(page, files, models["keypoints"])
            with gr.Tab("Photo captions", id="captions"):
                captions = web.captions.tab.build_tab(page, models["captions"])
        _connect(faces, captions)
        build_api_section()
        gr.HTML(
            '<p class="privacy">The live camera stays on your device unless you choose the server, '
            "and so does a photo that you keep there. Other photos and videos are sent only to the "
            f"machine that runs this page. It deletes files after {DELETE_AGE // 60} minutes and "
            "results when you close the page; it never stores the live camera's pictures.</p>"
        )
        _forget_when_closed(page)
    return page, use_request_queue(page, QUEUE_SIZE), models


def _connect(faces: PhotoTab, captions: PhotoTab) -> None:
    """Each tab can hand its photo to the other; both then show its alt text."""

    def from_faces(found: "PhotoAnswer | None") -> Upload:
        return photo_to_carry(found.path, found.name) if found else photo_to_carry(None)

    def from_captions(said: "Answer | None") -> Upload:
        return photo_to_carry(said.photo.path, said.photo.name) if said else photo_to_carry(None)

    def tell(found: "PhotoAnswer | None", said: "Answer | None") -> list[str]:
        if found is None or said is None or not same_photo(found.path, said.photo.path):
            return ["", ""]
        return [alt_text_line(alt_text(said.captions[0], len(found.faces)))] * 2

    for tab, carried, other, shown in (
        (faces, from_faces, captions, "['captions']"),
        (captions, from_captions, faces, "['keypoints', 'photo']"),
    ):
        # The tab opens first: a photo put into a tab that was never opened is answered twice.
        tab.carry.click(
            carried,
            tab.answer,
            other.photo,
            js=f"(...inputs) => {{ window.openTabs({shown}); return inputs; }}",
            **private(DRAWING_BUDGET),
        )
        for answered in tab.answered:
            answered.then(
                tell,
                [faces.answer, captions.answer],
                [faces.alt_text, captions.alt_text],
                show_progress="hidden",
                **private(DRAWING_BUDGET),
            )


def _forget_when_closed(page: gr.Blocks) -> None:
    """Drops the server's data of a page as soon as the page is closed."""

    def forget(request: gr.Request) -> None:
        forget_session(page, request.session_hash)

    page.unload(forget)
