"""Batches of random views of faces and non-faces for the keypoint CNN."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from facial_keypoints.geometry.pose import estimate_pose
from train.engine.cnn import CnnConfig
from train.engine.processes import Process
from train.faces.background import hide_background
from train.faces.data import (
    TURNED,
    UNLABELLED,
    LabelledFace,
    LoadedFaces,
    load_faces,
)
from train.faces.draw import SourceDraw
from train.keypoints.augment import (
    random_false_alarm,
    random_misplaced,
    random_non_face,
    random_view,
)


@dataclass(frozen=True)
class TrainConfig(CnnConfig):
    """One training run."""

    epochs: int = 130
    batch_size: int = 64  # faces a step, all processes together
    validate_every: int = 3  # epochs
    epoch_faces: int = 4096  # random views of faces an epoch
    non_faces: float = 0.125  # share of further crops without a face in each batch
    heatmap_weight: float = 1.0  # of the loss on the heat maps' shape
    turned_share: float = 0.2  # of the faces: those of `turned.csv`
    augmentation: float = 1.0  # strength of the faces' jitter and effects, 0..1

    def shares(self) -> Mapping[str, float]:
        """Of the faces: source -> its share, 0..1."""
        return {"ytf": self.ytf_share, TURNED: self.turned_share}


@dataclass(frozen=True)
class NonFaces:
    """Training data of the face score; both may be empty.

    photos: (H, W, 3) uint8 RGB each, without a face. false_alarms: (N, S, S, 3) uint8 RGB.
    """

    photos: list[np.ndarray]
    false_alarms: np.ndarray


def emphasis(faces: LoadedFaces) -> np.ndarray:
    """(N,) float, how often each face is drawn: photos of turned heads are few, so a head at 30°
    of yaw is drawn three times as often as one at 0°; faces turned by a program alike.
    """
    sizes = [(image.shape[1], image.shape[0]) for image in faces.images]
    poses = [estimate_pose(p, size) for p, size in zip(faces.points, sizes, strict=True)]
    yaw = np.array([abs(pose.yaw) if pose else 0.0 for pose in poses])
    return np.where(faces.sources == TURNED, 1.0, 1 + np.minimum(yaw, 45) / 15)


class RandomViews(Dataset):
    """Item n of epoch e is the same view whoever asks for it: resuming repeats nothing.

    A view, its labels in crop coordinates (NaN of a face without labels), and whether it is a face.
    """

    def __init__(
        self, faces: list[LabelledFace], non_faces: NonFaces, size: int, config: TrainConfig
    ):
        self.faces = load_faces(faces)
        self.non_faces, self.size, self.config = non_faces, size, config
        self.draw = SourceDraw(self.faces.sources, config.shares(), emphasis(self.faces))

    def __getitem__(self, key: tuple[int, int, bool]) -> tuple[np.ndarray, np.ndarray, bool]:
        epoch, number, is_face = key
        rng = np.random.default_rng((self.config.seed, epoch, number, is_face))
        place = self.draw(rng)
        image, points = self.faces.images[place], self.faces.points[place]
        photos, alarms = self.non_faces.photos, self.non_faces.false_alarms
        if is_face:
            if self.faces.sources[place] == TURNED:
                other = photos[rng.integers(len(photos))] if photos else None
                image = hide_background(image, points, other, rng)
            view, labels = random_view(image, points, self.size, rng, self.config.augmentation)
            if self.faces.sources[place] == UNLABELLED:
                labels[:] = np.nan
            return view, labels, True
        kind = rng.random()
        if len(alarms) and kind < 0.45:
            view = random_false_alarm(alarms[rng.integers(len(alarms))], self.size, rng)
        elif photos and kind < 0.8:
            view = random_non_face(photos[rng.integers(len(photos))], self.size, rng)
        else:
            view = random_misplaced(image, points, self.size, rng)
        return view, np.zeros_like(points), False


def batch_keys(config: TrainConfig, epoch: int, process: Process) -> list[list[tuple]]:
    """The epoch's batches of `RandomViews` keys that fall to this process."""
    share = config.batch_size // process.world
    others = round(share * config.non_faces)
    batches = []
    for step in range(max(1, config.epoch_faces // config.batch_size)):
        place = step * process.world + process.rank
        batch = [(epoch, n, True) for n in range(place * share, (place + 1) * share)]
        batch += [(epoch, n, False) for n in range(place * others, (place + 1) * others)]
        batches.append(batch)
    return batches
