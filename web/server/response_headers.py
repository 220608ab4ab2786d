"""Headers that tell browsers what the page does not do, so that nobody makes it do so."""

import os

from web.server.asgi import Application, Message, Receive, Scope, Send

#: Sites that may show the page in a frame of theirs.
_FRAMES = "https://huggingface.co https://*.huggingface.co https://*.hf.space"
#: On Hugging Face, Gradio shows whose Space it is.
_SPACE = " https://huggingface.co https://*.huggingface.co" if os.environ.get("SPACE_ID") else ""
#: Nothing is loaded from, or sent to, anywhere else. Gradio needs inline scripts and `eval`.
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
#: What others uploaded is looked at, never run, even when it is opened by its own address.
_UPLOADS = "/file="
_UPLOAD_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"


class ResponseHeaders:
    """ASGI middleware: adds `HEADERS` to every answer that does not have them."""

    def __init__(self, app: Application):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(HEADERS)
        if _UPLOADS in scope["path"]:
            headers["content-security-policy"] = _UPLOAD_POLICY
            headers["cache-control"] = "private, no-store"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", ())}
                added = [(name.encode(), value.encode()) for name, value in headers.items()]
                message["headers"] = [
                    *message.get("headers", ()),
                    *(header for header in added if header[0] not in present),
                ]
            await send(message)

        await self.app(scope, receive, with_headers)
