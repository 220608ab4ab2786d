"""The live view of the keypoint tab: the camera's video with the points drawn over it.

The browser shows the camera's video and draws on a canvas above it (assets/live/). Where faces are
found on the visitor's own device, nothing else happens here. On the server only small JPEGs come
in, through Gradio's server functions, and only numbers go back. Those functions bypass the request
queue; `LiveSessions` schedules the frames instead.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from facial_keypoints.video.sessions import LiveError, LiveSessions
from facial_keypoints.video.wire import answer_to_dict, error_to_dict, parse_frame
from keypoints_captions.cores import usable_cores, use_one_core
from keypoints_captions.weights import WeightsError
from web.device.files import DeviceFiles
from web.device.markup import live_html
from web.device.script import start_script
from web.models import Background

if TYPE_CHECKING:
    from facial_keypoints.video.sessions import FaceTracker
    from web.keypoints.model import Ready

#: Frames processed at once; more would leave no core for photos and captions on a larger machine.
MAX_WORKERS = 4


def build_live(ready: "Background[Ready]", files: DeviceFiles) -> LiveSessions:
    """Lays out the live view in the Gradio context of the caller.

    Args:
        ready: the model, loaded when the first camera is started at the latest.
        files: what is found on the visitor's own device with.
    """
    workers = min(usable_cores(), MAX_WORKERS)
    sessions = LiveSessions(lambda: _tracker(ready), workers=workers, prepare=use_one_core)
    gr.HTML(
        live_html(),
        js_on_load=start_script(files, "LiveView"),
        server_functions=server_functions(sessions),
        apply_default_css=False,
        elem_id="live",
    )
    return sessions


def server_functions(sessions: LiveSessions) -> list[Callable[..., Any]]:
    """The functions that the page's script calls, by these names. Each takes one JSON value, which
    may be anything, and none raises."""

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

    return [open, track, close]


def _tracker(ready: "Background[Ready]") -> "FaceTracker":
    find_faces = ready.get().find_faces
    # Here, because torch takes seconds to import; no sooner, or two threads would import it.
    from facial_keypoints.video.tracker import Tracker

    return Tracker(find_faces)
