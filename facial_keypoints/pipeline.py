"""The whole way from a photo to its faces."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import (
    DEFAULT_DETECTOR,
    Detection,
    Detector,
    HaarDetector,
    strongest,
)
from facial_keypoints.face import Face
from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.crops import Crops, crops_from_boxes, crops_from_points
from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints, fold_batch_norm
from keypoints_captions.device import pick_device
from keypoints_captions.hub import HubModel, find_weights
from keypoints_captions.photos.reader import read_photo
from keypoints_captions.precision import fastest_precision
from keypoints_captions.weights import load_model

NAME, DETECTOR_NAME = "facial_keypoints", "face_detector"  # of the weights' files

#: Names for `--detector` -> what makes it.
DETECTORS: dict[str, Callable[[str | Path | None, torch.device | None], Detector]] = {
    "cnn": CnnDetector.load,
    "haar": lambda weights, device: HaarDetector(),
}

#: Face score under which a detection is no face. Chosen on the validation faces and photos.
MIN_SCORE = 0.5
#: The same on a photo turned by a quarter or a half, which is looked at where it shows no face
#: upright: most photos without faces must stay without.
MIN_SCORE_TURNED = 0.98


class FacialKeypoints(HubModel):
    """Finds faces in a photo and predicts 68 keypoints on each.

    fk = FacialKeypoints.load()
    for face in fk(image):
        face.points
    """

    PAIRS, CARD = (NAME, DETECTOR_NAME), NAME

    def __init__(
        self, predictor: KeypointPredictor, detector: Detector, min_score: float = MIN_SCORE
    ):
        self.predictor, self.detector, self.min_score = predictor, detector, min_score

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        detector: str | Detector = "auto",
        device: str | torch.device | None = None,
    ) -> "FacialKeypoints":
        """Loads the trained CNN, ready to use.

        Args:
            weights: path of NAME.safetensors (NAME.json beside it); a folder or a repository of
                the Hugging Face Hub (OWNER/NAME) with `facial_keypoints` and, where it is not the
                project's own, `face_detector`; the project's own by default.
            detector: `auto`, `cnn`, `haar`, or any `Detector`.
            device: of torch, for both networks; by default a GPU where there is one.

        Raises:
            WeightsError: the weights are missing, damaged or of another kind.
            ValueError: there is no such detector or device.
        """
        device = pick_device(device)
        pair = find_weights(weights, NAME)
        beside = pair.parent / DETECTOR_NAME
        if pair.name != NAME or not beside.with_name(f"{DETECTOR_NAME}.json").is_file():
            beside = find_weights(None, DETECTOR_NAME)
        network = load_network(pair).to(device)
        network.convolve_in(_network_precision(network))
        model = cls(KeypointPredictor(network), make_detector(detector, device, beside))
        model.pairs = (pair, beside)
        return model

    def using(self, detector: str | Detector) -> "FacialKeypoints":
        """The same CNN behind another detector.

        Raises:
            WeightsError: the detector's weights are missing, damaged or of another kind.
            ValueError: no detector has that name.
        """
        beside = self.pairs[1] if self.pairs else None
        other = make_detector(detector, self.predictor.device, beside)
        model = FacialKeypoints(self.predictor, other, self.min_score)
        model.pairs = self.pairs
        return model

    def __call__(self, image: np.ndarray | Image.Image) -> list[Face]:
        """Faces of a photo, the surest first; an empty list where there is none.

        Args:
            image: (H, W, 3) uint8 RGB array, or a PIL image of any mode.

        Raises:
            PhotoError: the image is neither.
        """
        pixels = read_photo(image)
        faces = self._find(pixels, self.min_score)
        for quarters in (1, 3, 2):  # to the left, to the right, upside down
            if faces:
                break
            turned = np.ascontiguousarray(np.rot90(pixels, quarters))
            faces = [
                _turned_back(face, turned.shape[:2], quarters)
                for face in self._find(turned, max(self.min_score, MIN_SCORE_TURNED))
            ]
        return faces

    def _find(self, pixels: np.ndarray, min_score: float) -> list[Face]:
        """Faces of at least that score, surest first, each once."""
        faces = self.predict_detections(pixels, self.detector(pixels))
        return _without_duplicates([face for face in faces if face.score >= min_score])

    def predict_detections(self, image: np.ndarray, found: Sequence[Detection]) -> list[Face]:
        """Faces where a detector saw some: one `Face` for each detection, whatever its score.

        A detector that gives five points is precise: one reading does for most faces, and only
        those are read again whose points say that their crop was off.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        boxes = np.array([detection.box for detection in found]).reshape(-1, 4)
        five = [detection.points for detection in found if detection.points is not None]
        if not found or len(five) < len(found):
            return self.predict(image, boxes)
        crops = crops_from_boxes(boxes, five=np.stack(five))
        keypoints = self.predictor([image] * len(crops), crops, passes=1)
        better = crops_from_points(keypoints.points)
        off = np.flatnonzero(_are_off(crops, better))
        if len(off):
            again = self.predictor([image] * len(off), better[off], passes=1)
            keypoints.points[off], keypoints.scale[off] = again.points, again.scale
            keypoints.score[off] = again.score
        return faces_from_keypoints(keypoints, image)

    def predict(self, image: np.ndarray, boxes: np.ndarray | Sequence[Any]) -> list[Face]:
        """Faces in boxes of the caller's: one `Face` for each box, whatever its score.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) x, y, width, height in pixels: landmark boxes, brow to chin.
        """
        crops = crops_from_boxes(np.asarray(boxes, np.float64).reshape(-1, 4))
        return faces_from_keypoints(self.predictor([image] * len(crops), crops), image)


def load_network(weights: str | Path | None = None) -> KeypointNet:
    """The trained CNN with batch norm folded, in eval mode, on the CPU.

    Raises:
        WeightsError: the weights are missing, damaged or of another kind.
    """
    state, metadata = load_model(find_weights(weights, NAME))
    network = KeypointNet(KeypointNetConfig.from_dict(metadata["config"])).eval()
    network.load_state_dict(state)
    return fold_batch_norm(network).to(memory_format=torch.channels_last)


def _network_precision(network: KeypointNet) -> torch.dtype:
    """What the CNN's convolutions run fastest in on the device it is on."""
    device = next(network.parameters()).device
    size = network.config.input_size
    crop = torch.zeros((1, 3, size, size), device=device).to(memory_format=torch.channels_last)

    def run(precision: torch.dtype) -> None:
        copy.deepcopy(network).convolve_in(precision)(crop)  # the weights keep all their digits

    return fastest_precision(device, run)


def make_detector(
    detector: str | Detector,
    device: torch.device | None = None,
    weights: str | Path | None = None,
) -> Detector:
    """The detector of that name; a detector is handed back as it is.

    device, weights: as `CnnDetector.load` takes them; for detectors that have a network.

    Raises:
        WeightsError: the detector's weights are missing, damaged or of another kind.
        ValueError: no detector has that name.
    """
    if not isinstance(detector, str):
        return detector
    name = DEFAULT_DETECTOR if detector == "auto" else detector
    if name not in DETECTORS:
        known = ", ".join(["auto", *DETECTORS])
        raise ValueError(f"no detector is called {detector!r}; there are {known}")
    return DETECTORS[name](weights, device)


def faces_from_keypoints(keypoints: Keypoints, image: np.ndarray) -> list[Face]:
    """One `Face` for each of the keypoints' faces, in their order."""
    height, width = image.shape[:2]
    confidence = keypoints.confidence()
    return [
        Face(
            box=landmark_box(points),
            score=float(score),
            points=points,
            confidence=confidence[index],
            pose=estimate_pose(points, (width, height)),
        )
        for index, (points, score) in enumerate(zip(keypoints.points, keypoints.score, strict=True))
    ]


def _turned_back(face: Face, shape: tuple[int, ...], quarters: int) -> Face:
    """A face of a picture of that height and width, which np.rot90 turned so many times, in the
    picture as it was."""
    points, (height, width) = face.points, shape
    for _ in range(quarters):  # each undoes a quarter to the left
        points = np.stack([height - 1 - points[:, 1], points[:, 0]], axis=1)
        height, width = width, height
    pose = estimate_pose(points, (width, height))
    return replace(face, box=landmark_box(points), points=points, pose=pose)


def landmark_box(points: np.ndarray) -> np.ndarray:
    """(4,) float32: x, y, width, height of the upright box around (68, 2) points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low]).astype(np.float32)


def _are_off(crops: Crops, better: Crops) -> np.ndarray:
    """(N,) bool: by a tenth of the side, by a fifth in size, or by ten degrees."""
    moved = np.linalg.norm(crops.centre - better.centre, axis=1) > 0.1 * better.side
    resized = np.abs(np.log(crops.side / better.side)) > 0.2
    turned = np.abs((crops.angle - better.angle + 180) % 360 - 180) > 10
    return moved | resized | turned


def _without_duplicates(faces: list[Face], overlap: float = 0.45) -> list[Face]:
    """Two detections may lead to the same face: keeps the surer; surest first."""
    boxes = np.array([face.box for face in faces]).reshape(-1, 4)
    return [faces[index] for index in strongest(boxes, [face.score for face in faces], overlap)]
