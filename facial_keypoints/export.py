"""Faces as JSON, CSV, Parquet and 300-W `.pts`, and the reader of `.pts`.

Everything here but the text of a `.pts` file is 0-based: pixels of the upright photo, origin top
left, pixel centres at whole numbers. `.pts` files count from 1, as MATLAB does.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from facial_keypoints.face import Face
from facial_keypoints.landmarks.markup import NUM_POINTS
from keypoints_captions.results.formats import Formats, json_list, table
from keypoints_captions.results.parquet import with_stamp

if TYPE_CHECKING:
    import pyarrow


class Crop(TypedDict):
    """A face that was cut out: its file, its side in pixels, and (2, 3) the matrix that takes
    (x, y, 1) in the photo's pixels to the crop's."""

    file: str
    size: int
    matrix: list[list[float]]


class _File(TypedDict):
    file: str


class Record(_File, total=False):
    """What became of one photo: its size and faces (none is an answer), or an error.

    crops: of the faces, in their order, where they were cut out.
    """

    width: int
    height: int
    faces: list[Face]
    crops: list[Crop]
    error: str


#: Columns of one face, as `face_fields` fills them.
FACE_COLUMNS = (
    ["box_x", "box_y", "box_w", "box_h", "score", "yaw", "pitch", "roll"]
    + [f"{axis}{index}" for index in range(NUM_POINTS) for axis in "xy"]
    + [f"c{index}" for index in range(NUM_POINTS)]
)
CSV_COLUMNS = ["file", "face", *FACE_COLUMNS, "error"]


def record_to_dict(record: Record) -> dict[str, Any]:
    """One entry of the public JSON, ready for `json.dumps`.

    Raises:
        ValueError: a number of a face is not finite, which JSON cannot hold.
    """
    entry: dict[str, Any] = {**record}
    if "faces" in record:
        entry["faces"] = [_checked(face).to_dict() for face in record["faces"]]
    for face, crop in zip(entry.get("faces", []), entry.pop("crops", []), strict=False):
        face["crop"] = crop
    return entry


def json_text(entries: Iterable[dict[str, Any]]) -> str:
    """A JSON list with one entry a line; pure ASCII."""
    lines = [json.dumps(entry, allow_nan=False) for entry in entries]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], header: bool = True) -> str:
    """CSV, with a header unless it is not wanted; fields that a row lacks are empty. Lines end in
    LF."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _csv_rows(record: Record) -> Iterator[dict[str, Any]]:
    faces = record.get("faces") or []
    for index, face in enumerate(faces):
        yield {"file": record["file"], "face": index} | face_fields(face)
    if not faces:
        yield {"file": record["file"], "error": record.get("error", "")}


def _to_line(record: Record) -> str:
    return json.dumps(record_to_dict(record), allow_nan=False)


def _to_rows(record: Record) -> str:
    return csv_text(CSV_COLUMNS, _csv_rows(record), header=False)


def parquet_schema() -> "pyarrow.Schema":
    """The columns of Parquet, which are the public JSON's; what a photo does not have is null.

    Numbers are 64-bit, and so are exactly the JSON's.
    """
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    pose = pa.struct([(name, pa.float64()) for name in ("yaw", "pitch", "roll")])
    matrix = pa.list_(numbers)
    crop = pa.struct([("file", pa.string()), ("size", pa.int32()), ("matrix", matrix)])
    face = pa.struct(
        [
            ("box", numbers),
            ("score", pa.float64()),
            ("points", pa.list_(numbers)),
            ("confidence", numbers),
            ("pose", pose),
            ("crop", crop),
        ]
    )
    return with_stamp([("width", pa.int32()), ("height", pa.int32()), ("faces", pa.list_(face))])


#: A JSON list with one record a line, pure ASCII, so that any file name survives; and CSV with a
#: header, `CSV_COLUMNS`, and one row a face, numbered from 0 in each photo. There a photo without
#: faces, or with an error, has one row with the face's fields empty; so are yaw, pitch and roll of
#: a face that has no pose. Lines end in LF.
FORMATS: Formats[Record] = Formats(
    texts={"json": json_list(_to_line), "csv": table(_to_rows, csv_text(CSV_COLUMNS, []))},
    entry=record_to_dict,
    answer="faces",
    schema=parquet_schema,
)


def to_json(records: Iterable[Record]) -> str:
    """The records as `--format json` writes them."""
    return FORMATS.texts["json"].text(records)


def to_csv(records: Iterable[Record]) -> str:
    """The records as `--format csv` writes them."""
    return FORMATS.texts["csv"].text(records)


def face_fields(face: Face) -> dict[str, float]:
    """One face's values by `FACE_COLUMNS`; those of a pose it does not have are missing.

    Raises:
        ValueError: a number is not finite.
    """
    values = _checked(face).to_dict()
    fields = dict(zip(("box_x", "box_y", "box_w", "box_h"), values["box"], strict=True))
    fields |= {"score": values["score"]} | (values["pose"] or {})
    for index, (x, y) in enumerate(values["points"]):
        fields |= {f"x{index}": x, f"y{index}": y}
    return fields | {f"c{index}": value for index, value in enumerate(values["confidence"])}


def _checked(face: Face) -> Face:
    pose = (0.0,) if face.pose is None else (face.pose.yaw, face.pose.pitch, face.pose.roll)
    numbers = [*face.box, face.score, *face.points.ravel(), *face.confidence, *pose]
    if not np.isfinite(numbers).all():
        raise ValueError("a face has numbers that are not finite")
    return face


def to_pts(face: Face) -> str:
    """The face's 68 points as the text of a 300-W `.pts` file: with header and braces, 1-based."""
    rows = (f"{x + 1:.3f} {y + 1:.3f}" for x, y in _checked(face).points.astype(np.float64))
    return "\n".join(["version: 1", f"n_points: {NUM_POINTS}", "{", *rows, "}"]) + "\n"


def read_pts(path: str | os.PathLike[str], num_points: int | None = NUM_POINTS) -> np.ndarray:
    """The points of a `.pts` file, with or without header and braces.

    Args:
        path: of a 1-based file, as 300-W and its parts (AFW, HELEN, IBUG, LFPW) publish them.
        num_points: how many points there must be; None takes any number.

    Returns:
        (num_points, 2) float32 x and y, 0-based.

    Raises:
        ValueError: the file is no such list of points; the message names file and line.
        OSError: the file cannot be read.
    """
    path = Path(path)
    rows: list[list[float]] = []
    declared = None
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        key, colon, value = line.partition(":")
        fields = line.replace("{", " ").replace("}", " ").replace(",", " ").split()
        try:
            if not colon and fields:
                x, y = map(float, fields)
                rows.append([x, y])
            elif key.strip().lower() == "n_points":
                declared = int(value)
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: expected two numbers, x and y, got {line.strip()[:60]!r}"
            ) from None
    for expected, source in ((declared, "its header says"), (num_points, "the markup has")):
        if expected not in (None, len(rows)):
            raise ValueError(f"{path}: {source} {expected} points, got {len(rows)}")
    points = np.array(rows, np.float64).reshape(-1, 2) - 1
    if not np.isfinite(points).all():
        raise ValueError(f"{path}: expected finite numbers, got nan or inf")
    return points.astype(np.float32)
