"""Validation of the detector: held-out photos with the teacher's boxes, and faces."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from facial_keypoints.detection.cnn import MIN_SCORE, CnnDetector
from facial_keypoints.detection.network import DetectorNet
from facial_keypoints.landmarks.network import fold_batch_norm
from train.detector.data import Scene
from train.detector.dataset import PhotoStore, TrainingData
from train.detector.metrics import Matches, match_scene, together

#: Boxes over so low a score count: average precision wants the whole curve.
LEAST_SCORE = 0.05
#: Sides of the faces that count in photos, pixels.
SIDES = (16.0, math.inf)
#: Photos that the detector gets together.
PHOTOS = 64


class Validation:
    """The held-out photos and faces, and how well a network finds them."""

    def __init__(self, data: TrainingData, folder: Path, photos: int):
        order = np.random.default_rng(0).permutation(len(data.validation_photos))
        self.photos = [data.validation_photos[i] for i in order[:photos]]
        self.faces = data.validation_faces
        self.profiles = data.validation_profiles
        self.photo_store = PhotoStore(self.photos, folder)
        self.profile_store = PhotoStore(self.profiles, folder)
        self.face_store = PhotoStore(self.faces, folder)

    def scores(
        self, network: DetectorNet, precision: torch.dtype = torch.float32
    ) -> tuple[float, dict[str, float]]:
        """What the best checkpoint has most of; and average precision on the photos (faces of at
        least 16 pixels), the share of the face crops found at a score of 0.3, and that of profiles
        at `MIN_SCORE`. Changes the network.
        """
        network = fold_batch_norm(network.eval()).to(memory_format=torch.channels_last)
        detector = CnnDetector(network.to(precision), min_score=LEAST_SCORE)
        photos = _matches(detector, self.photo_store, self.photos, SIDES)
        scores = {"ap": photos.average_precision(), "recall": photos.recall(0.3)}
        if self.faces:
            crops = _matches(detector, self.face_store, self.faces)
            scores["crops_ap"], scores["crops"] = crops.average_precision(), crops.recall(0.3)
        if self.profiles:  # other faces in their background have no labels: no precision
            profiles = _matches(detector, self.profile_store, self.profiles)
            scores["profiles"] = profiles.recall(MIN_SCORE)
        shares = [scores[name] for name in ("ap", "crops_ap", "profiles") if name in scores]
        known = [value for value in shares if not math.isnan(value)]
        return sum(known) / max(1, len(known)), scores


def _matches(
    detector: CnnDetector,
    store: PhotoStore,
    scenes: Sequence[Scene],
    sides: tuple[float, float] = (0.0, math.inf),
) -> Matches:
    """The matches of what the detector finds in photos with their faces."""
    parts = []
    for start in range(0, len(scenes), PHOTOS):
        some = scenes[start : start + PHOTOS]
        found = detector.many([store[start + n] for n in range(len(some))])
        parts += [match_scene(one, scene, sides) for one, scene in zip(found, some, strict=True)]
    return together(parts)
