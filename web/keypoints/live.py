"""The live view of the keypoint tab: the camera's video with the points drawn over it.

The browser shows the camera's video and draws on a canvas above it (assets/live/). Only small JPEGs
come here, through Gradio's server functions, and only numbers go back. Those functions bypass the
request queue; `LiveSessions` schedules the frames instead.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from facial_keypoints.drawing.faces import GROUP_COLOURS
from facial_keypoints.drawing.filters import FILTER_TITLES, FILTERS, PICTURES
from facial_keypoints.drawing.mesh import EDGES
from facial_keypoints.landmarks.markup import CLOSED_PARTS, PART_GROUPS, PARTS
from facial_keypoints.video.recording import RECORDING_COLUMNS
from facial_keypoints.video.sessions import LiveError, LiveSessions
from facial_keypoints.video.smoothing import MAX_CARRY
from facial_keypoints.video.wire import answer_to_dict, error_to_dict, parse_frame
from keypoints_captions.cores import usable_cores, use_one_core
from keypoints_captions.weights import WeightsError
from web.components import ASSETS, data_url
from web.models import Background

if TYPE_CHECKING:
    from facial_keypoints.video.sessions import FaceTracker
    from web.keypoints.model import Ready

LIVE = ASSETS / "live"
#: Frames processed at once; more would leave no core for photos and captions on a larger machine.
MAX_WORKERS = 4
#: In this order, because js_on_load is one function.
SCRIPTS = ("camera.js", "link.js", "overlay.js", "gauges.js", "record.js", "live.js")


def build_live(ready: "Background[Ready]") -> LiveSessions:
    """Lays out the live view in the Gradio context of the caller.

    Args:
        ready: the model, loaded when the first camera is started at the latest.
    """
    workers = min(usable_cores(), MAX_WORKERS)
    sessions = LiveSessions(lambda: _tracker(ready), workers=workers, prepare=use_one_core)
    filters = "".join(
        f'<label class="live-chip"><input type="checkbox" data-filter name="{name}">{title}</label>'
        for name, title in FILTER_TITLES.items()
    )
    gr.HTML(
        (LIVE / "live.html").read_text().replace("<!-- filters: a check box for each -->", filters),
        js_on_load="\n".join((LIVE / name).read_text() for name in SCRIPTS),
        server_functions=server_functions(sessions),
        apply_default_css=False,
        elem_id="live",
    )
    return sessions


def server_functions(sessions: LiveSessions) -> list[Callable[..., Any]]:
    """The functions that the page's script calls, by these names. Each takes one JSON value, which
    may be anything, and none raises."""

    def setup(_: Any) -> dict[str, Any]:
        return page_setup()

    def filter_picture(message: Any) -> str | None:
        name = message.get("name") if isinstance(message, dict) else None
        if not isinstance(name, str) or name not in FILTERS:
            return None
        return data_url((PICTURES / f"{name}.png").read_bytes(), "image/png")

    def open(_: Any) -> dict[str, Any]:
        try:
            return {"session": sessions.open()}
        except LiveError as error:
            return error_to_dict(error)
        except WeightsError as error:
            return error_to_dict(LiveError("failed", str(error)))

    async def track(message: Any) -> dict[str, Any]:
        try:
            key, frame, filters = parse_frame(message)
            answer = await asyncio.wrap_future(sessions.submit(key, frame))
        except LiveError as error:
            return error_to_dict(error)
        return answer_to_dict(answer, filters)

    def close(key: Any) -> None:
        sessions.close(str(key))

    return [setup, filter_picture, open, track, close]


def page_setup() -> dict[str, Any]:
    """Constants that the page's script needs to draw and to save."""
    parts = [
        {
            "indices": list(PARTS[part]),
            "closed": part in CLOSED_PARTS,
            "colour": "rgb({} {} {})".format(*GROUP_COLOURS[group]),
        }
        for group, names in PART_GROUPS.items()
        for part in names
    ]
    return {
        "parts": parts,
        "mesh": EDGES.tolist(),
        "carry": MAX_CARRY,
        "columns": RECORDING_COLUMNS,
    }


def _tracker(ready: "Background[Ready]") -> "FaceTracker":
    find_faces = ready.get().find_faces
    # Here, because torch takes seconds to import; no sooner, or two threads would import it.
    from facial_keypoints.video.tracker import Tracker

    return Tracker(find_faces)
