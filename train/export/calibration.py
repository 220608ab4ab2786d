"""Pictures to learn from what numbers the layers of the two CNNs see, and those numbers' ranges.

The pictures are made of the free example photos, so that an export needs no data.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnxruntime import InferenceSession

from facial_keypoints.detection import cnn
from facial_keypoints.detection.cnn import GREY, CnnDetector, fit
from facial_keypoints.landmarks.crops import Crops, crops_from_points, cut
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import FacialKeypoints, load_network
from keypoints_captions.photos.reader import read_photo

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
PHOTOS = ("astronaut.jpg", "admiral.jpg", "two_portraits.jpg")  # with faces
VIEWS = 24  # crops of each face
SIDES = (640, 640, 320, 200, 120)  # pixels, of the canvases of each photo


def calibration_crops(weights: Path) -> np.ndarray:
    """(N, S, S, 3) uint8 RGB: the example photos' faces, the same at every call: found in float32,
    so that they do not depend on an export of before."""
    keypoints, detector = FacialKeypoints.load(weights, device="cpu").pairs
    pipeline = FacialKeypoints(
        KeypointPredictor(load_network(keypoints)), CnnDetector(cnn.load_network(detector))
    )
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


def calibration_canvases() -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB: the example photos, lit otherwise and small too, the same at every
    call."""
    rng = np.random.default_rng(0)
    for file in sorted(EXAMPLES.glob("*.jpg")):
        photo = read_photo(file)
        for side in SIDES:
            light = photo * np.exp(rng.normal(0, 0.3)) + rng.normal(0, 15)
            yield fit(np.clip(light, 0, 255).astype(np.uint8), side, GREY)[0]


def convolution_ranges(
    graph: onnx.ModelProto, weights: tuple[str, ...], pictures: Iterable[np.ndarray]
) -> dict[str, tuple[float, float]]:
    """What convolutions read: by a convolution's name the least and the greatest number.

    Args:
        graph: float32, with one input. weights: how the names of their weights begin.
        pictures: (H, W, 3) uint8 RGB, as the input takes them.
    """
    graph = onnx.ModelProto.FromString(graph.SerializeToString())
    read = {
        node.name: node.input[0]
        for node in graph.graph.node
        if node.op_type == "Conv" and node.input[1].startswith(weights)
    }
    values = sorted(set(read.values()))
    del graph.graph.output[:]
    for value in values:
        kind = onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, None)
        graph.graph.output.append(kind)
    session = InferenceSession(graph.SerializeToString())
    (port,) = session.get_inputs()
    low, high = np.full(len(values), np.inf), np.full(len(values), -np.inf)
    for picture in pictures:
        seen = session.run(values, {port.name: picture[None]})
        low = np.minimum(low, [value.min() for value in seen])
        high = np.maximum(high, [value.max() for value in seen])
    ends = {
        value: (round(a, 4), round(b, 4))
        for value, a, b in zip(values, low.tolist(), high.tolist(), strict=True)
    }
    return {name: ends[value] for name, value in read.items()}
