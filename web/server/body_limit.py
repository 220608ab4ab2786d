"""Limits on what one request may send, where the web framework has none."""

from web.server.asgi import Application, Message, Receive, Scope, Send, refuse


class BodyLimit:
    """ASGI middleware: requests to some paths with a longer body get status 413 and cost no more
    memory than the limit.

    path: end of the paths it is about, without a closing slash; "" for all of them.
    limit: bytes. except_for: ends of paths it is not about.
    """

    def __init__(self, app: Application, path: str, limit: int, except_for: tuple[str, ...] = ()):
        self.app, self.path, self.limit, self.except_for = app, path, limit, except_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _sends(scope) or not self._is_about(scope["path"].rstrip("/")):
            await self.app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the sender went away
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limit:
                await refuse(send, 413, f"A request here may have {self.limit} bytes.")
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, replay, send)

    def _is_about(self, path: str) -> bool:
        return path.endswith(self.path) and not path.endswith(self.except_for)


class UploadLimit:
    """ASGI middleware: uploads to a path are cut off at a length, however many files they hold.
    One that announces more gets status 413 at once. Nothing is kept in memory.

    path: end of the path, without a closing slash. limit: bytes.
    """

    def __init__(self, app: Application, path: str, limit: int):
        self.app, self.path, self.limit = app, path, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _sends(scope) or not scope["path"].rstrip("/").endswith(self.path):
            await self.app(scope, receive, send)
            return
        announced = dict(scope.get("headers", ())).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self.limit:
            await refuse(send, 413, f"An upload may have {self.limit} bytes.")
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message if came <= self.limit else {"type": "http.disconnect"}

        await self.app(scope, counted, send)


def _sends(scope: Scope) -> bool:
    """Whether it is a request of a kind that has a body."""
    return scope["type"] == "http" and scope.get("method") not in ("GET", "HEAD", "OPTIONS")
