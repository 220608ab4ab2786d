"""A clip's job in a thread of its own, with progress and cancellation."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from pathlib import Path

from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.annotate import Clip, Draw, Progress, VideoCancelled, annotate_clip
from facial_keypoints.video.recording import Recording
from keypoints_captions.cores import use_one_core

#: How much the work gives way to whoever is waiting live; in Unix's terms of niceness.
_GIVE_WAY = 10


class ClipWork:
    """Draws the faces of a clip into `video` and writes their points to `points`.

    Both lie in a temporary folder, which `close` deletes, and are complete once `wait` said so.
    """

    def __init__(self, clip: Clip, name: str, pipeline: Callable[[], FacialKeypoints], draw: Draw):
        self.folder = Path(tempfile.mkdtemp(prefix="clip-"))
        stem = Path(name).stem[:80] or "clip"
        self.video = self.folder / f"{stem}_keypoints.mp4"
        self.points = self.folder / f"{stem}_keypoints.csv"
        self.progress: Progress | None = None
        self.faces = 0
        self.cut_ms: float | None = None  # where the points end before the clip does
        self._clip, self._pipeline, self._draw = clip, pipeline, draw
        self._cancelled = threading.Event()
        self._done: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, daemon=True, name="clip")
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Waits for the end, not longer than that; whether it is done.

        Raises:
            VideoError: the clip is damaged, or `VideoCancelled`.
            OSError: the files cannot be written.
            WeightsError: the model cannot be loaded.
        """
        try:
            self._done.result(seconds)
        except TimeoutError:
            return False
        return True

    def cancel(self) -> None:
        """Ends the work at the next frame; `wait` raises then."""
        self._cancelled.set()

    def close(self) -> None:
        """Ends the work and deletes its files."""
        self.cancel()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> None:
        try:
            _give_way()
            use_one_core()
            pipeline = self._pipeline()
            if self._cancelled.is_set():
                raise VideoCancelled
            recording = annotate_clip(
                self._clip,
                self.video,
                pipeline,
                draw=self._draw,
                progress=self._note,
                cancelled=self._cancelled.is_set,
            )
            self.faces, self.cut_ms = len(_tracks(recording)), recording.cut_ms
            self.points.write_text(recording.to_csv(), encoding="utf-8")
            self._done.set_result(None)
        except BaseException as error:  # it belongs to those who wait
            self._done.set_exception(error)

    def _note(self, progress: Progress) -> None:
        self.progress = progress


def _tracks(recording: Recording) -> set[int]:
    return {track for frame in recording.frames for track, _ in frame.faces}


def _give_way() -> None:
    """Lowers the priority of this thread, and of those it starts, where the system can (Linux)."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _GIVE_WAY)
