"""The page: its head, a tab for each half, and what goes from one to the other."""

from collections.abc import Callable
from typing import Any

import gradio as gr

import captioning.tab
import facial_keypoints.tabs
from common.background import Background
from common.guarded_page import GuardedBlocks
from common.ui import ASSETS

TITLE = "Facial keypoints and photo captions"
TAGLINE = "A photo goes in; 68 points on every face, or a sentence about it, come out."

#: Name -> what lays the tab out and returns its model, to be loaded once the page is up.
TABS: dict[str, Callable[[gr.Blocks], Background[Any]]] = {
    "Facial keypoints": facial_keypoints.tabs.build_tabs,
    "Photo captions": captioning.tab.build_tab,
}

#: Uploaded files are deleted at this age, looked for this often; seconds.
DELETE_AGE, DELETE_EVERY = 900, 60
QUEUE_SIZE = 64  # requests waiting; more are told that the page is busy


def build_page() -> tuple[gr.Blocks, list[Background[Any]]]:
    """The page, and the models of its tabs."""
    with GuardedBlocks(
        title=TITLE, analytics_enabled=False, delete_cache=(DELETE_EVERY, DELETE_AGE)
    ) as page:
        gr.HTML(
            f'<header class="masthead">{(ASSETS / "logo.svg").read_text()}<div>'
            f"<h1>{TITLE}</h1><p>{TAGLINE}</p></div></header>"
        )
        with gr.Tabs():
            models = []
            for name, build_tab in TABS.items():
                with gr.Tab(name):
                    models.append(build_tab(page))
        gr.HTML(
            '<p class="privacy">What you show goes to the machine that runs this page and no '
            f"further. Files are deleted there after {DELETE_AGE // 60} minutes, what was found in "
            "them when you close the page; the camera's pictures are never stored.</p>"
        )
        _forget_when_closed(page)
    page.queue(max_size=QUEUE_SIZE)
    return page, models


def _forget_when_closed(page: gr.Blocks) -> None:
    """Drops what the server keeps for a page as soon as it is closed; Gradio would in an hour."""

    def forget(request: gr.Request) -> None:
        page.state_holder.session_data.pop(request.session_hash or "", None)

    page.unload(forget)
