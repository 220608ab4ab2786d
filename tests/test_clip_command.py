"""`python -m facial_keypoints CLIP`: results, overlays, progress, errors."""

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from facial_keypoints import __main__ as command
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video import command as clip_command
from tests.clips import read_frames, read_sound, write_clip
from train.benchmark.moving_face import Place, render

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def pipeline() -> FacialKeypoints:
    return FacialKeypoints.load()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, run_main: Run, pipeline: FacialKeypoints) -> Run:
    monkeypatch.setattr(command.FacialKeypoints, "load", lambda *_, **__: pipeline)
    return partial(run_main, command.main)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = [render([Place(300 + 4 * index, 240)]) for index in range(6)]
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames)


def test_csv_and_overlay(run: Run, clip: Path, tmp_path: Path) -> None:
    code, out, err = run(clip, "--overlay", tmp_path / "out", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and "clip.mp4" in err and "left" in err and "100%" in err
    assert [(row["time_ms"], row["track"]) for row in rows] == [
        (f"{40.0 * index}", "1") for index in range(6)
    ]
    assert len(read_frames(tmp_path / "out" / "clip.mp4")[0]) == 6
    assert len(read_sound(tmp_path / "out" / "clip.mp4")[0])


def test_points_that_end_before_the_clip_does(
    run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facial_keypoints.video.recording.MAX_FACES", 2)
    code, out, err = run(clip)
    assert code == 0 and len(json.loads(out)[0]["frames"]) == 2
    assert "6 frames" in err and "the points end at 0.1 s" in err


def test_json_to_a_file_and_an_unreadable_clip(run: Run, clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("hello")
    code, out, err = run(bad, clip, tmp_path / "none.webm", "--output", tmp_path / "out.json")
    assert code == 1 and out == "" and f"{bad}: This is no video" in err
    first, second, third = json.loads((tmp_path / "out.json").read_text())
    assert first["file"] == str(bad) and "no video" in first["error"]
    assert second.keys() == {"file", "width", "height", "frames"}
    assert [len(frame["faces"]) for frame in second["frames"]] == [1] * 6
    assert "cannot be opened" in third["error"]


def test_wrong_usage(run: Run, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    before = clip.read_bytes()
    for arguments, said in (
        ([clip, tmp_path / "a.png"], "separate runs"),
        ([clip, "--format", "pts"], "json or csv"),
        ([clip, "--overlay", clip.parent], "would overwrite"),
        ([clip, "--output", clip], "would overwrite"),
    ):
        code, out, err = run(*arguments)
        assert code == 2 and out == "" and said in err
    assert clip.read_bytes() == before


def test_a_failure_is_the_clips_error(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(clip_command, "annotate_clip", fail)
    code, out, err = run(clip, "--overlay", tmp_path)
    assert code == 1 and "No space left" in json.loads(out)[0]["error"] and "No space left" in err


def test_an_interruption_keeps_what_is_finished(
    run: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    bad = tmp_path / "bad.mp4"
    bad.write_text("hello")
    monkeypatch.setattr(clip_command, "annotate_clip", stop)
    code, out, err = run(bad, clip)
    assert code == 130 and len(json.loads(out)) == 1 and "1 of 2 clips" in err
