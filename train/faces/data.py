"""Readers of 68-point face data, and its split into training, validation and held-out people.

Three layouts are read (and `turned.csv` beside `faces.csv`), told apart by what lies in the folder:
`faces.csv` (one row a face, prepared crops), 300-W (photos with a `.pts` file beside each) and
Udacity's P1 (`training_frames_keypoints.csv` with `training/`, the same for `test`).
A file of COCO keypoints with the folder of its photos is read, too.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facial_keypoints.export import read_pts
from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import NUM_POINTS
from keypoints_captions.photos.reader import PHOTO_SUFFIXES
from train.engine.batches import prefetch
from train.engine.options import UsageError
from train.photos import read_photo

#: The source of the faces of `turned.csv`.
TURNED = "afw_turned"
#: The source of faces whose points nobody has set: where a network sees them, to cut views.
UNLABELLED = "unlabelled"

#: Longer photos are cut to a square of `CONTEXT` times the landmark box when they are loaded.
MAX_SIDE = 320
CONTEXT = 2.2

_READERS = 8  # threads


@dataclass(frozen=True)
class LabelledFace:
    """One face of a data set.

    points: (68, 2) float32, pixels of the photo, 0-based, pixel centres at whole numbers.
    subject: what must not be split: a person, or a scene with several faces.
    yaw: degrees, of a fit of a head in three dimensions where the set has one; otherwise NaN.
    """

    path: Path
    points: np.ndarray
    source: str
    split: str
    subject: str
    yaw: float = math.nan

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) uint8 RGB around the face, and its (68, 2) float32 points in that picture.

        Raises:
            UsageError: the photo cannot be read.
        """
        image = read_photo(self.path)
        if max(image.shape[:2]) <= MAX_SIDE:
            return image, self.points
        crops = crops_from_points(self.points[None], upright=False, scale=CONTEXT)
        size = min(256, round(float(crops.side[0])))
        points = to_crop(self.points[None], crops)[0] * size + (size - 1) / 2
        return cut(image, crops, size)[0], points.astype(np.float32)


@dataclass(frozen=True)
class LoadedFaces:
    """Labelled faces in memory: N pictures (H, W, 3) uint8 RGB, their points (N, 68, 2) float32
    in the pictures' pixels, (N,) sources, and (N,) yaws as `LabelledFace` has them.
    """

    images: list[np.ndarray]
    points: np.ndarray
    sources: np.ndarray
    yaws: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def load_faces(faces: Iterable[LabelledFace]) -> LoadedFaces:
    """Reads the faces' pictures."""
    faces = list(faces)
    loaded = list(prefetch(faces, LabelledFace.load, _READERS, 4 * _READERS))
    points = np.stack([points for _, points in loaded]) if loaded else np.zeros((0, NUM_POINTS, 2))
    sources = np.array([face.source for face in faces])
    yaws = np.array([face.yaw for face in faces])
    return LoadedFaces([image for image, _ in loaded], points, sources, yaws)


def read_faces(folder: Path) -> list[LabelledFace]:
    """All faces of a folder in any of the three layouts, or of "FACES.json,FOLDER": COCO keypoints
    and the folder of their photos.

    Raises:
        FileNotFoundError: the folder is none of them.
        UsageError: a table or a file of points is damaged, or the JSON none of COCO's with 68
            points.
    """
    annotations, comma, photos = str(folder).partition(".json,")
    if comma:
        return read_coco(Path(f"{annotations}.json"), Path(photos))
    if (folder / "faces.csv").exists():
        return read_faces_csv(folder)
    if list(folder.glob("*_frames_keypoints.csv")):
        return read_udacity(folder)
    faces = read_300w(folder)
    if not faces:
        raise FileNotFoundError(
            f"{folder} holds no faces.csv, no *_frames_keypoints.csv and no photo with a .pts file"
        )
    return faces


def read_faces_csv(folder: Path) -> list[LabelledFace]:
    """`faces.csv`: file, source, split, subject, width, height, x0, y0 … x67, y67."""
    return _read_table(folder / "faces.csv")


def read_turned(folder: Path) -> list[LabelledFace]:
    """`turned.csv`, where the folder has one: the columns of `faces.csv`, and pitch, yaw, roll.

    Faces of the same subjects, turned in depth by a program (300W-LP): their backgrounds are
    stretched. Their yaw has the sign of `Pose`, which is not that of the table.
    """
    table = folder / "turned.csv"
    return _read_table(table) if table.exists() else []


def _read_table(table: Path) -> list[LabelledFace]:
    with open(table, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        faces = []
        for row in rows:
            with _naming_line(table, rows, "file, source, split, subject, x0, y0 … x67, y67"):
                faces.append(_of_row(table.parent, row))
    return faces


def _of_row(folder: Path, row: dict[str, str]) -> LabelledFace:
    points = _points([row[f"{axis}{i}"] for i in range(NUM_POINTS) for axis in "xy"])
    # Some sets number training and test photos alike; the split keeps them apart.
    subject = row["subject"] if row["source"] == "ytf" else f"{row['split']}/{row['subject']}"
    yaw = -float(row["yaw"]) if "yaw" in row else math.nan
    return LabelledFace(folder / row["file"], points, row["source"], row["split"], subject, yaw)


def _points(values: Iterable[Any]) -> np.ndarray:
    """(68, 2) float32 of x0, y0 … x67, y67.

    Raises:
        ValueError, TypeError: these are not 136 finite numbers.
    """
    points = np.array([float(value) for value in values], np.float32).reshape(NUM_POINTS, 2)
    if not np.isfinite(points).all():
        raise ValueError("a point is not finite")
    return points


@contextmanager
def _naming_line(table: Path, rows: Any, expected: str) -> Iterator[None]:
    """Names table and line of a fault in it. rows: the reader of the table."""
    try:
        yield
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{table}, line {rows.line_num}: expected {expected}, got something else ({error!r})"
        ) from error


def read_300w(folder: Path) -> list[LabelledFace]:
    """300-W as downloaded: `helen/trainset/1.jpg` with `1.pts`; a photo's faces are `1_1`, `1_2`.

    Source and split come from the folders' names (`afw`, `helen/testset`, `ibug`, …).
    """
    faces = []
    for pts in sorted(folder.rglob("*.pts")):
        endings = (ending for s in PHOTO_SUFFIXES for ending in (s, s.upper()))
        photo = next((p for ending in endings if (p := pts.with_suffix(ending)).exists()), None)
        if photo is None:
            continue
        try:
            points = read_pts(pts)
        except ValueError as error:  # it names the file
            raise UsageError(str(error)) from error
        parts = [part.lower() for part in pts.relative_to(folder).parts[:-1]]
        split = "test" if any("test" in part for part in parts) or "ibug" in parts else "train"
        source = next(
            (p for p in parts if "train" not in p and "test" not in p), folder.name.lower()
        )
        subject = f"{source}/{split}/{re.sub(r'_[0-9]$', '', pts.stem)}"
        faces.append(LabelledFace(photo, points, source, split, subject))
    return faces


def read_coco(annotations: Path, photos: Path) -> list[LabelledFace]:
    """The faces of a COCO file all of whose points are labelled (visibility 1 or 2).

    Args:
        annotations: the JSON. photos: the folder that its `file_name`s are in.

    Raises:
        UsageError: it is no such JSON, or none of its categories has 68 points.
        OSError: it cannot be read.
    """
    try:
        coco: dict[str, Any] = json.loads(annotations.read_text(encoding="utf-8"))
        wanted = {c["id"] for c in coco["categories"] if len(c.get("keypoints", [])) == NUM_POINTS}
        if not wanted:
            raise UsageError(f"Expected a category with {NUM_POINTS} keypoints in {annotations}.")
        files = {photo["id"]: photo["file_name"] for photo in coco["images"]}
        found = [
            (files[one["image_id"]], np.array(one["keypoints"], np.float32).reshape(NUM_POINTS, 3))
            for one in coco["annotations"]
            if one["category_id"] in wanted
        ]
        labelled = [(file, values) for file, values in found if (values[:, 2] > 0).all()]
        return [
            LabelledFace(
                photos / file,
                _points(values[:, :2].flat),
                "coco",
                "train",
                f"{annotations.stem}/{file}",
            )
            for file, values in labelled
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"Expected COCO's JSON of keypoints in {annotations}, got something else ({error!r})."
        ) from error


def read_udacity(folder: Path) -> list[LabelledFace]:
    """Udacity's P1: `training_frames_keypoints.csv` with `training/NAME_NN.jpg`, and test."""
    faces = []
    for table in sorted(folder.glob("*_frames_keypoints.csv")):
        stem = table.name.removesuffix("_frames_keypoints.csv")
        split = "train" if stem == "training" else stem
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            next(rows, None)
            for row in rows:
                with _naming_line(table, rows, "a photo's name and 136 numbers"):
                    name, *values = row
                    points = _points(values)
                person = re.sub(r"_\d+$", "", Path(name).stem)
                path = folder / stem / name
                faces.append(LabelledFace(path, points, "ytf", split, f"ytf:{person}"))
    return faces


@dataclass(frozen=True)
class Split:
    """train: learnt from. validation: chooses the checkpoint. held_out: only reported.
    test: the sets' own test splits.
    """

    train: list[LabelledFace]
    validation: list[LabelledFace]
    held_out: list[LabelledFace]
    test: list[LabelledFace]


#: Sources of which some subjects are never trained on nor chosen by, to report unseen people.
HELD_OUT_SOURCES = ("ytf", "afw", TURNED)


def split_by_subject(faces: Iterable[LabelledFace], validation: float = 0.07) -> Split:
    """Splits by a hash of the subject, so that it is the same everywhere and for ever.

    A held-out person's test frames are held out too; nobody in `train` is in another part
    but the test lists of sets that share people by design (Udacity's).
    """
    split = Split([], [], [], [])
    for face in faces:
        digest = hashlib.md5(face.subject.encode(), usedforsecurity=False).digest()
        place = int.from_bytes(digest[:4], "big") / 2**32
        held_out = 0.1 if face.source in HELD_OUT_SOURCES else 0.0
        if place < held_out:
            split.held_out.append(face)
        elif face.split != "train":
            split.test.append(face)
        elif place < held_out + validation:
            split.validation.append(face)
        else:
            split.train.append(face)
    return split
