"""What of Gradio's web server the page has no use for, closed to everybody."""

import re

from web.server.asgi import Application, Receive, Scope, Send, refuse

#: Begins of paths, behind Gradio's prefix or without it, and what they would do.
_CLOSED = (
    "deep_link",  # writes a visitor's page to the disk, to be opened by others
    "runs",  # records what visitors did, in their browsers or on Hugging Face
    "run-history",
    "monitoring",  # shows who asked for what and when
    "process_recording",  # takes a recording of the screen
    "proxy=",  # fetches from addresses that a visitor gives
    "dev/",
    "vibe-",  # changes the page's code
    "undo-vibe-edit",
    "profiling",
)
_ADDRESS = r"[a-z][a-z0-9+.-]+:"  # http://, ftp:// …; a Windows drive has one letter
_PATTERN = re.compile(
    rf"/+(?:gradio_api/+)?(?:{'|'.join(_CLOSED)}|file=\s*{_ADDRESS})", re.IGNORECASE
)


class ClosedPaths:
    """ASGI middleware: such requests get status 404."""

    def __init__(self, app: Application):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_closed(scope["path"], scope.get("root_path", "")):
            await refuse(send, 404, "There is nothing here.")
        else:
            await self.app(scope, receive, send)


def is_closed(path: str, prefix: str = "") -> bool:
    """Whether a path, decoded, is one of these; `prefix` is what a proxy puts before it."""
    return _PATTERN.match(path.removeprefix(prefix.rstrip("/"))) is not None
