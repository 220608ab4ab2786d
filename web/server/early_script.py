"""A script at the beginning of the page: Gradio adds those of `head` only once its own have run."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PLACE = b"<head>"


class EarlyScript:
    """ASGI middleware: writes the script into every page of HTML that comes in one piece."""

    def __init__(self, app: ASGIApp, script: str):
        self._app = app
        self._tag = f"<script>{script}</script>".encode() if script else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything else on as it is."""
        start: list[Message] = []  # of a page, until its text is known

        async def with_script(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                start.append(message)
                return
            if start:
                begun = start.pop()
                if not message.get("more_body"):
                    body = message["body"].replace(_PLACE, _PLACE + self._tag, 1)
                    message = {**message, "body": body}
                    MutableHeaders(scope=begun)["content-length"] = str(len(body))
                await send(begun)
            await send(message)

        asked = bool(self._tag) and scope["type"] == "http" and scope["method"] == "GET"
        await self._app(scope, receive, with_script if asked else send)


def _is_page(start: Message) -> bool:
    kind = MutableHeaders(scope=start).get("content-type", "")
    return bool(start["status"] == 200 and kind.startswith("text/html"))
