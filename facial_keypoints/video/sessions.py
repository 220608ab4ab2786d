"""Live sessions: one tracker each, shared worker threads, no queue of old frames.

A stream hands in frames as it pleases. Of each stream only the newest unseen frame is kept, and
the streams take turns, so that ten of them slow down together instead of the tenth standing in a
queue. Frames are held in memory only, and only until they were looked at.
"""

import io
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from PIL import Image

from keypoints_captions.photos.decoding_cost import MAX_SCANS, jpeg_structure

if TYPE_CHECKING:
    from facial_keypoints.video.track import TrackedFace

_log = logging.getLogger(__name__)

#: Why a frame got no answer. `full`: no place for another stream; `expired`: the stream was
#: closed or idle for too long; `frame`: what came is no frame; `failed`: our own fault.
ErrorCode = Literal["full", "expired", "frame", "failed"]


class LiveError(ValueError):
    """A frame or a stream is refused. The message is a sentence for the person at the camera."""

    def __init__(self, code: ErrorCode, message: str):
        super().__init__(message)
        self.code: ErrorCode = code


@dataclass(frozen=True)
class LiveLimits:
    """Limits of the live sessions of one machine."""

    sessions: int = 16  # streams at once
    idle: float = 15.0  # seconds without a frame after which a stream's place is given away
    frame_bytes: int = 400_000  # of a JPEG; 480 pixels wide in good quality has 30,000
    frame_side: int = 1280  # pixels, the longer side


class FaceTracker(Protocol):
    """The part of `Tracker` that a session uses."""

    smoothing: float

    def update(self, image: np.ndarray, time_ms: float) -> "list[TrackedFace]":
        """Faces of the next frame: (H, W, 3) uint8 RGB, taken at `time_ms`."""
        ...


@dataclass(frozen=True)
class Frame:
    """One frame of a stream as it came.

    time_ms: when it was taken, by the sender's own clock; grows from frame to frame.
    smoothing: strength for the tracker, 0..1.
    """

    jpeg: bytes
    time_ms: float
    smoothing: float = 0.5


@dataclass(frozen=True)
class LiveAnswer:
    """The answer to one frame.

    faces: in pixels of the frame; None where it was dropped, because a newer frame of the same
        stream came before its turn did.
    wait_ms, server_ms: how long it waited for its turn; how long decoding and tracking took.
    dropped: frames of this stream dropped so far.
    """

    faces: "list[TrackedFace] | None"
    width: int = 0
    height: int = 0
    wait_ms: float = 0.0
    server_ms: float = 0.0
    dropped: int = 0


@dataclass(eq=False)
class _Job:
    frame: Frame
    since: float
    answer: Future[LiveAnswer] = field(default_factory=Future)


@dataclass(eq=False)
class _Session:
    tracker: FaceTracker
    seen: float  # when it last sent something
    newest: float = float("-inf")  # time_ms of the newest frame that came
    pending: _Job | None = None
    busy: bool = False  # a worker has one of its frames
    dropped: int = 0


class LiveSessions:
    """The streams of one machine. Every method may be called by any thread.

    make_tracker: called for each new stream. workers: threads that look at frames; 0 for callers
    that do it themselves by `step`. prepare: called in each of these threads at its start.
    """

    def __init__(
        self,
        make_tracker: Callable[[], FaceTracker],
        limits: LiveLimits | None = None,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
        prepare: Callable[[], None] = lambda: None,
    ):
        self.limits = limits or LiveLimits()
        self._make_tracker, self._workers = make_tracker, workers
        self._clock, self._prepare = clock, prepare
        self._sessions: dict[str, _Session] = {}
        self._turns: deque[_Session] = deque()  # those with a pending frame, each once
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def __len__(self) -> int:
        """Streams that are open."""
        with self._changed:
            return len(self._sessions)

    def open(self) -> str:
        """A new stream's key, which nobody can guess.

        Raises:
            LiveError: `full`.
        """
        with self._changed:
            self._refuse_if_full()
        tracker = self._make_tracker()  # may load a model: not while others wait for the lock
        with self._changed:
            self._refuse_if_full()
            key = secrets.token_urlsafe(16)
            self._sessions[key] = _Session(tracker, self._clock())
            self._start_workers()
        return key

    def close(self, key: str) -> None:
        """Ends a stream; does nothing where there is none of that key."""
        with self._changed:
            self._end(key)

    def submit(self, key: str, frame: Frame) -> Future[LiveAnswer]:
        """Hands in a frame; the answer comes when its turn did.

        Raises, here or from the future:
            LiveError: `expired`, `frame` or `failed`.
        """
        if len(frame.jpeg) > self.limits.frame_bytes:
            limit = self.limits.frame_bytes // 1000
            raise LiveError(
                "frame", f"A frame may have {limit} kB, this has {len(frame.jpeg) // 1000} kB."
            )
        with self._changed:
            self._drop_idle()
            session = self._sessions.get(key)
            if session is None:
                raise LiveError("expired", "This stream was closed here; start it again.")
            session.seen = self._clock()
            job = _Job(frame, session.seen)
            dropped = self._place(session, job)
        if dropped is not None:
            _resolve(dropped, LiveAnswer(None, dropped=session.dropped))
        return job.answer

    def step(self, timeout: float = 0.0) -> bool:
        """Looks at the next frame in turn; False where none came within `timeout` seconds."""
        with self._changed:
            if not self._turns:
                self._changed.wait(timeout)
                self._drop_idle()
            if not self._turns:
                return False
            session = self._turns.popleft()
            job, session.pending = session.pending, None
            session.busy = True
        if job is not None:
            self._look(session, job)
        with self._changed:
            session.busy = False
            if session.pending is not None:  # it came meanwhile: behind all who wait already
                self._turns.append(session)
                self._changed.notify()
        return True

    def stop(self) -> None:
        """Ends all streams and the threads."""
        with self._changed:
            self._stopped = True
            for key in list(self._sessions):
                self._end(key)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _place(self, session: _Session, job: _Job) -> _Job | None:
        """Makes the job its stream's pending one; returns the one that is dropped for it."""
        if job.frame.time_ms <= session.newest:  # overtaken on its way here
            session.dropped += 1
            return job
        session.newest = job.frame.time_ms
        replaced, session.pending = session.pending, job
        if replaced is not None:
            session.dropped += 1
        elif not session.busy:
            self._turns.append(session)
            self._changed.notify()
        return replaced

    def _look(self, session: _Session, job: _Job) -> None:
        start = self._clock()
        try:
            image = decode_frame(job.frame.jpeg, self.limits.frame_side)
            session.tracker.smoothing = job.frame.smoothing
            faces = session.tracker.update(image, job.frame.time_ms)
        except LiveError as error:
            _resolve(job, error)
        except Exception:
            _log.exception("a live frame could not be looked at")
            _resolve(job, LiveError("failed", "Something failed here; the camera may stay on."))
        else:
            end = self._clock()
            wait, spent = 1000 * (start - job.since), 1000 * (end - start)
            height, width = image.shape[:2]
            _resolve(job, LiveAnswer(faces, width, height, wait, spent, session.dropped))

    def _refuse_if_full(self) -> None:
        self._drop_idle()
        if self._stopped or len(self._sessions) >= self.limits.sessions:
            raise LiveError(
                "full",
                f"All {self.limits.sessions} places for cameras are taken at the moment; try "
                "again in a minute.",
            )

    def _drop_idle(self) -> None:
        oldest = self._clock() - self.limits.idle
        for key in [key for key, session in self._sessions.items() if session.seen < oldest]:
            self._end(key)

    def _end(self, key: str) -> None:
        session = self._sessions.pop(key, None)
        if session is None or session.pending is None:
            return
        job, session.pending = session.pending, None
        if session in self._turns:
            self._turns.remove(session)
        _resolve(job, LiveError("expired", "This stream was closed here; start it again."))

    def _start_workers(self) -> None:
        for number in range(len(self._threads), self._workers):
            thread = threading.Thread(target=self._work, daemon=True, name=f"live-{number}")
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        self._prepare()
        while not self._stopped:
            self.step(timeout=self.limits.idle)


def decode_frame(jpeg: bytes, longest_side: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a JPEG; its size is looked at before it is unpacked.

    Raises:
        LiveError: `frame`; it is no JPEG, damaged, or larger than `longest_side` pixels.
    """
    scans = jpeg_structure(jpeg).scans
    if scans > MAX_SCANS:  # each takes as long as the first, and costs its sender a few bytes
        raise LiveError("frame", f"A frame may have {MAX_SCANS} scans, this has more.")
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
            if max(image.size) > longest_side:
                width, height = image.size
                raise LiveError(
                    "frame",
                    f"A frame may have {longest_side} pixels a side, this has {width} × {height}.",
                )
            return np.asarray(image.convert("RGB"))
    except LiveError:
        raise
    except Exception:  # Pillow raises OSError, SyntaxError, struct.error and more for bad files
        raise LiveError("frame", "Expected a frame as a JPEG; this is none, or damaged.") from None


def _resolve(job: _Job, result: LiveAnswer | LiveError) -> None:
    """Answers, unless the asker went away."""
    if not job.answer.set_running_or_notify_cancel():
        return
    if isinstance(result, LiveError):
        job.answer.set_exception(result)
    else:
        job.answer.set_result(result)
