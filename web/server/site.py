"""The web application: the page, the health endpoints, and the middleware around the page."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.routing import Route

from web.components import ASSETS, EXAMPLES
from web.gradio_internals import set_launched
from web.server.body_limit import explain_too_large
from web.server.middleware import middleware
from web.theme import build_theme

STYLES = ("page.css", "live/live.css", "device/photo/photo.css", "api/api.css")
SCRIPTS = ("answer_stream.js", "page.js", "wait_message.js")
SESSIONS = 100  # open pages whose photos are kept


def build_site(
    page: gr.Blocks,
    routes: Sequence[Route],
    max_upload: int,
    own: Sequence[Route] = (),
    early: str = "",
    **options: Any,
) -> FastAPI:
    """The page at `/`, with the routes beside it.

    Args:
        routes: reached without login or middleware.
        own: of the page itself, behind its middleware.
        max_upload: bytes of the largest file accepted.
        early: JavaScript that runs before anything else of the page.
        options: more of `gr.mount_gradio_app`.
    """
    set_launched(page, SESSIONS)
    scripts = [(ASSETS / name).read_text() for name in SCRIPTS]
    site = FastAPI(routes=list(routes), openapi_url=None)
    return gr.mount_gradio_app(
        site,
        page,
        path="/",
        **options,
        max_file_size=max_upload,
        allowed_paths=[str(EXAMPLES)],
        show_error=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=["api", "gradio", "settings"],
        theme=build_theme(),
        favicon_path=str(ASSETS / "favicon.png"),
        css_paths=[ASSETS / name for name in STYLES],
        head="".join(f"<script>{script}</script>" for script in scripts),
        app_kwargs={
            "routes": list(own),
            "middleware": middleware(max_upload, early),
            "exception_handlers": {413: explain_too_large},
        },
    )
