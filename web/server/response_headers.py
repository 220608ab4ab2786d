"""Security headers of every response."""

import os

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Sites that may show the page in a frame.
_FRAMES = "https://huggingface.co https://*.huggingface.co https://*.hf.space"
#: On Hugging Face, Gradio shows the owner of the Space.
_SPACE = " https://huggingface.co https://*.huggingface.co" if os.environ.get("SPACE_ID") else ""
#: The page loads from and sends to its own server only. Gradio needs inline scripts and `eval`.
_CONTENT = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        f"img-src 'self' data: blob:{_SPACE}",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        f"connect-src 'self' data: blob:{_SPACE}",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        f"frame-ancestors 'self' {_FRAMES}",
    )
)
HEADERS = {
    "content-security-policy": _CONTENT,
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
#: Uploads may be displayed, never executed, even when they are opened by their own address.
_UPLOADS = {
    "content-security-policy": "default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
    "cache-control": "private, no-store",
}


class ResponseHeaders:
    """ASGI middleware: adds `HEADERS` to a response, except those that it has already."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        added = HEADERS | (_UPLOADS if "/file=" in scope.get("path", "") else {})

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
