"""Keypoints of face crops: the CNN with preprocessing, mirroring and a second reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facial_keypoints.landmarks.crops import Crops, crops_from_points, cut, to_photo
from facial_keypoints.landmarks.markup import FLIP, interocular_distance
from keypoints_captions.engines.choice import as_engine
from keypoints_captions.engines.engine import Engine

if TYPE_CHECKING:
    from facial_keypoints.landmarks.network import KeypointNet
    from facial_keypoints.landmarks.whole import WholeKeypointNet

#: A point counts as right when it is within this share of the outer-eye-corner distance.
TOLERANCE = 0.05
#: Crops of one batch through the CNN; with their mirror images twice as many pictures.
MOST_CROPS = 32


@dataclass(frozen=True)
class Keypoints:
    """Of N faces; pixels of the photo, pixel centres at whole numbers.

    points: (N, 68, 2) float32. scale: (N, 68) float32, each point's Laplace scale in pixels.
    score: (N,) float32, 0..1, probability that the crop holds a face.
    """

    points: np.ndarray
    scale: np.ndarray
    score: np.ndarray

    def confidence(self) -> np.ndarray:
        """(N, 68) float32, 0..1: probability that the point is within `TOLERANCE`.

        The radial density exp(-r / b) / (2 pi b²) integrates to 1 - (1 + r / b) exp(-r / b).
        """
        distance = TOLERANCE * interocular_distance(self.points)[:, None] / self.scale
        return (1 - (1 + distance) * np.exp(-distance)).astype(np.float32)

    def mean_with(self, others: "Keypoints") -> "Keypoints":
        """Of two readings of the same faces: the mean; of the scales their geometric mean."""
        return Keypoints(
            (self.points + others.points) / 2,
            np.sqrt(self.scale * others.scale),
            (self.score + others.score) / 2,
        )

    def __getitem__(self, places: np.ndarray) -> "Keypoints":
        """Those of the faces in the (M,) places."""
        return Keypoints(self.points[places], self.scale[places], self.score[places])

    def __add__(self, more: "Keypoints") -> "Keypoints":
        """These faces and then those."""
        pairs = ((self.points, more.points), (self.scale, more.scale), (self.score, more.score))
        return Keypoints(*(np.concatenate(pair) for pair in pairs))

    def put(self, places: np.ndarray, others: "Keypoints") -> None:
        """Puts other keypoints, of M faces, in the (M,) places, in place."""
        self.points[places], self.scale[places] = others.points, others.scale
        self.score[places] = others.score


class KeypointPredictor:
    """Runs the CNN on crops.

    network: the engine that runs it, or a torch network, which then runs as it is.
    passes: 1 reads the points once; 2 cuts each face again, upright and centred by the points
        of the first pass, and reads them there.
    mirror: also read the mirrored crop, and average (in the last pass).
    """

    def __init__(
        self, network: "Engine | KeypointNet", passes: int = 2, mirror: bool = True
    ) -> None:
        self.engine = as_engine(network, _whole)
        self.passes, self.mirror = passes, mirror
        size = self.engine.inputs["crops"].shape[1]
        assert isinstance(size, int)
        self.input_size = size  # pixels, side of a crop

    def __call__(
        self, images: Sequence[np.ndarray], crops: Crops, passes: int | None = None
    ) -> Keypoints:
        """Keypoints of N faces.

        Args:
            images: N arrays (H, W, 3) uint8 RGB, one a crop (the same object may repeat).
            crops: N crops.
            passes: as the class has it, for these crops.
        """
        for _ in range((passes or self.passes) - 1):
            crops = crops_from_points(self.read(images, crops, mirror=False).points)
        return self.read(images, crops, self.mirror)

    def run_network(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The CNN on crops as they are.

        Args:
            crops: (N, S, S, 3) uint8 RGB, S = `input_size`.

        Returns:
            Points (N, 68, 2) in crop coordinates (-0.5 to 0.5), log of the Laplace scale
            (N, 68) in the same unit, face score (N,) 0..1; all float32.
        """
        if not len(crops):
            return np.zeros((0, 68, 2), np.float32), np.zeros((0, 68), np.float32), np.zeros(0)
        results = self.engine(crops=np.ascontiguousarray(crops))
        return results["points"], results["log_scale"], results["score"]

    def read(self, images: Sequence[np.ndarray], crops: Crops, mirror: bool) -> Keypoints:
        """One reading of N crops; arguments as of a call."""
        return self._read(images, crops, (False, True) if mirror else (False,))

    def read_mirrored(self, images: Sequence[np.ndarray], crops: Crops) -> Keypoints:
        """One reading of N crops' mirror images alone; arguments as of a call."""
        return self._read(images, crops, (True,))

    def _read(
        self, images: Sequence[np.ndarray], crops: Crops, views: tuple[bool, ...]
    ) -> Keypoints:
        """The mean of what each view of the crops shows: False as it is, True its mirror image."""
        parts = [
            self._read_batch(images[start : start + MOST_CROPS], crops, start, views)
            for start in range(0, max(1, len(crops)), MOST_CROPS)
        ]
        return Keypoints(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _read_batch(
        self, images: Sequence[np.ndarray], crops: Crops, start: int, views: tuple[bool, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `Keypoints` has of those crops from `start` on that the images belong to."""
        n, size = len(images), self.input_size
        crops = crops[np.arange(start, start + n)]
        pictures = np.zeros((n, size, size, 3), np.uint8)
        for index, image in enumerate(images):
            pictures[index] = cut(image, crops[index], size)[0]
        seen = [pictures[:, :, ::-1] if mirrored else pictures for mirrored in views]
        points, log_scale, score = self.run_network(np.concatenate(seen))
        for place, mirrored in enumerate(views):
            if mirrored:
                own = slice(place * n, (place + 1) * n)
                points[own] = points[own, FLIP] * (-1, 1)
                log_scale[own] = log_scale[own, FLIP]
        points, log_scale, score = (
            values.reshape(len(views), n, *values.shape[1:]).mean(axis=0)
            for values in (points, log_scale, score)
        )
        return (
            to_photo(points, crops).astype(np.float32),
            (np.exp(log_scale) * crops.side[:, None]).astype(np.float32),
            score,
        )


def _whole(network: "KeypointNet") -> "WholeKeypointNet":
    from facial_keypoints.landmarks.whole import WholeKeypointNet

    return WholeKeypointNet(network)
