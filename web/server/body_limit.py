"""Limits on the size of request bodies."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_THROWN_AWAY = 4_000_000  # bytes


class BodyLimits:
    """ASGI middleware: a body over the limit of its path gets status 413.

    A body whose length is announced is not read, or thrown away where it is short: browsers show
    the answer only after they have sent all. Other bodies are read up to the limit.

    default: bytes. by_path: end of a path, without a closing slash -> bytes.
    """

    def __init__(self, app: ASGIApp, default: int, by_path: Mapping[str, int]):
        self._by_path = {end: RequestBodyLimitMiddleware(app, n) for end, n in by_path.items()}
        self._default = RequestBodyLimitMiddleware(app, default)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").rstrip("/")
        limits = (limit for end, limit in self._by_path.items() if path.endswith(end))
        app = next(limits, self._default)
        length = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if length.isdecimal() and int(length) > app.max_body_size:
            if int(length) <= _THROWN_AWAY:
                while (await receive()).get("more_body"):
                    pass
            await _too_large(path, app.max_body_size)(scope, receive, send)
        else:
            await app(scope, receive, send)


async def explain_too_large(request: Request, _: HTTPException) -> JSONResponse:
    """Exception handler of status 413, for the bodies whose length was not announced."""
    return _too_large(request.url.path.rstrip("/"), request.scope["starlette.max_body_size"])


def _too_large(path: str, limit: int) -> JSONResponse:
    """{"detail": a sentence that names the limit}."""
    what = "An upload" if path.endswith("/upload") else "A request"
    detail = f"{what} may have {limit} bytes."
    return JSONResponse({"detail": detail}, status_code=413, headers={"connection": "close"})
