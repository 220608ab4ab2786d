"""HTML of the views that need no server, for the page and for the static site."""

from facial_keypoints.drawing.filters import FILTER_TITLES
from web.device.files import ASSETS


def live_html() -> str:
    """The live view."""
    return _with_filters("live/live.html")


def photo_html() -> str:
    """The photo that stays on the visitor's device."""
    return _with_filters("device/photo/photo.html")


def keep_html() -> str:
    """The choice to keep a photo on the device, and, once that is chosen, the photo's own view."""
    text = (ASSETS / "device/photo/keep.html").read_text(encoding="utf-8")
    return text.replace("<!-- the photo -->", photo_html())


def _with_filters(name: str) -> str:
    boxes = "".join(
        f'<label class="live-chip"><input type="checkbox" data-filter name="{name}">{title}</label>'
        for name, title in FILTER_TITLES.items()
    )
    text = (ASSETS / name).read_text(encoding="utf-8")
    return text.replace("<!-- filters: a check box for each -->", boxes)
