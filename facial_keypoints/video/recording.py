"""Recorded faces of a live session or a clip, frame by frame, as CSV or JSON."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from facial_keypoints.export import FACE_COLUMNS, csv_text, face_fields, json_text
from facial_keypoints.face import Face

if TYPE_CHECKING:  # track imports torch, which takes seconds; the page is up before it
    from facial_keypoints.video.track import TrackedFace

#: One row a face and frame. time_ms: since the first frame's clock began; track: the face's id.
RECORDING_COLUMNS = ["time_ms", "track", *FACE_COLUMNS]
CLIP_COLUMNS = ["file", *RECORDING_COLUMNS, "error"]

MAX_FACES = 220_000  # of one recording, about 300 MB: ten minutes of six faces at 60 a second


@dataclass(frozen=True)
class RecordedFrame:
    """time_ms: of the frame. faces: each with its track's id, in the frame's pixels."""

    time_ms: float
    faces: tuple[tuple[int, Face], ...]


class Recording:
    """Frames in the order they were added.

    full: it holds `MAX_FACES` faces or more; what is added then is not kept.
    cut_ms: time of the first frame that was not kept; None where all were.
    """

    def __init__(self) -> None:
        self.frames: list[RecordedFrame] = []
        self.cut_ms: float | None = None
        self._faces = 0

    @property
    def full(self) -> bool:
        return self._faces >= MAX_FACES

    def add(self, time_ms: float, faces: "Sequence[TrackedFace]") -> None:
        """One frame with the faces in sight, which may be none.

        Faces whose last points are only shown for a moment more (score 0) are left out: nothing
        was measured.
        """
        if not self.full:
            seen = tuple((tracked.id, tracked.face) for tracked in faces if tracked.face.score > 0)
            self.frames.append(RecordedFrame(time_ms, seen))
            self._faces += max(len(seen), 1)
        elif self.cut_ms is None:
            self.cut_ms = time_ms

    def to_csv(self) -> str:
        """CSV with a header, `RECORDING_COLUMNS`, and one row a face and frame.

        A frame without faces has one row with the time only; a face without a pose has yaw,
        pitch and roll empty. Lines end in LF.

        Raises:
            ValueError: a face has numbers that are not finite.
        """
        return csv_text(RECORDING_COLUMNS, _rows(self))

    def to_json(self) -> str:
        """A JSON list of frames: `{"time_ms", "faces": [{"track", "box", "score", "points",
        "confidence", "pose"}]}`, a frame a line.

        Raises:
            ValueError: a face has numbers that are not finite.
        """
        return json_text(map(_frame_to_dict, self.frames))


class _File(TypedDict):
    file: str


class ClipRecord(_File, total=False):
    """The result of one clip: its size and recording, or an error."""

    width: int
    height: int
    recording: Recording
    error: str


def clips_to_csv(clips: Iterable[ClipRecord]) -> str:
    """CSV with a header, `CLIP_COLUMNS`; a clip with an error has one row. See `Recording`."""
    return csv_text(CLIP_COLUMNS, (row for clip in clips for row in _clip_rows(clip)))


def clips_to_json(clips: Iterable[ClipRecord]) -> str:
    """A JSON list: `{"file", "width", "height", "frames": […]}` with the frames as in
    `Recording.to_json`, or `{"file", "error"}`."""
    return json_text(map(_clip_to_dict, clips))


def _rows(recording: Recording) -> Iterator[dict[str, Any]]:
    for frame in recording.frames:
        time_ms = round(frame.time_ms, 3)
        for track, face in frame.faces:
            yield {"time_ms": time_ms, "track": track} | face_fields(face)
        if not frame.faces:
            yield {"time_ms": time_ms}


def _clip_rows(clip: ClipRecord) -> Iterator[dict[str, Any]]:
    if "recording" in clip:
        for row in _rows(clip["recording"]):
            yield {"file": clip["file"]} | row
    else:
        yield {"file": clip["file"], "error": clip.get("error", "")}


def _clip_to_dict(clip: ClipRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {**clip}
    if "recording" in clip:
        entry["frames"] = [_frame_to_dict(frame) for frame in entry.pop("recording").frames]
    return entry


def _frame_to_dict(frame: RecordedFrame) -> dict[str, Any]:
    faces = [{"track": track, **face.to_dict()} for track, face in frame.faces]
    return {"time_ms": round(frame.time_ms, 3), "faces": faces}
