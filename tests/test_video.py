"""Clips in and out: pictures, times, sound, turned phones, damage, cancelling."""

import os
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from facial_keypoints.face import Face
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video import codec as video_files
from facial_keypoints.video.annotate import (
    Progress,
    VideoCancelled,
    VideoError,
    annotate_clip,
    inspect_clip,
)
from tests.clips import SIZE, edited, numbered, pitch, read_frames, read_sound, turn, write_clip
from train.benchmark.moving_face import Place, moved, render


def test_a_clip_comes_back_with_its_pictures_times_and_sound(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", numbered(50))
    clip = inspect_clip(source)
    assert (clip.width, clip.height, clip.sound) == (*SIZE, True)
    assert clip.seconds == pytest.approx(2.0, abs=0.1)
    given, times = edited(clip, tmp_path / "out.mp4")
    images, written = read_frames(tmp_path / "out.mp4")
    assert len(given) == len(images) == 50
    np.testing.assert_allclose(times, np.arange(50) * 40.0, atol=0.1)
    np.testing.assert_allclose(written, times, atol=0.1)
    for before, image in zip(numbered(50), images, strict=True):
        assert np.abs(image.astype(int)[8:24, 8:40] - (200, 30, 30)).mean() < 8
        assert abs(image[40:, 60:].mean() - before[40:, 60:].mean()) < 4
    sound, rate = read_sound(tmp_path / "out.mp4")
    assert len(sound) / rate == pytest.approx(2.0, abs=0.1)
    assert pitch(sound, rate) == pytest.approx(440, abs=3)


def test_the_result_plays_in_browsers(tmp_path: Path) -> None:
    clip = inspect_clip(write_clip(tmp_path / "in.mp4", numbered(5)))
    edited(clip, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it plays while it loads
    with av.open(str(tmp_path / "out.mp4")) as file:
        (video,), (audio,) = file.streams.video, file.streams.audio
        assert (video.codec.name, video.pix_fmt, audio.codec.name) == ("h264", "yuv420p", "aac")


@pytest.mark.parametrize(
    "name, codec, sound",
    [
        ("in.webm", "libvpx", "libopus"),
        ("in.mkv", "mpeg4", "pcm_s16le"),
        ("in.avi", "mpeg4", "mp2"),
        ("in.mov", "libx264", None),
        ("in.ts", "mpeg2video", "mp2"),
    ],
)
def test_other_formats(tmp_path: Path, name: str, codec: str, sound: str | None) -> None:
    source = write_clip(tmp_path / name, numbered(25), codec=codec, sound=sound)
    clip = inspect_clip(source)
    assert clip.seconds == pytest.approx(1.0, abs=0.15)
    given, _ = edited(clip, tmp_path / "out.mp4")
    images, times = read_frames(tmp_path / "out.mp4")
    assert len(images) == len(given) == 25
    np.testing.assert_allclose(np.diff(times), 40, atol=1)
    heard, rate = read_sound(tmp_path / "out.mp4")
    if sound is None:
        assert not len(heard)
    else:
        assert len(heard) / rate == pytest.approx(1.0, abs=0.15)
        assert pitch(heard, rate) == pytest.approx(440, abs=5)


def test_colours_of_hd_stay_where_the_file_does_not_name_them(tmp_path: Path) -> None:
    frame = numbered(1, (1280, 720))[0]
    clip = inspect_clip(write_clip(tmp_path / "in.mp4", [frame], sound=None))
    (given,), _ = edited(clip, None)
    assert np.abs(given[100, 100].astype(int) - frame[100, 100]).max() < 5


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    wanted = [0.0, 20.0, 40.0, 140.0, 300.0, 333.0, 366.0, 800.0]
    source = write_clip(tmp_path / "in.mkv", numbered(8), wanted, sound=None)
    _, times = edited(inspect_clip(source), tmp_path / "out.mp4")
    np.testing.assert_allclose(times, wanted, atol=1)
    np.testing.assert_allclose(read_frames(tmp_path / "out.mp4")[1], wanted, atol=1)


def test_a_browsers_recording_does_not_say_how_long_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = {"live": "1"}
    source = write_clip(
        tmp_path / "in.webm", numbered(50), codec="libvpx", sound="libopus", options=live
    )
    with av.open(str(source)) as file:
        assert file.duration is None
    clip = inspect_clip(source)
    assert clip.seconds == pytest.approx(2.0, abs=0.1)
    assert len(edited(clip, None)[0]) == 50
    monkeypatch.setattr(video_files, "MAX_SECONDS", 0.5)
    with pytest.raises(VideoError, match="longer than it says"):
        edited(clip, tmp_path / "out.mp4")


def test_a_file_joined_from_two_whose_times_and_sound_start_anew(tmp_path: Path) -> None:
    parts = [
        write_clip(
            tmp_path / "in.ts", numbered(25), codec="mpeg2video", sound="mp2", rate=rate
        ).read_bytes()
        for rate in (48_000, 44_100)
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(parts))
    _, times = edited(inspect_clip(tmp_path / "in.ts"), tmp_path / "out.mp4")
    assert len(times) == len(read_frames(tmp_path / "out.mp4")[0]) == 50
    assert times[-1] == pytest.approx(2000, abs=100) and np.diff(times).max() < 150
    sound, rate = read_sound(tmp_path / "out.mp4")
    assert len(sound) / rate == pytest.approx(2.0, abs=0.15)
    assert pitch(sound[-rate // 2 :], rate) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_phone(tmp_path: Path, degrees: int) -> None:
    source = turn(write_clip(tmp_path / "in.mp4", numbered(3)), degrees)
    clip = inspect_clip(source)
    assert (clip.width, clip.height) == (SIZE if degrees == 180 else SIZE[::-1])
    given, _ = edited(clip, tmp_path / "out.mp4")
    expected = np.rot90(numbered(1)[0], -degrees // 90)
    for image in (given[0], read_frames(tmp_path / "out.mp4")[0][0]):
        assert np.abs(image.astype(int) - expected).mean() < 8


def test_odd_sizes_gain_a_row_and_a_column(tmp_path: Path) -> None:
    frames = numbered(3, (61, 47))
    source = write_clip(tmp_path / "in.mkv", frames, codec="ffv1", sound=None)
    clip = inspect_clip(source)
    assert (clip.width, clip.height) == (61, 47)
    edited(clip, tmp_path / "out.mp4")
    image = read_frames(tmp_path / "out.mp4")[0][0]
    assert image.shape == (48, 62, 3)
    assert np.abs(image[:47, :61].astype(int) - frames[0]).mean() < 8


def test_what_is_no_video_is_refused_in_a_sentence(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "sound.mp4", [], sound="aac")
    (tmp_path / "text.mp4").write_text("hello " * 1000)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    whole = write_clip(tmp_path / "whole.mp4", numbered(25))
    (tmp_path / "half.mp4").write_bytes(whole.read_bytes()[:2000])
    cv2.imwrite(str(tmp_path / "photo.png"), numbered(1)[0])
    said = {
        sound: "sound but no pictures",
        tmp_path / "text.mp4": "no video",
        tmp_path / "empty.mp4": "empty",
        tmp_path / "list.mp4": "no video",
        tmp_path / "half.mp4": "incomplete",
        tmp_path / "photo.png": "no video",
        tmp_path / "missing.mp4": "cannot be opened",
        tmp_path: "cannot be opened",
    }
    for path, words in said.items():
        with pytest.raises(VideoError, match=words):
            inspect_clip(path)


def test_limits_are_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_clip(tmp_path / "in.mp4", numbered(50))
    for name, value, words in (
        ("MAX_SECONDS", 1, "0:02 long"),
        ("MAX_PIXELS", 1000, "96 × 64 pixels"),
        ("MAX_BYTES", 1000, "MB; up to 10 minutes"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(video_files, name, value)
            with pytest.raises(VideoError, match=words):
                inspect_clip(source)
    wide = write_clip(tmp_path / "wide.mp4", numbered(1), aspect=50)
    monkeypatch.setattr(video_files, "MAX_PIXELS", 100_000)
    with pytest.raises(VideoError, match="4800 × 64 pixels"):
        inspect_clip(wide)


def test_a_damaged_middle_costs_only_itself(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.ts", numbered(50), codec="mpeg2video", sound="mp2")
    data = bytearray(source.read_bytes())
    third = len(data) // 3
    data[third : third + 1500] = os.urandom(1500)
    source.write_bytes(data)
    given, times = edited(inspect_clip(source), tmp_path / "out.mp4")
    assert len(given) > 20 and (np.diff(times) > 0).all()


@pytest.fixture(scope="module")
def pipeline() -> FacialKeypoints:
    return FacialKeypoints.load()


@pytest.fixture(scope="module")
def path_of_places() -> list[Place]:
    return [Place(260 + 3 * index, 240, 110) for index in range(20)]


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory, path_of_places: list[Place]) -> Path:
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    return write_clip(path, [render([place]) for place in path_of_places])


def test_faces_are_followed_drawn_and_recorded(
    pipeline: FacialKeypoints, face_clip: Path, path_of_places: list[Place], tmp_path: Path
) -> None:
    seen: list[Progress] = []
    recording = annotate_clip(
        inspect_clip(face_clip), tmp_path / "out.mp4", pipeline, progress=seen.append
    )
    assert [len(frame.faces) for frame in recording.frames] == [1] * 20
    assert {id for frame in recording.frames for id, _ in frame.faces} == {1}
    first, last = (recording.frames[index].faces[0][1] for index in (0, -1))
    expected = moved(first.points, path_of_places[0], path_of_places[-1])
    iod = np.linalg.norm(first.points[45] - first.points[36])
    assert np.linalg.norm(last.points - expected, axis=1).mean() < 0.05 * iod
    before, after = read_frames(face_clip)[0][-1], read_frames(tmp_path / "out.mp4")[0][-1]
    changed = np.abs(before.astype(int) - after).max(axis=2) > 60
    x, y = np.rint(last.points[30]).astype(int)
    assert changed[y - 3 : y + 4, x - 3 : x + 4].any() and changed.mean() < 0.1
    assert [p.frames for p in seen] == list(range(1, 21))
    assert seen[-1].share > 0.9 and seen[-1].seconds_left < seen[0].seconds_left


def test_cancelling_leaves_no_file(
    pipeline: FacialKeypoints, face_clip: Path, tmp_path: Path
) -> None:
    done: list[Progress] = []
    (tmp_path / "out.mp4").write_bytes(b"as before")
    with pytest.raises(VideoCancelled):
        annotate_clip(
            inspect_clip(face_clip),
            tmp_path / "out.mp4",
            pipeline,
            progress=done.append,
            cancelled=lambda: len(done) >= 3,
        )
    assert len(done) == 3
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"as before"


def test_a_failure_while_drawing_leaves_no_file(
    pipeline: FacialKeypoints, face_clip: Path, tmp_path: Path
) -> None:
    def draw(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        annotate_clip(inspect_clip(face_clip), tmp_path / "out.mp4", pipeline, draw=draw)
    assert os.listdir(tmp_path) == []
