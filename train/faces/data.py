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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facial_keypoints.export import read_pts
from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import NUM_POINTS
from keypoints_captions.photos.reader import PHOTO_SUFFIXES, read_photo
from train.engine.batches import prefetch

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
        """(H, W, 3) uint8 RGB around the face, and its (68, 2) float32 points in that picture."""
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


class SourceDraw:
    """Draws faces at random, given shares of them from some sources, the rest from all others.

    sources: (N,) of the faces. shares: source -> its share, 0..1; those of sources that there are
    none of go to the others, and the others' to the named ones where there are no others.
    emphasis: (N,) how often a face is drawn against the others of its kind; alike without.
    """

    def __init__(
        self,
        sources: np.ndarray,
        shares: Mapping[str, float],
        emphasis: np.ndarray | float = 1.0,
    ) -> None:
        named = [sources == source for source in shares]
        other = ~np.any([np.zeros(len(sources), bool), *named], axis=0)
        emphasis = np.broadcast_to(emphasis, len(sources))
        weight = np.zeros(len(sources))
        parts = zip([*named, other], [*shares.values(), 1 - sum(shares.values())], strict=True)
        for part, share in parts:
            weight[part] = share * emphasis[part] / emphasis[part].sum()
        self.cumulative = np.cumsum(weight / weight.sum())

    def __call__(self, rng: np.random.Generator) -> int:
        """The number of a face."""
        return min(int(np.searchsorted(self.cumulative, rng.random())), len(self.cumulative) - 1)


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
        ValueError: the JSON is none of COCO's with 68 points.
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
    faces = []
    with open(table, newline="") as file:
        for row in csv.DictReader(file):
            points = [[float(row[f"{axis}{i}"]) for axis in "xy"] for i in range(NUM_POINTS)]
            # Some sets number training and test photos alike; the split keeps them apart.
            subject = (
                row["subject"] if row["source"] == "ytf" else f"{row['split']}/{row['subject']}"
            )
            faces.append(
                LabelledFace(
                    table.parent / row["file"],
                    np.array(points, np.float32),
                    row["source"],
                    row["split"],
                    subject,
                    -float(row["yaw"]) if "yaw" in row else math.nan,
                )
            )
    return faces


def read_300w(folder: Path) -> list[LabelledFace]:
    """300-W as downloaded: `helen/trainset/1.jpg` with `1.pts`; a photo's faces are `1_1`, `1_2`.

    Source and split come from the folders' names (`afw`, `helen/testset`, `ibug`, …).
    """
    faces = []
    for pts in sorted(folder.rglob("*.pts")):
        photo = next((p for s in PHOTO_SUFFIXES if (p := pts.with_suffix(s)).exists()), None)
        if photo is None:
            continue
        parts = [part.lower() for part in pts.relative_to(folder).parts[:-1]]
        split = "test" if any("test" in part for part in parts) or "ibug" in parts else "train"
        source = next(
            (p for p in parts if "train" not in p and "test" not in p), folder.name.lower()
        )
        subject = f"{source}/{split}/{re.sub(r'_[0-9]$', '', pts.stem)}"
        faces.append(LabelledFace(photo, read_pts(pts), source, split, subject))
    return faces


def read_coco(annotations: Path, photos: Path) -> list[LabelledFace]:
    """The faces of a COCO file all of whose points are labelled (visibility 1 or 2).

    Args:
        annotations: the JSON. photos: the folder that its `file_name`s are in.

    Raises:
        ValueError: it is no such JSON, or none of its categories has 68 points.
        OSError: it cannot be read.
    """
    try:
        coco: dict[str, Any] = json.loads(annotations.read_text(encoding="utf-8"))
        wanted = {c["id"] for c in coco["categories"] if len(c.get("keypoints", [])) == NUM_POINTS}
        files = {photo["id"]: photo["file_name"] for photo in coco["images"]}
        found = [one for one in coco["annotations"] if one["category_id"] in wanted]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected COCO's JSON of keypoints in {annotations}, got something else ({error!r})."
        ) from error
    if not wanted:
        raise ValueError(f"Expected a category with {NUM_POINTS} keypoints in {annotations}.")
    faces = []
    for one in found:
        values = np.array(one["keypoints"], np.float32).reshape(NUM_POINTS, 3)
        if (values[:, 2] > 0).all():
            file = files[one["image_id"]]
            subject = f"{annotations.stem}/{file}"
            points = np.ascontiguousarray(values[:, :2])
            faces.append(LabelledFace(photos / file, points, "coco", "train", subject))
    return faces


def read_udacity(folder: Path) -> list[LabelledFace]:
    """Udacity's P1: `training_frames_keypoints.csv` with `training/NAME_NN.jpg`, and test."""
    faces = []
    for table in sorted(folder.glob("*_frames_keypoints.csv")):
        stem = table.name.removesuffix("_frames_keypoints.csv")
        split = "train" if stem == "training" else stem
        with open(table, newline="") as file:
            rows = csv.reader(file)
            next(rows)
            for name, *values in rows:
                points = np.array(values, np.float32).reshape(NUM_POINTS, 2)
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
