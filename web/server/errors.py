"""What happens to a request that nobody expected."""

import logging
import traceback

from starlette.requests import ClientDisconnect

from web.server.asgi import Application, Message, Receive, Scope, Send, refuse

_log = logging.getLogger(__name__)


class LastResort:
    """ASGI middleware: what the application raises becomes status 500 with a sentence, and one
    line in the log, for whoever finds such a request may send it ten thousand times."""

    def __init__(self, app: Application):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answering = False

        async def watched(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:  # the sender went away
            return
        except Exception as error:
            _log.error("a request failed: %s", described(error))
            if not answering:
                await refuse(send, 500, "This request cannot be answered; reload the page.")


def described(error: BaseException) -> str:
    """The error's type and where it was raised, on one line and without what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
