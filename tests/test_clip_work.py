"""Work on a clip in a thread of its own, and what the page says of it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facial_keypoints.face import Face
from facial_keypoints.video import job as module
from facial_keypoints.video.annotate import Clip, Progress, VideoCancelled, VideoError
from facial_keypoints.video.job import ClipWork
from facial_keypoints.video.recording import Recording
from facial_keypoints.video.track import TrackedFace
from web.keypoints.video import _worked, uploaded
from web.models import Background

CLIP = Clip(Path("clip.mp4"), 64, 48, 10.0, True)
FRAMES = 50


def annotate(clip: Clip, output: Path, pipeline: Any, **ways: Any) -> Recording:
    """Stands in for `annotate_clip`: a second of work, no faces."""
    recording = Recording()
    for index in range(FRAMES):
        if ways["cancelled"]():
            raise VideoCancelled
        recording.add(40.0 * index, list[TrackedFace]())
        ways["progress"](Progress((index + 1) / FRAMES, index + 1, 1.0))
        time.sleep(0.02)
    Path(output).write_bytes(b"video")
    return recording


def draw(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    return image


def pipeline() -> Any:
    return None


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClipWork]:
    monkeypatch.setattr(module, "annotate_clip", annotate)
    work = ClipWork(CLIP, "my holiday.mov", pipeline, draw)
    yield work
    work.close()


def test_it_ends_with_both_files_which_go_with_it(work: ClipWork) -> None:
    while not work.wait(0.05):
        assert work.progress is None or 0 < work.progress.share <= 1
    assert work.video.name == "my holiday_keypoints.mp4"
    assert work.video.read_bytes() == b"video"
    assert work.points.read_text().startswith("time_ms,track,")
    work.close()
    assert not work.folder.exists()


def test_cancelling_ends_it_soon(work: ClipWork) -> None:
    assert not work.wait(0.05)
    work.cancel()
    with pytest.raises(VideoCancelled):
        work.wait(5)
    assert not work.video.exists()


def test_what_goes_wrong_reaches_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Recording:
        raise VideoError("The clip is damaged.")

    monkeypatch.setattr(module, "annotate_clip", broken)
    work = ClipWork(CLIP, "clip.mp4", pipeline, draw)
    with pytest.raises(VideoError, match="damaged"):
        work.wait(5)
    work.close()


def ready() -> Any:
    return SimpleNamespace(find_faces=None)


def messages(steps: list[list[Any]]) -> list[str]:
    return [step[0] for step in steps]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> dict[str, ClipWork]:
    """The page's list of work, with a stand-in for the work itself."""
    monkeypatch.setattr(module, "annotate_clip", annotate)
    monkeypatch.setattr("web.keypoints.video.inspect_clip", lambda path: CLIP)
    monkeypatch.setattr("web.keypoints.video._LOOK_EVERY", 0.05)
    return {}


def test_the_page_shows_progress_then_the_result(
    watched: dict[str, ClipWork], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facial_keypoints.video.recording.MAX_FACES", FRAMES // 2)
    steps = list(_worked("clip.mp4", draw, Background(ready), watched, "me"))
    said = messages(steps)
    assert "Getting ready" in said[0]
    assert any("pictures, 0:01 left" in message for message in said)
    assert "No face was found" in said[-1]
    assert f"{FRAMES} pictures" in said[-1] and "points end at 0:01" in said[-1]
    assert watched == {}


def test_the_page_can_cancel(watched: dict[str, ClipWork]) -> None:
    steps = _worked("clip.mp4", draw, Background(ready), watched, "me")
    next(steps), next(steps)
    folder = watched["me"].folder
    watched["me"].cancel()
    assert "Cancelled" in messages(list(steps))[-1]
    assert not folder.exists()


def test_of_a_clip_that_another_replaced_nothing_is_said(watched: dict[str, ClipWork]) -> None:
    steps = _worked("clip.mp4", draw, Background(ready), watched, "me")
    next(steps), next(steps)
    watched.pop("me").close()
    watched["me"] = other = object()  # type: ignore[assignment]
    assert list(steps) == []
    assert watched == {"me": other}


def test_a_clip_that_was_replaced_before_its_turn_came_is_left_alone(
    watched: dict[str, ClipWork],
) -> None:
    there = iter([True, False])
    steps = _worked("clip.mp4", draw, Background(ready), watched, "me", lambda: next(there))
    assert "Getting ready" in next(steps)[0]
    assert list(steps) == [] and watched == {}
    late = _worked("clip.mp4", draw, Background(ready), watched, "me", lambda: False)
    assert list(late) == []


def test_a_page_that_is_closed_ends_its_work(watched: dict[str, ClipWork]) -> None:
    steps = _worked("clip.mp4", draw, Background(ready), watched, "me")
    next(steps), next(steps)
    folder = watched["me"].folder
    steps.close()  # type: ignore[attr-defined]
    assert not folder.exists()
    assert watched == {}


def test_a_failure_of_ours_is_a_sentence(watched: dict[str, ClipWork]) -> None:
    steps = list(_worked("clip.mp4", draw, Background(lambda: None), watched, "me"))  # type: ignore[arg-type]
    assert "failed here" in messages(steps)[-1]
    assert watched == {}


def test_what_is_no_video_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    message, start, *_ = uploaded(str(path))
    assert "cannot be used" in message
    assert start["interactive"] is False
