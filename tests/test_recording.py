"""Recordings of sessions and clips as CSV and JSON."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.face import Face
from facial_keypoints.geometry.expression import Expression
from facial_keypoints.video import recording as module
from facial_keypoints.video.recording import (
    CLIP_COLUMNS,
    RECORDING_COLUMNS,
    ClipRecord,
    Recording,
    clips_to_csv,
    clips_to_json,
)
from facial_keypoints.video.track import TrackedFace
from tests.synthetic_faces import make_face


def tracked(id: int, face: Face) -> TrackedFace:
    neutral = Expression(1.0, 1.0, 0, 0.0, 0.0, 0.0)
    return TrackedFace(id, face, np.zeros((68, 2), np.float32), neutral)


@pytest.fixture
def recording() -> Recording:
    session = Recording()
    session.add(0.0, [tracked(1, make_face()), tracked(2, replace(make_face(), pose=None))])
    session.add(40.1234, [])
    session.add(80.0, [tracked(1, replace(make_face(), score=0.0))])
    return session


def test_csv_has_a_row_for_each_face_and_frame(recording: Recording) -> None:
    rows = list(csv.DictReader(io.StringIO(recording.to_csv())))
    assert list(rows[0]) == RECORDING_COLUMNS
    assert [(row["time_ms"], row["track"]) for row in rows] == [
        ("0.0", "1"),
        ("0.0", "2"),
        ("40.123", ""),
        ("80.0", ""),  # its last points were only shown on
    ]
    points = make_face().points
    assert float(rows[0]["x8"]) == pytest.approx(points[8, 0], abs=0.01)
    assert float(rows[0]["c67"]) == pytest.approx(0.9)
    assert (rows[0]["yaw"], rows[1]["yaw"]) == ("0.0", "")


def test_json_has_the_same(recording: Recording) -> None:
    frames = json.loads(recording.to_json())
    assert [frame["time_ms"] for frame in frames] == [0.0, 40.123, 80.0]
    assert [[face["track"] for face in frame["faces"]] for frame in frames] == [[1, 2], [], []]
    assert frames[0]["faces"][0].keys() == {"track", *make_face().to_dict()}


def test_an_empty_recording() -> None:
    assert Recording().to_json() == "[]\n"
    assert Recording().to_csv() == ",".join(RECORDING_COLUMNS) + "\n"


def test_a_full_recording_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FACES", 3)
    session = Recording()
    for time_ms in range(5):
        session.add(time_ms, [tracked(1, make_face())])
    assert session.full and len(session.frames) == session.cut_ms == 3


def test_numbers_that_are_not_finite_are_refused() -> None:
    face = make_face()
    face.points[3] = np.nan
    session = Recording()
    session.add(0.0, [tracked(1, face)])
    with pytest.raises(ValueError, match="not finite"):
        session.to_csv()
    with pytest.raises(ValueError):
        session.to_json()


def test_clips_with_and_without_errors(recording: Recording) -> None:
    good = ClipRecord(file="a.mp4", width=640, height=480, recording=recording)
    bad = ClipRecord(file="b.mp4", error="It is damaged.")
    rows = list(csv.DictReader(io.StringIO(clips_to_csv([good, bad]))))
    assert list(rows[0]) == CLIP_COLUMNS
    assert [row["file"] for row in rows] == ["a.mp4"] * 4 + ["b.mp4"]
    assert [row["error"] for row in rows] == [""] * 4 + ["It is damaged."]
    entries = json.loads(clips_to_json([good, bad]))
    assert entries[0].keys() == {"file", "width", "height", "frames"}
    assert entries[0]["frames"] == json.loads(recording.to_json())
    assert entries[1] == bad
