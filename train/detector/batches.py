"""Batches of random canvases for the detector's training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from train.detector.augment import Sources, random_canvas
from train.detector.canvas import Canvas, Picture
from train.detector.data import Scene
from train.detector.dataset import PhotoStore, TrainingData
from train.engine.options import UsageError
from train.engine.processes import Process
from train.faces.background import hide_background
from train.faces.data import TURNED
from train.faces.draw import SourceDraw
from train.picture_effects import Rng

Key = tuple[int, int, int]  # epoch, number, side of the canvas
Batch = tuple[Tensor, Tensor, Tensor, Tensor]

#: Of the photos without a face, the share that is drawn from those with hard places.
HARD_SHARE = 0.5


class RandomCanvases(Dataset):
    """Item n of epoch e is the same canvas whoever asks for it: resuming repeats nothing.

    Raises:
        UsageError: the data lack photos with faces, photos without, or faces to cut out.
    """

    def __init__(
        self,
        data: TrainingData,
        folder: Path,
        ytf_share: float = 0.25,
        turned_share: float = 0.2,
        seed: int = 0,
    ):
        self.photos, self.faces, self.seed = data.photos, data.faces, seed
        self.photo_store = PhotoStore(data.photos, folder)
        self.face_store = PhotoStore(data.faces, folder)
        sure = np.array([(~scene.doubtful).any() for scene in data.photos], bool)
        self.with_faces, self.without_faces = np.flatnonzero(sure), np.flatnonzero(~sure)
        counts = len(self.with_faces), len(self.without_faces), len(data.faces)
        if not all(counts):
            raise UsageError(
                "Expected photos to train on with a face that the teacher is sure of, photos "
                "without, and faces with 68 points (--faces), got {}, {} and {}.".format(*counts)
            )
        self.hard = np.flatnonzero([len(scene.hard) > 0 for scene in data.photos])
        self.face_points, self.is_turned = data.face_points, data.sources == TURNED
        # Of faces turned by a program, a profile is drawn three times as often as a frontal one.
        emphasis = np.where(self.is_turned, 1 + np.abs(data.face_yaws) / 45, 1.0)
        shares = {"ytf": ytf_share, TURNED: turned_share}
        self.draw_face = SourceDraw(data.sources, shares, emphasis)
        self.sources = Sources(self._photo_with, self._photo_without, self._face)

    def __getitem__(self, key: Key) -> Canvas:
        epoch, number, size = key
        rng = np.random.default_rng((self.seed, epoch, number, size))
        return random_canvas(self.sources, size, rng)

    def _photo_with(self, rng: Rng) -> Picture:
        return self._photo(int(rng.choice(self.with_faces)))

    def _photo_without(self, rng: Rng) -> Picture:
        is_hard = len(self.hard) and rng.random() < HARD_SHARE
        return self._photo(int(rng.choice(self.hard if is_hard else self.without_faces)))

    def _photo(self, index: int) -> Picture:
        return picture(self.photo_store[index], self.photos[index])

    def _face(self, rng: Rng) -> Picture:
        index = self.draw_face(rng)
        image = self.face_store[index]
        if self.is_turned[index]:  # other faces in the background have no labels
            other = self.photo_store[int(rng.choice(self.without_faces))]
            image = hide_background(image, self.face_points[index], other, rng, chance=1.0)
        return picture(image, self.faces[index])


def picture(image: np.ndarray, scene: Scene) -> Picture:
    """The photo of a scene, as the augmentation takes it."""
    corners = np.concatenate([scene.boxes[:, :2], scene.boxes[:, :2] + scene.boxes[:, 2:]], axis=1)
    return Picture(image, corners, scene.points, scene.doubtful, scene.hard)


def collate(canvases: Sequence[Canvas]) -> Batch:
    """Canvases of one size as a batch.

    Returns:
        Photos (N, S, S, 3) uint8, boxes (N, K, 4), points (N, K, 5, 2) and ignored (N, K) as in
        `train.detector.loss`; faces that are missing in a row are ignored boxes without area.
    """
    most = max(1, *(len(canvas.boxes) for canvas in canvases))
    boxes = np.zeros((len(canvases), most, 4), np.float32)
    points = np.full((len(canvases), most, 5, 2), np.nan, np.float32)
    ignored = np.ones((len(canvases), most), bool)
    for index, canvas in enumerate(canvases):
        count = len(canvas.boxes)
        boxes[index, :count], points[index, :count] = canvas.boxes, canvas.points
        ignored[index, :count] = canvas.ignored
    photos = np.stack([canvas.image for canvas in canvases])
    arrays = (photos, boxes, points, ignored)
    return tuple(torch.from_numpy(array) for array in arrays)  # type: ignore[return-value]


def batch_keys(
    epoch: int, steps: int, batch_size: int, canvas: int, large_every: int, process: Process
) -> list[list[Key]]:
    """The epoch's batches of `RandomCanvases` keys that fall to this process.

    large_every: steps, of which the last has a quarter as many canvases of twice the side.
    """
    share = batch_size // process.world
    batches = []
    for step in range(steps):
        is_large = large_every and step % large_every == large_every - 1
        count = max(1, share // 4) if is_large else share
        first = (step * process.world + process.rank) * share
        size = canvas * (2 if is_large else 1)
        batches.append([(epoch, number, size) for number in range(first, first + count)])
    return batches
