"""Everything between the network and the page, in the order a request passes it."""

from starlette.middleware import Middleware

from web.server.body_limit import BodyLimit, UploadLimit
from web.server.closed_paths import ClosedPaths
from web.server.errors import LastResort
from web.server.response_headers import ResponseHeaders

_REQUEST_BYTES = 4_000_000  # the page's own requests have a few kilobytes
_UPLOAD = "/upload"


def guards(upload_bytes: int) -> list[Middleware]:
    """For Gradio's web server.

    Args:
        upload_bytes: what the largest file accepted has.
    """
    return [
        Middleware(ResponseHeaders),
        Middleware(LastResort),
        Middleware(ClosedPaths),
        Middleware(BodyLimit, path="", limit=_REQUEST_BYTES, except_for=(_UPLOAD,)),
        Middleware(UploadLimit, path=_UPLOAD, limit=upload_bytes + _REQUEST_BYTES),
    ]
