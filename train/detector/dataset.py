"""The detector's training and validation sets."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.markup import NUM_POINTS, five_points
from train.detector.data import KeypointLabels, Scene, photos_of, read_scenes, split_scenes
from train.detector.mining import Mined, add_mined
from train.engine.batches import prefetch
from train.engine.options import UsageError
from train.faces.data import TURNED, LabelledFace, read_faces, read_turned, split_by_subject
from train.photos import read_photo

#: Degrees of yaw from which a face turned by a program is a profile.
PROFILE = 60


def scenes_of_faces(faces: Iterable[LabelledFace]) -> list[Scene]:
    """Each 68-point face as a photo with one face."""
    return [
        Scene(
            face.path,
            landmark_box(face.points)[None],
            five_points(face.points)[None].astype(np.float32),
            np.zeros(1, bool),
        )
        for face in faces
    ]


@dataclass(frozen=True)
class TrainingData:
    """Training and validation data of a run.

    sources: (N,) of the faces. face_points: (N, 68, 2) float32, pixels of their pictures; and
    face_yaws: (N,) degrees, NaN where unknown. validation_profiles: faces turned by a program, far.
    """

    photos: list[Scene]
    faces: list[Scene]
    sources: np.ndarray
    face_points: np.ndarray
    face_yaws: np.ndarray
    validation_photos: list[Scene]
    validation_faces: list[Scene]
    validation_profiles: list[Scene]


def read_data(
    folders: Iterable[Path],
    faces: Iterable[Path],
    labels: Path | None = None,
    mined: Path | None = None,
    held_out: Iterable[Path] = (),
) -> TrainingData:
    """Everything a run needs; no test or held-out face is in it.

    Args:
        folders: each with photos and the teacher's table. faces: folders of 68-point faces.
        labels, mined: what `train.detector.labels` and `train.detector.mining` wrote for the first
            and only folder.
        held_out: COCO annotation files whose photos are for validation; their boxes are the
            teacher's, whatever the labels say.

    Raises:
        FileNotFoundError: a folder or file is missing.
        UsageError: one is damaged, or `held_out` names none of the photos.
    """
    names = photos_of(held_out)
    found = KeypointLabels.load(labels) if labels else None
    train: list[Scene] = []
    validation: list[Scene] = []
    for folder in folders:
        scenes = split_scenes(read_scenes(folder, found), folder, names)[0]
        train += add_mined(scenes, folder, Mined.load(mined)) if mined else scenes
        validation += split_scenes(read_scenes(folder), folder, names)[1]
    if names and not validation:
        known = f", such as {train[0].path}" if train else ""
        raise UsageError(
            f"Expected photos of the tables among those held out, such as {min(names)}, got "
            f"others only{known}: in both they begin in the table's folder."
        )
    split = split_by_subject(
        face for folder in faces for face in [*read_faces(folder), *read_turned(folder)]
    )
    in_the_wild = [face for face in split.validation if face.source not in ("ytf", TURNED)]
    profiles = [face for face in split.validation if abs(face.yaw) >= PROFILE]
    return TrainingData(
        train,
        scenes_of_faces(split.train),
        np.array([face.source for face in split.train], np.str_),
        np.array([face.points for face in split.train], np.float32).reshape(-1, NUM_POINTS, 2),
        np.array([face.yaw for face in split.train], np.float64),
        validation,
        scenes_of_faces(in_the_wild),
        scenes_of_faces(profiles),
    )


class PhotoStore:
    """Decoded photos in one file that all processes map into memory: photo n is (H, W, 3) uint8
    RGB. What is decoded once is read from the file in later runs.
    """

    def __init__(self, scenes: Sequence[Scene], folder: Path):
        paths = [str(scene.path) for scene in scenes]
        key = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:16]
        pixels, table = folder / f"photos-{key}.bin", folder / f"photos-{key}.npy"
        if not table.exists():
            self._write(scenes, pixels, table)
        self.shapes = np.load(table)
        self.starts = np.concatenate([[0], np.cumsum(self.shapes.prod(axis=1))])
        empty = np.zeros(0, np.uint8)  # a file without bytes cannot be mapped
        self.pixels = np.memmap(pixels, np.uint8, mode="r") if len(self.shapes) else empty

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> np.ndarray:
        part = self.pixels[self.starts[index] : self.starts[index + 1]]
        return np.asarray(part).reshape(self.shapes[index])

    @staticmethod
    def _write(scenes: Sequence[Scene], pixels: Path, table: Path) -> None:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        shapes = np.zeros((len(scenes), 3), np.int64)
        with open(pixels, "wb") as file:
            cores = os.cpu_count() or 1
            photos = prefetch((scene.path for scene in scenes), read_photo, cores, 4 * cores)
            bar = tqdm(photos, total=len(scenes), unit="photo", mininterval=10)
            for index, photo in enumerate(bar):
                shapes[index] = photo.shape
                file.write(photo.tobytes())
        part = table.with_suffix(".part.npy")
        np.save(part, shapes)
        part.replace(table)
