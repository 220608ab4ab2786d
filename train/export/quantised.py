"""The keypoint CNN in whole numbers of 8 bits: twice as fast in browsers, half the size.

Convolutions read and give bytes; the last one and all that follows stay float32. The ranges of the
bytes are those seen on faces of the free example photos, cut out and lit in many ways. For camera
frames, where speed counts; photos are read in full precision.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from facial_keypoints.landmarks.crops import Crops, crops_from_points, cut
from facial_keypoints.pipeline import FacialKeypoints
from keypoints_captions.photos.reader import read_photo

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
PHOTOS = ("astronaut.jpg", "admiral.jpg", "two_portraits.jpg")
VIEWS = 24  # crops of each face


class _Crops(CalibrationDataReader):
    def __init__(self, crops: np.ndarray) -> None:
        self._next = iter([{"crops": crop[None]} for crop in crops])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._next, None)


def quantise(graph: onnx.ModelProto, crops: np.ndarray) -> onnx.ModelProto:
    """The graph with its convolutions in 8 bits.

    Args:
        graph: of `WholeKeypointNet`, float32.
        crops: (N, S, S, 3) uint8 RGB faces to learn the ranges from.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder, f"{name}.onnx") for name in ("whole", "ready", "small"))
        onnx.save(graph, whole)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        last = [node.name for node in onnx.load(ready).graph.node if node.op_type == "Conv"][-1]
        quantize_static(
            ready,
            small,
            _Crops(crops),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv", "Add"],
            nodes_to_exclude=[last],
        )
        return onnx.load(small)


def calibration_crops(weights: Path) -> np.ndarray:
    """(N, S, S, 3) uint8 RGB: the example photos' faces, the same at every call."""
    pipeline = FacialKeypoints.load(weights, device="cpu")
    rng = np.random.default_rng(0)
    size = pipeline.predictor.input_size
    crops = []
    for photo in map(read_photo, (EXAMPLES / name for name in PHOTOS)):
        for face in pipeline(photo):
            crops += list(_views(photo, crops_from_points(face.points[None]), size, rng))
    return np.stack(crops)


def _views(
    photo: np.ndarray, exact: Crops, size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """A face moved, turned, resized, mirrored, lit otherwise, blurred and noisy."""
    side = exact.side[0]
    for view in range(VIEWS):
        centre = exact.centre + rng.normal(0, 0.08 * side, (1, 2))
        turn, resize = rng.normal(0, 12, 1), np.exp(rng.normal(0, 0.15, 1))
        crop = cut(photo, Crops(centre, exact.side * resize, exact.angle + turn), size)[0]
        crop = crop[:, ::-1] if view % 2 else crop
        light = crop * np.exp(rng.normal(0, 0.35)) + rng.normal(0, 20)
        if view % 3 == 0:
            light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 3))
        light = light + rng.normal(0, rng.uniform(0, 12), light.shape)
        yield np.clip(light, 0, 255).astype(np.uint8)
