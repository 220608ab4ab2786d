"""The keypoint pipeline: a photo in, its faces out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from PIL import Image

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import (
    DEFAULT_DETECTOR,
    Detection,
    Detector,
    HaarDetector,
)
from facial_keypoints.face import Face
from facial_keypoints.landmarks.crops import crops_from_boxes
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.looks import MIN_SCORE, Looks, faces_of
from facial_keypoints.reading import read_detections
from keypoints_captions.batches import BATCH, Outcome, run_batches
from keypoints_captions.engines.choice import load_engines
from keypoints_captions.engines.engine import Engine
from keypoints_captions.hub import HubModel, find_weights
from keypoints_captions.photos.reader import PhotoSource, read_photo

if TYPE_CHECKING:  # torch takes seconds to import, and serving on a CPU needs none
    import torch

    from facial_keypoints.landmarks.network import KeypointNet

NAME, DETECTOR_NAME = "facial_keypoints", "face_detector"  # of the weights' files

#: Names for `--detector` -> what makes it.
DETECTORS: dict[str, Callable[[str | Path | None, str | None, str], Detector]] = {
    "cnn": CnnDetector.load,
    "haar": lambda weights, device, engine: HaarDetector(),
}


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
        self._looks = Looks(predictor, detector, min_score)
        self.device: str | None = None
        self.engine = "auto"

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        detector: str | Detector = "auto",
        device: str | None = None,
        engine: str = "auto",
    ) -> "FacialKeypoints":
        """Loads the trained CNN, ready to use.

        Args:
            weights: path of NAME.safetensors (NAME.json beside it); a folder or a repository of
                the Hugging Face Hub (OWNER/NAME) with `facial_keypoints` and, where it is not the
                project's own, `face_detector`; the project's own by default.
            detector: `auto`, `cnn`, `haar`, or any `Detector`.
            device: of torch, for both networks; by default a GPU where there is one.
            engine: "auto", "openvino" or "torch", for both networks; see `load_engines`.

        Raises:
            WeightsError: the weights are missing, damaged or of another kind.
            ValueError: there is no such detector, device or engine.
        """
        pair = find_weights(weights, NAME)
        beside = pair.parent / DETECTOR_NAME
        if pair.name != NAME or not beside.with_name(f"{DETECTOR_NAME}.json").is_file():
            beside = find_weights(None, DETECTOR_NAME)
        engines = load_engines(
            pair, [""], device, engine, lambda device: _in_torch(pair, device), reads="crops"
        )
        predictor = KeypointPredictor(engines[""])
        model = cls(predictor, make_detector(detector, device, beside, engine))
        model.pairs, model.device, model.engine = (pair, beside), device, engine
        return model

    def using(self, detector: str | Detector) -> "FacialKeypoints":
        """The same CNN behind another detector.

        Raises:
            WeightsError: the detector's weights are missing, damaged or of another kind.
            ValueError: no detector has that name.
        """
        beside = self.pairs[1] if self.pairs else None
        other = make_detector(detector, self.device, beside, self.engine)
        model = FacialKeypoints(self.predictor, other, self.min_score)
        model.pairs, model.device, model.engine = self.pairs, self.device, self.engine
        return model

    @overload
    def __call__(self, image: np.ndarray | Image.Image) -> list[Face]: ...

    @overload
    def __call__(self, image: Sequence[np.ndarray | Image.Image]) -> list[list[Face]]: ...

    def __call__(
        self, image: np.ndarray | Image.Image | Sequence[np.ndarray | Image.Image]
    ) -> list[Face] | list[list[Face]]:
        """Faces of a photo, the surest first, an empty list where there is none; of a list of
        photos a list for each, found in batches.

        Args:
            image: (H, W, 3) uint8 RGB array, or a PIL image of any mode; or a list or tuple of
                these, of any sizes. All of them are in memory at once; see `stream`.

        Raises:
            PhotoError: an image is neither.
        """
        if isinstance(image, list | tuple):
            return self._looks.find([read_photo(one) for one in image])
        return self._looks.find([read_photo(image)])[0]  # type: ignore[arg-type]

    def stream(self, photos: Iterable[PhotoSource]) -> Iterator[Outcome[PhotoSource, list[Face]]]:
        """Faces of any number of photos, in their order, each as soon as it is known.

        Photos are read in threads, a few ahead, and go through the networks in batches on all
        cores. One that cannot be read stops nothing: its outcome says why.

        Args:
            photos: whatever `read_photo` takes: paths, the files' bytes, images, arrays. A
                generator is taken from as the work goes on.
        """
        return run_batches(photos, read_photo, self._looks.find, batch_size=BATCH, weigh=_weigh)

    def least_scores(self, detections: Sequence[Detection]) -> np.ndarray:
        """(N,) face scores from which detections are faces, see `Looks.least_scores`."""
        return self._looks.least_scores(detections)

    def predict_detections(self, image: np.ndarray, found: Sequence[Detection]) -> list[Face]:
        """Faces where a detector saw some, the way up that it says: one `Face` for each detection,
        whatever its score. How often each is read: see `read_detections`.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        images = [image] * len(found)
        return faces_of(read_detections(self.predictor, images, found), images)

    def predict(
        self, image: np.ndarray | Image.Image, boxes: np.ndarray | Sequence[Any]
    ) -> list[Face]:
        """Faces in boxes of the caller's: one `Face` for each box, whatever its score.

        Args:
            image: one, as a call takes it.
            boxes: (N, 4) x, y, width, height in pixels: landmark boxes, brow to chin.

        Raises:
            PhotoError: the image is of another kind.
            ValueError: the boxes are of another shape, or not finite.
        """
        boxes = np.asarray(boxes, np.float64)
        if (boxes.size and boxes.shape[-1] != 4) or not np.isfinite(boxes).all():
            raise ValueError(
                "Expected boxes (N, 4) of finite numbers x, y, width, height; got "
                f"{boxes.shape}: {boxes.ravel()[:5].tolist()}"
            )
        crops = crops_from_boxes(boxes.reshape(-1, 4))
        images = [read_photo(image)] * len(crops)
        return faces_of(self.predictor(images, crops), images)


def load_network(weights: str | Path | None = None) -> "KeypointNet":
    """The trained CNN in PyTorch, see `facial_keypoints.in_torch.load`."""
    from facial_keypoints.in_torch import load
    from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig

    return load(
        lambda config: KeypointNet(KeypointNetConfig.from_dict(config)), find_weights(weights, NAME)
    )


def _in_torch(pair: Path, device: "torch.device") -> dict[str, Engine]:
    from facial_keypoints.in_torch import in_fastest_precision
    from facial_keypoints.landmarks.network import KeypointNet

    network = load_network(pair).to(device)
    side = network.config.input_size
    network = in_fastest_precision(network, (side, side), KeypointNet.convolve_in)
    return {"": KeypointPredictor(network).engine}


def make_detector(
    detector: str | Detector,
    device: str | None = None,
    weights: str | Path | None = None,
    engine: str = "auto",
) -> Detector:
    """The detector of that name; a detector is handed back as it is.

    device, weights, engine: as `CnnDetector.load` takes them; for detectors that have a network.

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
    return DETECTORS[name](weights, device, engine)


def _weigh(image: np.ndarray) -> int:
    return image.nbytes
