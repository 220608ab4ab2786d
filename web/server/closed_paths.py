"""Paths of Gradio's web server that the page does not use: nobody can reach them."""

import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

#: First parts of paths, as patterns, with or without Gradio's prefix, and what the path would do.
_CLOSED = (
    "deep_link",  # writes a visitor's page to the disk, to be opened by others
    "runs",  # records what visitors did, in their browsers or on Hugging Face
    "run-history",
    "monitoring",  # shows who asked for what and when
    "process_recording",  # takes a recording of the screen
    "proxy=",  # fetches from addresses that a visitor gives
    "startup-events",  # starts the request queue once more
    "dev/",
    "vibe-",  # changes the page's code
    "undo-vibe-edit",
    "profiling",
    "custom_component",  # prints whatever a visitor names
    "file/",  # an old name of file=
    r"pwa_icon/(?!(?:192|512)$)",  # makes an icon of any size, while nobody else is answered
)
_ADDRESS = r"[a-z][a-z0-9+.-]+:"  # http://, ftp:// …; a Windows drive has one letter
_PATTERN = re.compile(
    rf"/+(?:gradio_api/+)?(?:{'|'.join(_CLOSED)}|file=\s*{_ADDRESS})", re.IGNORECASE
)


class ClosedPaths:
    """ASGI middleware: requests to closed paths get status 404."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and is_closed(scope["path"], scope.get("root_path", "")):
            app = JSONResponse({"detail": "There is nothing here."}, status_code=404)
        await app(scope, receive, send)


def is_closed(path: str, prefix: str = "") -> bool:
    """Whether a decoded path is closed; `prefix` is what a proxy puts before it."""
    return _PATTERN.match(path.removeprefix(prefix.rstrip("/"))) is not None
