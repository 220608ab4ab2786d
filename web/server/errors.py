"""Unexpected errors of the web server: one line in the log, one sentence for the visitor."""

import asyncio
import logging

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.log import described

_log = logging.getLogger(__name__)
_SENTENCE = "This request cannot be answered; reload the page."


class LastResort:
    """ASGI middleware: an exception of the application becomes status 500 with a sentence.

    The log gets one line and no traceback: a visitor may repeat such a request ten thousand times.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = False

        async def watched(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (ClientDisconnect, asyncio.CancelledError):  # the visitor left, or the server stops
            return
        except Exception as error:
            _log.error("a request failed: %s", described(error))
            if not answering:
                await JSONResponse({"detail": _SENTENCE}, status_code=500)(scope, receive, send)
