"""The project's own face detector: a CNN behind the `Detector` protocol."""

import copy
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torchvision.ops import nms

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.detection.network import DetectorNet, DetectorNetConfig, decode, preprocess
from facial_keypoints.landmarks.predictor import fold_batch_norm
from keypoints_captions.device import pick_device
from keypoints_captions.hub import find_weights
from keypoints_captions.precision import fastest_precision
from keypoints_captions.weights import load_model

NAME = "face_detector"  # of the weights' files

#: Longer side in pixels to which photos are brought, and the most that small ones are enlarged.
SIDE, MOST_ENLARGED = 640, 2.5
#: Score from which a detection is handed on: lower than it would be if it had to be right alone,
#: since the keypoint CNN looks again. Chosen on the validation photos.
MIN_SCORE = 0.6
#: The same where a first look at a photo led to no face: a full profile scores that little.
EAGER_SCORE = 0.15
#: Intersection over union from which two boxes show the same face.
OVERLAP = 0.45
#: Canvases of one shape that the CNN looks at together: on a CPU more do not stay in its caches.
BATCH_CPU, BATCH_GPU = 4, 32
#: At most so many boxes a photo go through non-maximum suppression.
MOST_BOXES = 1000


class CnnDetector:
    """Finds faces with a CNN in one look at the photo.

    network: batch norm folded or not; is put in eval mode.
    side: longer side in pixels to which photos are brought; small ones are enlarged by at most
        `MOST_ENLARGED`.
    min_score: 0..1, detections under it are left out.
    """

    name = "cnn"

    def __init__(self, network: DetectorNet, side: int = SIDE, min_score: float = MIN_SCORE):
        self.network = network.eval()
        self.side, self.min_score = side, min_score
        parameter = next(network.parameters())
        self.device, self.precision = parameter.device, parameter.dtype

    @classmethod
    def load(
        cls, weights: str | Path | None = None, device: str | torch.device | None = None
    ) -> "CnnDetector":
        """The trained detector, ready to use, in the precision that is fastest here.

        Args:
            weights: path of NAME.safetensors (NAME.json beside it), a folder or a Hub repository
                with `face_detector`; the project's own by default.
            device: of torch; by default a GPU where there is one.

        Raises:
            WeightsError: the weights are missing, damaged or of another kind.
        """
        network = load_network(weights).to(pick_device(device))
        return cls(network.to(_network_precision(network)))

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """See `Detector`; the detections have points."""
        return self.many([image])[0]

    def eager(self) -> "CnnDetector":
        """See `EagerDetector`; shares the network."""
        other = copy.copy(self)
        other.min_score = min(self.min_score, EAGER_SCORE)
        return other

    def many(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """See `BatchDetector`: photos whose canvases have one shape share a run of the CNN."""
        fitted = [fit(image, self.side, round(self.network.config.mean)) for image in images]
        shapes: dict[tuple[int, ...], list[int]] = {}
        for index, (canvas, _) in enumerate(fitted):
            shapes.setdefault(canvas.shape, []).append(index)
        most = BATCH_CPU if self.device.type == "cpu" else BATCH_GPU
        found: list[list[Detection]] = [[] for _ in images]
        for alike in shapes.values():
            for start in range(0, len(alike), most):
                batch = alike[start : start + most]
                boxes = self.run_network(np.stack([fitted[index][0] for index in batch]))
                for index, result in zip(batch, boxes, strict=True):
                    found[index] = _detections(*result, scale=fitted[index][1])
        return found

    @torch.inference_mode()
    def run_network(self, canvases: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The CNN on canvases of one shape, and non-maximum suppression.

        Args:
            canvases: (B, H, W, 3) uint8 RGB, H and W multiples of 32.

        Returns:
            For each canvas (N, 4) left, top, right, bottom edge, (N,) scores 0..1 and (N, 5, 2)
            points; float64, pixels of the canvas, the surest first.
        """
        photos = torch.from_numpy(canvases).to(self.device)
        cells = decode(self.network(preprocess(photos, self.network.config).to(self.precision)))
        threshold = float(np.log(self.min_score / (1 - self.min_score)))
        found = []
        for logit, box, points in zip(*cells, strict=True):
            seen = torch.nonzero(logit >= threshold).squeeze(1)
            if len(seen) > MOST_BOXES:
                seen = seen[logit[seen].topk(MOST_BOXES).indices]
            kept = seen[nms(box[seen], logit[seen], OVERLAP)]
            results = box[kept], torch.sigmoid(logit[kept]), points[kept]
            found.append(tuple(result.double().cpu().numpy() for result in results))
        return found  # type: ignore[return-value]


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
    width, height = -(-fitted // 32) * 32
    canvas = np.full((height, width, 3), grey, np.uint8)
    canvas[: fitted[1], : fitted[0]] = small
    return canvas, fitted / size


def load_network(weights: str | Path | None = None) -> DetectorNet:
    """The trained CNN with batch norm folded, in eval mode, on the CPU.

    Raises:
        WeightsError: the weights are missing, damaged or of another kind.
    """
    state, metadata = load_model(find_weights(weights, NAME))
    network = DetectorNet(DetectorNetConfig.from_dict(metadata["config"])).eval()
    network.load_state_dict(state)
    return fold_batch_norm(network).to(memory_format=torch.channels_last)


def _network_precision(network: DetectorNet) -> torch.dtype:
    """The fastest number format for the CNN on its device."""
    device = next(network.parameters()).device
    photo = torch.zeros((1, 3, 480, 640), device=device).to(memory_format=torch.channels_last)

    def run(precision: torch.dtype) -> None:
        copy.deepcopy(network).to(precision)(photo)  # the weights keep all their digits

    return fastest_precision(device, run)
