"""Middleware that logs uploads and refused requests; `PageBlocks` logs the events."""

import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.log import log_request

#: Gradio's paths; what follows them may be a visitor's data.
_ENDPOINT = re.compile(
    r"(?:/gradio_api)?/(queue/join|queue/data|call|run|api|upload|upload_progress|file|stream"
    r"|component_server|device|config|info|login|logout|heartbeat|cancel|reset|assets|static|theme)\b"
)


class RequestLog:
    """ASGI middleware: logs uploads, and every request that is answered with an error."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        size, status = 0, 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, counted, watched)
        name = endpoint(scope["path"].removeprefix(scope.get("root_path", "")))
        uploaded = name == "upload" and scope["method"] == "POST"
        if uploaded or status >= 400:
            outcome = "answered" if status < 400 else "refused" if status < 500 else "failed"
            seconds = time.perf_counter() - started
            log_request(name, seconds, outcome, size if uploaded else None, status=status)


def endpoint(path: str) -> str:
    """Name of a path without a visitor's data: "upload", "page", "other" …"""
    if path in ("", "/"):
        return "page"
    found = _ENDPOINT.match(path)
    return found[1] if found else "other"
