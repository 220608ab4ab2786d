"""Annotated clips: a clip in; the clip with its faces drawn, and their points, out."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from os import PathLike

import numpy as np

from facial_keypoints.drawing.faces import draw_faces
from facial_keypoints.face import Face
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.codec import (
    LIMITS,
    VIDEO_SUFFIXES,
    Clip,
    VideoCancelled,
    VideoError,
    edit_clip,
    inspect_clip,
)
from facial_keypoints.video.recording import Recording
from facial_keypoints.video.tracker import Tracker
from keypoints_captions.files import replacing

__all__ = [
    "LIMITS",
    "VIDEO_SUFFIXES",
    "Clip",
    "Progress",
    "VideoCancelled",
    "VideoError",
    "annotate_clip",
    "inspect_clip",
]

#: Draws faces onto a frame: (H, W, 3) uint8 RGB and the faces in its pixels -> the same shape.
Draw = Callable[[np.ndarray, Sequence[Face]], np.ndarray]


@dataclass(frozen=True)
class Progress:
    """Progress of the work on a clip.

    share: 0..1 of its length. frames: done so far. seconds_left: at the pace so far.
    """

    share: float
    frames: int
    seconds_left: float


def annotate_clip(
    clip: Clip,
    output: str | PathLike[str] | None,
    pipeline: FacialKeypoints,
    *,
    draw: Draw = draw_faces,
    smoothing: float = 0.5,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Recording:
    """Follows the faces through a clip and draws them.

    Args:
        clip: from `inspect_clip`, which checked it against the limits.
        output: of the MP4 (H.264, `yuv420p`, the clip's sound), which appears when it is whole;
            None only follows the faces.
        draw: what to draw on each frame.
        smoothing: 0..1, as for `Tracker`.
        progress: called after each frame.
        cancelled: asked before each frame.

    Returns:
        Every face of every frame, in pixels of the upright clip, as far as a `Recording` goes.

    Raises:
        VideoCancelled: `cancelled` said so. The output is as it was before.
        VideoError: the clip is damaged.
        OSError: the output cannot be written.
    """
    tracker, recording = Tracker(pipeline, smoothing=smoothing, live=False), Recording()
    started, frames = time.monotonic(), 0

    def edit(image: np.ndarray, time_ms: float) -> np.ndarray:
        nonlocal frames
        if cancelled():
            raise VideoCancelled
        faces = tracker.update(image, time_ms)
        recording.add(time_ms, faces)
        if output is not None:
            image = draw(image, [tracked.face for tracked in faces])
        frames += 1
        if progress is not None:
            progress(_progress(time_ms / 1000, clip.seconds, frames, time.monotonic() - started))
        return image

    with nullcontext(None) if output is None else replacing(output) as partial:
        edit_clip(clip, partial, edit)
    return recording


def _progress(done: float, length: float, frames: int, spent: float) -> Progress:
    share = min(max(done / max(length, 1e-3), 1e-3), 1.0)
    return Progress(share, frames, spent / share - spent)
