"""The route of engine, networks and scripts for browsers: compressed and cached for good."""

import mimetypes
import threading
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from web.device.compression import compress_all, compressed
from web.device.files import DeviceFiles

#: A file's address changes with its contents. Only the visitor's own browser keeps it: a shared
#: cache would hand it to visitors without a login.
_FOR_GOOD = "private, max-age=31536000, immutable"
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}


def device_route(files: DeviceFiles, admits: Callable[[Request], bool]) -> Route:
    """`/device/GROUP/VERSION/PATH`.

    admits: whether this request comes from somebody who may see the page.
    """

    def answer(request: Request) -> Response:
        if not admits(request):
            return JSONResponse({"detail": "Log in first."}, status_code=401)
        asked = request.path_params
        group = files.groups.get(asked["group"])
        file = group.files.get(asked["path"]) if group else None
        if group is None or file is None or asked["version"] != group.version:
            detail = "There is nothing here; reload the page."
            return JSONResponse({"detail": detail}, status_code=404)
        copy = compressed(file, request.headers.get("accept-encoding", ""))
        path, encoding = copy or (file, "")
        headers = {"cache-control": _FOR_GOOD, "vary": "Accept-Encoding"}
        if encoding:
            headers["content-encoding"] = encoding
        return FileResponse(path, headers=headers, media_type=_media_type(file.suffix))

    return Route("/device/{group}/{version}/{path:path}", answer, methods=["GET"])


def compress_in_background(files: DeviceFiles) -> None:
    """Makes the compressed copies that set-up did not, in a thread that ends with the process."""
    paths = [path for group in files.groups.values() for path in group.files.values()]
    threading.Thread(
        target=compress_all, args=(paths,), daemon=True, name="compress-device-files"
    ).start()


def _media_type(suffix: str) -> str:
    # The system's own table may know .mjs and .wasm by other names, or not at all; browsers then
    # refuse to run them.
    known = _TYPES.get(suffix) or mimetypes.types_map.get(suffix)
    return known or "application/octet-stream"
