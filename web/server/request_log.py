"""What is logged: the events of the page and its API, uploads, and requests that are refused."""

import re
import time
from collections import OrderedDict
from typing import Any

from gradio.blocks import BlockFunction
from gradio.exceptions import Error

from web.server.asgi import Application, Message, Receive, Scope, Send
from web.server.guarded_page import GuardedBlocks, RequestFailed
from web.server.logging import log_request

#: The names of Gradio's paths; what follows them is the visitor's.
_ENDPOINT = re.compile(
    r"(?:/gradio_api)?/(queue/join|queue/data|call|run|api|upload|upload_progress|file|stream"
    r"|component_server|config|info|login|logout|heartbeat|cancel|reset|assets|static|theme)\b"
)

_MAX_GOING_ON = 200


class LoggedBlocks(GuardedBlocks):
    """A page that logs each of its events."""

    #: Key of an event that answers several times -> when it began. Those whose visitors leave
    #: before the end stay, so that it keeps no more than it may need.
    _going_on: OrderedDict[str, float]

    def __init__(self, **settings: Any):
        self._going_on = OrderedDict()
        super().__init__(**settings)

    async def process_api(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """As Gradio's. An event that answers several times is logged with its last answer."""
        event: BlockFunction | int = settings.get("block_fn", arguments[0] if arguments else -1)
        function = self.fns[event] if isinstance(event, int) else event
        public = function.api_visibility == "public"
        name = f"/{function.api_name}" if public else str(function.name)
        key = settings.get("event_id") or ""
        started = self._going_on.pop(key, time.perf_counter())
        outcome = "failed"
        try:
            answer = await super().process_api(*arguments, **settings)
            outcome = "going on" if answer.get("is_generating") else "answered"
            return answer
        except RequestFailed:
            raise
        except Error:
            outcome = "refused"
            raise
        finally:
            if outcome != "going on":
                log_request(name, time.perf_counter() - started, outcome)
            elif key:
                self._going_on[key] = started
                while len(self._going_on) > _MAX_GOING_ON:
                    self._going_on.popitem(last=False)


class RequestLog:
    """ASGI middleware: logs uploads, and every request that is answered with an error."""

    def __init__(self, app: Application):
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
    """What a path asks for, without what is the visitor's own: "upload", "page", "other" …"""
    if path in ("", "/"):
        return "page"
    found = _ENDPOINT.match(path)
    return found[1] if found else "other"
