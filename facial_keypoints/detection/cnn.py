"""The project's own face detector: a CNN behind the `Detector` protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facial_keypoints.detection.detectors import Detection, strongest
from keypoints_captions.engines.choice import as_engine, load_engines
from keypoints_captions.engines.engine import Engine
from keypoints_captions.hub import find_weights

if TYPE_CHECKING:  # torch takes seconds to import, and serving on a CPU needs none
    import torch

    from facial_keypoints.detection.network import DetectorNet
    from facial_keypoints.detection.whole import WholeDetectorNet

NAME = "face_detector"  # of the weights' files

#: Longer side in pixels to which photos are brought, and the most that small ones are enlarged.
SIDE, MOST_ENLARGED = 640, 2.5
#: Score from which a detection is handed on: lower than it would be if it had to be right alone,
#: since the keypoint CNN looks again. Chosen on the validation photos.
MIN_SCORE = 0.6
#: The same for weak signs, of which few are faces: full profiles and lying faces score that little.
EAGER_SCORE = 0.15
#: Longer side in pixels to which photos are brought that are looked at turned.
TURNED_SIDE = 320
#: Intersection over union from which two boxes show the same face.
OVERLAP = 0.45
#: Value of every channel beside the photo on a canvas: the mean that the CNN subtracts.
GREY = 128
#: Canvases of one shape that the CNN looks at together: on a CPU more do not stay in its caches.
BATCH = 4
#: At most so many boxes a photo go through non-maximum suppression.
MOST_BOXES = 1000


class CnnDetector:
    """Finds faces with a CNN in one look at the photo.

    network: the engine that runs it, or a torch network, which then runs as it is.
    side: longer side in pixels to which photos are brought; small ones are enlarged by at most
        `MOST_ENLARGED`.
    min_score: 0..1, detections under it are left out.
    """

    name = "cnn"

    def __init__(
        self,
        network: "Engine | DetectorNet",
        side: int = SIDE,
        min_score: float = MIN_SCORE,
    ) -> None:
        self.engine = as_engine(network, _whole)
        self.side, self.min_score = side, min_score

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        device: "str | torch.device | None" = None,
        engine: str = "auto",
    ) -> "CnnDetector":
        """The trained detector, ready to use, in the precision that is fastest here.

        Args:
            weights: path of NAME.safetensors (NAME.json beside it), a folder or a Hub repository
                with `face_detector`; the project's own by default.
            device: of torch; by default a GPU where there is one.
            engine: "auto", "openvino" or "torch"; see `load_engines`.

        Raises:
            WeightsError: the weights are missing, damaged or of another kind.
        """
        pair = find_weights(weights, NAME)

        def in_torch(device: "torch.device") -> dict[str, Engine]:
            from facial_keypoints.in_torch import in_fastest_precision

            network = in_fastest_precision(load_network(pair).to(device), (480, 640))
            return {"": as_engine(network, _whole)}

        return cls(load_engines(pair, [""], device, engine, in_torch, reads="canvases")[""])

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """See `Detector`; the detections have points."""
        return self.many([image])[0]

    def many(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """See `BatchDetector`: photos whose canvases have one shape share a run of the CNN."""
        return self._look(images, self.side, self.min_score)

    def eagerly(self, images: Sequence[np.ndarray], quarters: int = 0) -> list[list[Detection]]:
        """See `EagerDetector`."""
        side = min(self.side, TURNED_SIDE) if quarters else self.side
        return self._look(images, side, min(self.min_score, EAGER_SCORE), quarters)

    def _look(
        self, images: Sequence[np.ndarray], side: int, min_score: float, quarters: int = 0
    ) -> list[list[Detection]]:
        fitted = [fit(image, side, GREY) for image in images]
        shapes: dict[tuple[int, ...], list[int]] = {}
        for index, (canvas, _) in enumerate(fitted):
            shapes.setdefault(canvas.shape, []).append(index)
        found: list[list[Detection]] = [[] for _ in images]
        for shape, alike in shapes.items():
            for start in range(0, len(alike), BATCH):
                batch = alike[start : start + BATCH]
                canvases = np.stack([np.rot90(fitted[index][0], quarters) for index in batch])
                results = self.run_network(canvases, min_score)
                for index, (boxes, scores, points) in zip(batch, results, strict=True):
                    corners = turned_back(boxes.reshape(-1, 2, 2), shape, quarters)
                    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
                    points = turned_back(points, shape, quarters)
                    found[index] = _detections(boxes, scores, points, fitted[index][1])
        return found

    def run_network(
        self, canvases: np.ndarray, min_score: float
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The CNN on canvases of one shape, and non-maximum suppression.

        Args:
            canvases: (B, H, W, 3) uint8 RGB, H and W multiples of 32.
            min_score: 0..1, what is under it is left out.

        Returns:
            For each canvas (N, 4) left, top, right, bottom edge, (N,) scores 0..1 and (N, 5, 2)
            points; float64, pixels of the canvas, the surest first.
        """
        cells = self.engine(canvases=canvases)
        found = []
        for scores, box, points in zip(cells["score"], cells["box"], cells["points"], strict=True):
            seen = np.flatnonzero(scores >= min_score)
            if len(seen) > MOST_BOXES:
                seen = seen[np.argpartition(-scores[seen], MOST_BOXES)[:MOST_BOXES]]
            corners = box[seen].astype(np.float64)
            corners[:, 2:] -= corners[:, :2]
            kept = seen[strongest(corners, scores[seen].tolist(), OVERLAP)]
            results = (part[kept].astype(np.float64) for part in (box, scores, points))
            found.append(tuple(results))
        return found


def _whole(network: "DetectorNet") -> "WholeDetectorNet":
    from facial_keypoints.detection.whole import WholeDetectorNet

    return WholeDetectorNet(network)


def turned_back(points: np.ndarray, shape: tuple[int, ...], quarters: int) -> np.ndarray:
    """(..., 2) points of a picture that np.rot90 turned so often, in the picture as it was, which
    has that height and width."""
    sides = shape[1::-1]
    for turn in range(quarters % 4, 0, -1):
        width = sides[(turn - 1) % 2]  # of the picture before this quarter to the left
        points = np.stack([width - 1 - points[..., 1], points[..., 0]], axis=-1)
    return points


def _detections(
    boxes: np.ndarray, scores: np.ndarray, points: np.ndarray, scale: np.ndarray
) -> list[Detection]:
    """`run_network`'s result for one canvas, in pixels of the photo; scale: as `fit` gives it."""
    # Pixel centres are at whole numbers: the canvas's corner at -0.5 is the photo's.
    boxes = (boxes + 0.5) / (*scale, *scale) - 0.5
    points = (points + 0.5) / scale - 0.5
    return [
        Detection(np.array([*box[:2], *(box[2:] - box[:2])]), float(score), five)
        for box, score, five in zip(boxes, scores, points, strict=True)
    ]


def fit(image: np.ndarray, side: int, grey: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo brought to the CNN's scale.

    Args:
        image: (H, W, 3) uint8 RGB. side: of the result, at most. grey: fills the border.

    Returns:
        (h, w, 3) uint8 RGB canvas, h and w multiples of 32, the photo in its top left corner; and
        (2,) float64, canvas pixels for a pixel of the photo, in x and in y.
    """
    size = np.array(image.shape[1::-1])
    scale = min(side / size.max(), MOST_ENLARGED)
    fitted = np.maximum(1, np.round(size * scale)).astype(int)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, fitted.tolist(), interpolation=interpolation)
    right, below = (-fitted % 32).tolist()
    constant, colour = cv2.BORDER_CONSTANT, (grey, grey, grey)
    canvas = cv2.copyMakeBorder(small, 0, below, 0, right, constant, value=colour)
    return canvas, fitted / size


def load_network(weights: str | Path | None = None) -> "DetectorNet":
    """The trained CNN in PyTorch, see `facial_keypoints.in_torch.load`."""
    from facial_keypoints.detection.network import DetectorNet, DetectorNetConfig
    from facial_keypoints.in_torch import load

    return load(
        lambda config: DetectorNet(DetectorNetConfig.from_dict(config)), find_weights(weights, NAME)
    )
