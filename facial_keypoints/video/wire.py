"""Messages between the live page and `LiveSessions`, as JSON."""

import base64
import binascii
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from facial_keypoints.drawing.filters import FILTERS, filter_matrix
from facial_keypoints.video.sessions import Frame, LiveAnswer, LiveError

if TYPE_CHECKING:
    from facial_keypoints.video.track import TrackedFace

#: Milliseconds over which a filter's motion is measured; about what it is carried on for.
MOTION_STEP = 50.0


def parse_frame(message: Any) -> tuple[str, Frame, list[str]]:
    """A stream's key, its frame, and the names of the filters that its faces wear.

    Args:
        message: {"session": key, "image": the JPEG in base64, "time": milliseconds on the
            sender's clock, "smoothing": 0..1, "filters": names in `FILTERS`}. It comes from
            anybody on the network, so it may be anything.

    Raises:
        LiveError: `frame`.
    """
    if not isinstance(message, dict):
        raise LiveError("frame", f"Expected a frame as an object, got {type(message).__name__}.")
    key, image = (_text(message, name) for name in ("session", "image"))
    time_ms = _number(message, "time", 0.0, 1e13)
    smoothing = _number(message, "smoothing", 0.0, 1.0)
    names = message.get("filters", [])
    if not isinstance(names, list) or not all(name in FILTERS for name in map(str, names)):
        raise LiveError("frame", f"Expected filters from {', '.join(FILTERS)}.")
    try:
        jpeg = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        raise LiveError("frame", "Expected the image in base64.") from None
    return key, Frame(jpeg, time_ms, smoothing), [name for name in FILTERS if name in names]


def answer_to_dict(answer: LiveAnswer, filters: Collection[str] = ()) -> dict[str, Any]:
    """The answer for the page. `faces` is None for a dropped frame; otherwise each is
    `TrackedFace.to_dict` with `filters`: name -> the six numbers of `filter_matrix` row by row,
    then their change in a millisecond."""
    faces = answer.faces
    return {
        "faces": None if faces is None else [_face_to_dict(face, filters) for face in faces],
        "width": answer.width,
        "height": answer.height,
        "wait": round(answer.wait_ms, 1),
        "server": round(answer.server_ms, 1),
        "dropped": answer.dropped,
    }


def error_to_dict(error: LiveError) -> dict[str, Any]:
    """The refusal for the page."""
    return {"error": {"code": error.code, "message": str(error)}}


def filter_motion(points: np.ndarray, velocity: np.ndarray, name: str) -> np.ndarray | None:
    """A filter's place on a moving face.

    Args:
        points: (68, 2) float, pixels. velocity: (68, 2) float, pixels a millisecond.
        name: key of `FILTERS`.

    Returns:
        (2, 2, 3) float64: `filter_matrix` of the points, and its change in a millisecond; None
        where the points admit none.
    """
    now = filter_matrix(points, name)
    if now is None:
        return None
    then = filter_matrix(points + velocity * MOTION_STEP, name)
    change = np.zeros((2, 3)) if then is None else (then - now) / MOTION_STEP
    return np.stack([now, change])


def _face_to_dict(tracked: "TrackedFace", filters: Collection[str]) -> dict[str, Any]:
    worn = {}
    for name in filters:
        place = filter_motion(tracked.face.points, tracked.velocity, name)
        if place is not None:
            worn[name] = [round(float(value), 5) for value in place.ravel()]
    return {**tracked.to_dict(), "filters": worn}


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise LiveError("frame", f"Expected {name!r} as text, got {type(value).__name__}.")
    return value


def _number(message: dict[str, Any], name: str, low: float, high: float) -> float:
    value = message.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)  # a nan is in no range
    raise LiveError("frame", f"Expected {name!r} as a number from {low:g} to {high:g}.")
