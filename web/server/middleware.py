"""The middleware between network and page, in the order a request passes it."""

from starlette.middleware import Middleware

from facial_keypoints.video.sessions import LiveLimits
from web.server.body_limit import BodyLimits
from web.server.closed_paths import ClosedPaths
from web.server.early_script import EarlyScript
from web.server.errors import LastResort
from web.server.request_log import RequestLog
from web.server.response_headers import ResponseHeaders

_REQUEST_BYTES = 4_000_000  # the page's own requests have a few kilobytes
#: One call of a live function carries a frame in base64, and a few fields more.
_FRAME_BYTES = LiveLimits.frame_bytes * 4 // 3 + 4096


def middleware(upload_bytes: int, early: str = "") -> list[Middleware]:
    """The whole stack.

    Args:
        upload_bytes: size of the largest file accepted.
        early: JavaScript that runs before anything else of the page.
    """
    by_path = {"/upload": upload_bytes + _REQUEST_BYTES, "/component_server": _FRAME_BYTES}
    return [
        Middleware(RequestLog),
        Middleware(ResponseHeaders),
        Middleware(LastResort),
        Middleware(ClosedPaths),
        Middleware(BodyLimits, default=_REQUEST_BYTES, by_path=by_path),
        Middleware(EarlyScript, script=early),
    ]
