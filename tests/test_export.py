"""Exports of faces, and the reader of `.pts` files."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from facial_keypoints.export import (
    CSV_COLUMNS,
    Record,
    read_pts,
    record_to_dict,
    to_csv,
    to_json,
    to_pts,
)
from facial_keypoints.face import Face, Pose

POINTS = np.stack([np.arange(68) * 1.25, 100 - np.arange(68) * 0.5], axis=1).astype(np.float32)


POSE = Pose(12.34, -5.0, 0.06)


def face(points: np.ndarray = POINTS, pose: Pose | None = POSE) -> Face:
    return Face(
        box=np.array([1.5, 2, 30, 40], np.float32),
        score=0.98765,
        points=points.copy(),
        confidence=np.linspace(0, 1, 68, dtype=np.float32),
        pose=pose,
    )


RECORDS: list[Record] = [
    {"file": "two.jpg", "width": 64, "height": 48, "faces": [face(), face(pose=None)]},
    {"file": "none, really.jpg", "width": 8, "height": 9, "faces": []},
    {"file": "bro\nken \udcff.jpg", "error": 'The file is "empty".'},
]


def test_json_is_the_contract() -> None:
    two, none, broken = json.loads(to_json(RECORDS))
    assert two.keys() == {"file", "width", "height", "faces"}
    assert (two["file"], two["width"], two["height"]) == ("two.jpg", 64, 48)
    first, second = two["faces"]
    assert first.keys() == {"box", "score", "points", "confidence", "pose"}
    assert first["box"] == [1.5, 2.0, 30.0, 40.0] and first["score"] == 0.9877
    assert first["points"][:2] == [[0.0, 100.0], [1.25, 99.5]] and len(first["points"]) == 68
    assert first["confidence"][0] == 0 and first["confidence"][67] == 1
    assert first["pose"] == {"yaw": 12.3, "pitch": -5.0, "roll": 0.1} and second["pose"] is None
    assert none == {"file": "none, really.jpg", "width": 8, "height": 9, "faces": []}
    assert broken == RECORDS[2]


def test_json_has_one_record_a_line() -> None:
    assert len(to_json(RECORDS).splitlines()) == 2 + len(RECORDS)
    assert json.loads(to_json([])) == []
    assert to_json(RECORDS).isascii()


def test_csv_has_one_row_a_face() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(RECORDS), newline="")))
    assert list(rows[0]) == CSV_COLUMNS and len(CSV_COLUMNS) == 10 + 3 * 68 + 1
    assert CSV_COLUMNS[10:14] == ["x0", "y0", "x1", "y1"]
    assert CSV_COLUMNS[-3:] == ["c66", "c67", "error"]
    assert [(row["file"], row["face"]) for row in rows] == [
        ("two.jpg", "0"),
        ("two.jpg", "1"),
        ("none, really.jpg", ""),
        ("bro\nken \udcff.jpg", ""),
    ]
    first = rows[0]
    assert [float(first[f"box_{side}"]) for side in "xywh"] == [1.5, 2, 30, 40]
    assert (first["yaw"], first["pitch"], first["roll"]) == ("12.3", "-5.0", "0.1")
    assert (first["x67"], first["y67"], first["c67"]) == ("83.75", "66.5", "1.0")
    assert rows[1]["yaw"] == "" and rows[1]["x67"] == "83.75"
    assert rows[2]["error"] == "" and rows[3]["error"] == 'The file is "empty".'
    assert all(len(row) == len(CSV_COLUMNS) and None not in row for row in rows)


@pytest.mark.parametrize("field", ["points", "confidence", "box", "score", "pose"])
def test_numbers_that_are_not_finite_are_refused(field: str) -> None:
    bad = face()
    if field == "score":
        bad = replace(bad, score=float("nan"))
    elif field == "pose":
        bad = replace(bad, pose=Pose(0.0, float("nan"), 0.0))
    else:
        getattr(bad, field).flat[-1] = np.inf
    record = Record(file="a.jpg", width=1, height=1, faces=[bad])
    for export in (record_to_dict, lambda r: to_json([r]), lambda r: to_csv([r])):
        with pytest.raises(ValueError, match="finite"):
            export(record)


# --- .pts -------------------------------------------------------------------------------------


def test_pts_is_one_based_with_header_and_braces() -> None:
    lines = to_pts(face()).splitlines()
    assert lines[:4] == ["version: 1", "n_points: 68", "{", "1.000 101.000"]
    assert lines[4] == "2.250 100.500" and lines[-1] == "}" and len(lines) == 68 + 4


@given(hypothesis_numpy.arrays(np.float32, (68, 2), elements=st.floats(-500, 9000, width=32)))
def test_pts_round_trip(tmp_path_factory: pytest.TempPathFactory, points: np.ndarray) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.pts"
    path.write_text(to_pts(face(points)))
    read = read_pts(path)
    assert read.dtype == np.float32 and read.shape == (68, 2)
    np.testing.assert_allclose(read, points, atol=2e-3)


BARE = "1 2\n3.5 4\n"
VARIANTS = {
    "bare": BARE,
    "300-W": "version: 1\nn_points:  2\n{\n" + BARE + "}\n",
    "windows": "\ufeffversion: 1\r\nn_points: 2\r\n{\r\n1 2\r\n3.5 4\r\n}",
    "no version": "n_points: 2\n{\n" + BARE + "}",
    "braces only": "{\n" + BARE + "}",
    "braces on the lines": "{ 1 2\n3.5 4 }",
    "blank lines and tabs": "\n version: 1 \n\n{\n\n1\t2  \n  3.5 \t4e0\n\n}\n\n",
    "commas": "1, 2\n3.5,4\n",
}


@pytest.mark.parametrize("name", VARIANTS)
def test_pts_variants(name: str, tmp_path: Path) -> None:
    path = tmp_path / "face.pts"
    path.write_bytes(VARIANTS[name].encode())
    np.testing.assert_array_equal(read_pts(path, num_points=2), [[0, 1], [2.5, 3]])
    np.testing.assert_array_equal(read_pts(path, num_points=None), [[0, 1], [2.5, 3]])
    with pytest.raises(ValueError, match=r"face\.pts.* 68 points, got 2"):
        read_pts(path)


@pytest.mark.parametrize(
    "text, said",
    [
        ("1 2\n3\n", "line 2: expected two numbers"),
        ("1 2\n3 4 5\n", "line 2: expected two numbers"),
        ("1 2\nx y\n", "line 2: expected two numbers"),
        ("n_points: 3\n{\n1 2\n3 4\n}", "header says 3 points, got 2"),
        ("n_points: many\n1 2\n3 4", "line 1"),
        ("1 2\nnan 4\n", "finite"),
        ("", "2 points, got 0"),
        ("\x89PNG\r\n\x1a\n", "line 1"),
    ],
)
def test_broken_pts(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "face.pts"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=said) as caught:
        read_pts(path, num_points=2)
    assert "face.pts" in str(caught.value)


def test_missing_pts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pts(tmp_path / "missing.pts")
