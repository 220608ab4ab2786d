"""Training data of the detector: photos with a teacher's boxes, crops with 68 points.

`face_boxes.csv` beside the photos is the teacher's table: `file, x, y, w, h, score, right_eye_x,
right_eye_y, left_eye_x, left_eye_y`, pixels of the photo, one face a row; a row with empty fields
is a photo without a face. Its boxes go from the forehead to the chin; every box here is turned
into the landmark box (brow to chin) that `facial_keypoints.detection.detectors.Detection` promises.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from facial_keypoints.landmarks.markup import NUM_FIVE
from train.engine.options import UsageError
from train.npz import Arrays

TABLE = "face_boxes.csv"

#: Where the landmark box lies in the teacher's, in shares of its width (first and third) and
#: height: centre x, centre y (from the box's centre), width, height. Medians that
#: `python -m train.detector.labels` prints; across, faces are symmetrical.
LANDMARK_BOX = (0.0, 0.12, 1.03, 0.76)

#: Teacher score under which a box is doubtful: neither a face nor a place without one.
DOUBTFUL = 0.8


@dataclass(frozen=True)
class TeacherFace:
    """One row of the teacher's table: box (4,) float64 x, y, width, height; eyes (2, 2) float64,
    right then left; pixels of the photo. score: 0..1.
    """

    path: Path
    box: np.ndarray
    score: float
    eyes: np.ndarray

    @property
    def side(self) -> float:
        """Root of the box's area, pixels."""
        return float(np.sqrt(self.box[2] * self.box[3]))


@dataclass(frozen=True)
class Scene:
    """A photo and what is known of its faces.

    boxes: (N, 4) float32 x, y, width, height of landmark boxes. points: (N, 5, 2) float32, NaN
    where unknown. Both in pixels of the photo. doubtful: (N,) bool, see `DOUBTFUL`.
    hard: (M, 4) float32, what a detector took for faces' boxes (`train.detector.mining`).
    """

    path: Path
    boxes: np.ndarray
    points: np.ndarray
    doubtful: np.ndarray
    hard: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class KeypointLabels(Arrays):
    """Of the N rows of the teacher's table; NaN where a face was not looked at.

    boxes: (N, 4) float32, x, y, width, height of the landmark box. points: (N, 5, 2) float32.
    Both in pixels of the photo. score: (N,) float32, 0..1, the keypoint CNN's face score.
    """

    boxes: np.ndarray
    points: np.ndarray
    score: np.ndarray


def landmark_boxes(boxes: np.ndarray) -> np.ndarray:
    """Teacher boxes to landmark boxes; both (N, 4) x, y, width, height."""
    dx, dy, width, height = LANDMARK_BOX
    size = boxes[:, 2:] * (width, height)
    return np.concatenate([boxes[:, :2] + boxes[:, 2:] * (0.5 + dx, 0.5 + dy) - size / 2, size], 1)


def teacher_boxes(boxes: np.ndarray) -> np.ndarray:
    """The inverse of `landmark_boxes`."""
    dx, dy, width, height = LANDMARK_BOX
    size = boxes[:, 2:] / (width, height)
    corner = boxes[:, :2] + boxes[:, 2:] / 2 - size * (0.5 + dx, 0.5 + dy)
    return np.concatenate([corner, size], axis=1)


def read_teacher(folder: Path) -> list[TeacherFace]:
    """The faces of `folder/face_boxes.csv`, in the table's order.

    Raises:
        FileNotFoundError: there is no such table.
        UsageError: a row of it is damaged.
    """
    faces = []
    for number, row in enumerate(_rows(folder), start=2):
        try:
            if row["x"]:
                faces.append(_of_row(folder, row))
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(
                f"{folder / TABLE}, row {number}: expected file, x, y, w, h, score, right_eye_x, "
                f"right_eye_y, left_eye_x, left_eye_y, got something else ({error!r})"
            ) from error
    return faces


def _of_row(folder: Path, row: dict[str, str]) -> TeacherFace:
    box = np.array([float(row[name]) for name in ("x", "y", "w", "h")])
    eyes = [[float(row[f"{eye}_eye_{axis}"]) for axis in "xy"] for eye in ("right", "left")]
    if not (np.isfinite(box).all() and (box[2:] > 0).all()):
        raise ValueError("a box is not finite, or has no area")
    return TeacherFace(folder / row["file"], box, float(row["score"]), np.array(eyes))


def read_scenes(folder: Path, labels: KeypointLabels | None = None) -> list[Scene]:
    """The photos of `folder/face_boxes.csv`, those without a face included.

    labels: landmark boxes and five points of the keypoint CNN for the faces of `read_teacher`;
        taken where the CNN is sure and agrees with the teacher on the middle between the eyes. The
        teacher's own eyes are no labels: on faces under 40 pixels they stay level, whatever the
        head does.

    Raises:
        FileNotFoundError: there is no such table.
        UsageError: a row of it is damaged, or the labels are of another table.
    """
    faces = read_teacher(folder)
    boxes = landmark_boxes(np.array([face.box for face in faces]).reshape(-1, 4))
    points = np.full((len(faces), NUM_FIVE, 2), np.nan)
    if labels is not None:
        if len(labels.score) != len(faces):
            raise UsageError(
                f"Expected labels of the {len(faces)} faces of {folder / TABLE}, got "
                f"{len(labels.score)}: python -m train.detector.labels makes them anew."
            )
        sides = np.array([face.side for face in faces])
        middles = np.array([face.eyes.mean(axis=0) for face in faces]).reshape(-1, 2)
        apart = np.linalg.norm(labels.points[:, :2].mean(axis=1) - middles, axis=1)
        trusted = (labels.score > 0.9) & (apart < 0.12 * sides)
        boxes[trusted], points[trusted] = labels.boxes[trusted], labels.points[trusted]
    doubtful = np.array([face.score < DOUBTFUL for face in faces], bool)
    places: dict[Path, list[int]] = {}
    for number, face in enumerate(faces):
        places.setdefault(face.path, []).append(number)
    files = [name for name, _ in groupby(row["file"] for row in _rows(folder))]
    scenes = []
    for name in dict.fromkeys(files):
        at = places.get(folder / name, [])
        scenes.append(
            Scene(
                folder / name,
                boxes[at].astype(np.float32).reshape(-1, 4),
                points[at].astype(np.float32).reshape(-1, NUM_FIVE, 2),
                doubtful[at],
            )
        )
    return scenes


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / TABLE, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def photos_of(annotations: Iterable[Path]) -> set[str]:
    """File names (`file_name`) of the photos in COCO annotation files.

    Raises:
        UsageError: one is no such file.
    """
    names: set[str] = set()
    for path in annotations:
        try:
            images = json.loads(path.read_text(encoding="utf-8"))["images"]
            names |= {image["file_name"] for image in images}
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"Expected COCO's JSON in {path}, got something else ({error!r})."
            ) from error
    return names


def split_scenes(
    scenes: Iterable[Scene], folder: Path, held_out: set[str]
) -> tuple[list[Scene], list[Scene]]:
    """Training scenes, and those whose file name, relative to the folder, is in `held_out`."""
    parts: tuple[list[Scene], list[Scene]] = ([], [])
    for scene in scenes:
        parts[str(scene.path.relative_to(folder)) in held_out].append(scene)
    return parts
