"""The page: its head, a tab for each half, and what goes from one to the other."""

from typing import TYPE_CHECKING, Any

import gradio as gr

import web.captions.tab
import web.keypoints.tab
from web.api_section import build_api_section
from web.components import ASSETS, DRAWING_BUDGET, Upload, private
from web.gradio_internals import LoggedBlocks, RequestQueue, forget_session, use_request_queue
from web.models import Background
from web.photo_transfer import PhotoTab, alt_text, alt_text_line, photo_to_carry, same_photo

if TYPE_CHECKING:
    from web.captions.answer import Answer
    from web.keypoints.answer import PhotoAnswer

TITLE = "Facial keypoints and photo captions"
TAGLINE = "A photo goes in; 68 points on every face, or a sentence about it, come out."

#: Uploaded files are deleted at this age, looked for this often; seconds.
DELETE_AGE, DELETE_EVERY = 900, 60
QUEUE_SIZE = 64  # requests waiting; more are told that the page is busy


def build_page(
    weights: str | None = None, device: str | None = None
) -> tuple[gr.Blocks, RequestQueue, dict[str, Background[Any]]]:
    """The page, the line of those who wait for it, and the models of its tabs by name.

    weights, device: as `FacialKeypoints.load` and `Captioner.load` take them, for both.
    """
    with LoggedBlocks(
        title=TITLE, analytics_enabled=False, delete_cache=(DELETE_EVERY, DELETE_AGE)
    ) as page:
        gr.HTML(
            f'<header class="masthead">{(ASSETS / "logo.svg").read_text()}<div>'
            f"<h1>{TITLE}</h1><p>{TAGLINE}</p></div></header>"
        )
        with gr.Tabs(elem_classes="halves"):
            with gr.Tab("Facial keypoints", id="keypoints"):
                faces = web.keypoints.tab.build_tabs(page, weights, device)
            with gr.Tab("Photo captions", id="captions"):
                captions = web.captions.tab.build_tab(page, weights, device)
        _connect(faces, captions)
        build_api_section()
        gr.HTML(
            '<p class="privacy">What you show goes to the machine that runs this page and no '
            f"further. Files are deleted there after {DELETE_AGE // 60} minutes, what was found in "
            "them when you close the page; the camera's pictures are never stored.</p>"
        )
        _forget_when_closed(page)
    models = {"keypoints": faces.model, "captions": captions.model}
    return page, use_request_queue(page, QUEUE_SIZE), models


def _connect(faces: PhotoTab, captions: PhotoTab) -> None:
    """One photo, both tabs: each hands its photo to the other, and both tell what came of it."""

    def from_faces(found: "PhotoAnswer | None") -> Upload:
        return photo_to_carry(found.path, found.name) if found else photo_to_carry(None)

    def from_captions(said: "Answer | None") -> Upload:
        return photo_to_carry(said.photo.path, said.photo.name) if said else photo_to_carry(None)

    def tell(found: "PhotoAnswer | None", said: "Answer | None") -> list[str]:
        if found is None or said is None or not same_photo(found.path, said.photo.path):
            return ["", ""]
        return [alt_text_line(alt_text(said.captions[0].sentence, len(found.faces)))] * 2

    for tab, carried, other, shown in (
        (faces, from_faces, captions, "['captions']"),
        (captions, from_captions, faces, "['keypoints', 'photo']"),
    ):
        # The tab opens first: a photo put into one that was never seen is answered twice.
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
    """Drops what the server keeps for a page as soon as it is closed."""

    def forget(request: gr.Request) -> None:
        forget_session(page, request.session_hash)

    page.unload(forget)
