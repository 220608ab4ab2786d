"""Validation of the detector: held-out photos with the teacher's boxes, and faces."""

import math
from pathlib import Path

import numpy as np
import torch

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.network import DetectorNet
from facial_keypoints.landmarks.network import fold_batch_norm
from train.detector.dataset import PhotoStore, TrainingData
from train.detector.metrics import match_scene, together

#: Boxes over so low a score count: average precision wants the whole curve.
LEAST_SCORE = 0.05
#: Sides of the faces that count in photos, pixels.
SIDES = (16.0, math.inf)


class Validation:
    """The held-out photos and faces, and how well a network finds them."""

    def __init__(self, data: TrainingData, folder: Path, photos: int):
        order = np.random.default_rng(0).permutation(len(data.validation_photos))
        self.photos = [data.validation_photos[i] for i in order[:photos]]
        self.faces = data.validation_faces
        self.photo_store = PhotoStore(self.photos, folder)
        self.face_store = PhotoStore(self.faces, folder)

    def scores(
        self, network: DetectorNet, precision: torch.dtype = torch.float32
    ) -> tuple[float, dict[str, float]]:
        """What the best checkpoint has most of; and average precision on the photos (faces of at
        least 16 pixels) and the share of the face crops found at a score of 0.3. Changes the
        network.
        """
        network = fold_batch_norm(network.eval()).to(memory_format=torch.channels_last)
        detector = CnnDetector(network.to(precision), min_score=LEAST_SCORE)
        photos = together(
            [
                match_scene(detector(self.photo_store[n]), scene, SIDES)
                for n, scene in enumerate(self.photos)
            ]
        )
        scores = {"ap": photos.average_precision(), "recall": photos.recall(0.3)}
        if self.faces:
            crops = together(
                [
                    match_scene(detector(self.face_store[n]), scene)
                    for n, scene in enumerate(self.faces)
                ]
            )
            scores["crops_ap"], scores["crops"] = crops.average_precision(), crops.recall(0.3)
        precisions = [scores[name] for name in ("ap", "crops_ap") if name in scores]
        known = [value for value in precisions if not math.isnan(value)]
        return sum(known) / max(1, len(known)), scores
