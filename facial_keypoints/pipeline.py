"""The keypoint pipeline: a photo in, its faces out."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from PIL import Image

from facial_keypoints.detection.agreement import least_face_score
from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import (
    DEFAULT_DETECTOR,
    BatchDetector,
    Detection,
    Detector,
    EagerDetector,
    HaarDetector,
    strongest,
)
from facial_keypoints.face import Face
from facial_keypoints.geometry.boxes import inside
from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.crops import crops_from_boxes
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints
from facial_keypoints.landmarks.reading import (
    crops_of,
    joined,
    read_detections,
    read_doubtful,
    upside_down,
)
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

#: Face score under which a detection is no face. Chosen on the validation faces and photos.
MIN_SCORE = 0.5
#: Face score under which a detection in the photo turned by a quarter is no face, where the photo
#: shows none upright: most photos without faces must stay without.
MIN_SCORE_TURNED = 0.98
#: Face score of a quick reading from which a doubtful face is read well.
MIN_SCORE_FIRST = 0.3
#: Share of the smaller of two boxes in the other from which a weak detection is none beside a face,
#: and its least area in shares of the largest face's: a patch of skin is smaller.
BESIDE, LEAST_BESIDE = 0.65, 0.36
#: So many weak detections are read beside faces, and of each look at a photo without any.
MOST_BESIDE, MOST_DOUBTFUL = 1, 2
#: By how many quarters a photo is turned to the left for the last look: faces that lie on one side
#: stand upright there, those that lie on the other upside down.
TURN = 1
#: Face score from which a face is surely read the right way up. Where a photo shows no such face,
#: each is read upside down too, and is taken so if that is sure.
SURE_SCORE = 0.99
#: Intersection over union from which two faces are one.
DUPLICATE = 0.45


T = TypeVar("T", Detection, Face)


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
        engines = load_engines(pair, [""], device, engine, lambda device: _in_torch(pair, device))
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
            return self._find([read_photo(one) for one in image])
        return self._find([read_photo(image)])[0]  # type: ignore[arg-type]

    def stream(self, photos: Iterable[PhotoSource]) -> Iterator[Outcome[PhotoSource, list[Face]]]:
        """Faces of any number of photos, in their order, each as soon as it is known.

        Photos are read in threads, a few ahead, and go through the networks in batches on all
        cores. One that cannot be read stops nothing: its outcome says why.

        Args:
            photos: whatever `read_photo` takes: paths, the files' bytes, images, arrays. A
                generator is taken from as the work goes on.
        """
        return run_batches(photos, read_photo, self._find, batch_size=BATCH, weigh=_weigh)

    def _find(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Faces of (H, W, 3) uint8 RGB photos. Weak signs of one, as profiles and lying faces have,
        are looked at closely; photos that show none at first are turned, too."""
        detector = self.detector
        if not isinstance(detector, EagerDetector):
            if isinstance(detector, BatchDetector):
                return self._look(images, detector.many(images))
            return self._look(images, [detector(image) for image in images])
        seen, least = detector.eagerly(images), detector.min_score
        faces = self._look(images, [[one for one in own if one.score >= least] for own in seen])
        weak = [[one for one in own if one.score < least] for own in seen]
        beside = [_beside(own, found) for own, found in zip(weak, faces, strict=True)]
        for found, more in zip(faces, self._look_beside(images, beside), strict=True):
            found += _beside(more, found)
            found.sort(key=lambda face: -face.score)
        empty = [place for place, found in enumerate(faces) if seen[place] and not found]
        if not empty:
            return faces
        photos = [images[place] for place in empty]
        lone = [weak[place] for place in empty]
        doubtful = [
            [one for found in looks for one in _best(found, least)]
            for looks in zip(lone, detector.eagerly(photos, TURN), strict=True)
        ]
        for place, own in zip(empty, self._look_closely(photos, doubtful), strict=True):
            faces[place] = own
        return faces

    def _look(
        self, images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
    ) -> list[list[Face]]:
        """Faces among detections; where a photo shows no sure one, each is read upside down too."""
        detections, owners, photos = _flat(images, found)
        keypoints = read_detections(self.predictor, photos, detections)
        sure = set(owners[keypoints.score >= SURE_SCORE])
        unsure = np.array([place for place, own in enumerate(owners) if own not in sure], int)
        if len(unsure):
            crops = upside_down(crops_of([detections[place] for place in unsure]))
            over = read_doubtful(
                self.predictor, [photos[i] for i in unsure], crops, MIN_SCORE_FIRST
            )
            turned = np.flatnonzero(over.score >= SURE_SCORE)
            keypoints.put(unsure[turned], over[turned])
        return _chosen(images, owners, keypoints, self.least_scores(detections))

    def _look_beside(
        self, images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
    ) -> list[list[Face]]:
        """Faces among weak detections that have faces beside them."""
        detections, owners, photos = _flat(images, found)
        if not detections:
            return [[] for _ in images]
        crops = crops_of(detections)
        keypoints = read_doubtful(self.predictor, photos, crops, MIN_SCORE_FIRST)
        return _chosen(images, owners, keypoints, self.least_scores(detections))

    def _look_closely(
        self, images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
    ) -> list[list[Face]]:
        """Faces among detections that are rarely any, either way up."""
        detections, owners, photos = _flat(images, found)
        crops = crops_of(detections)
        crops = joined(crops, upside_down(crops))
        keypoints = read_doubtful(self.predictor, 2 * photos, crops, MIN_SCORE_FIRST)
        owners = np.tile(owners, 2)
        least = np.maximum(np.tile(self.least_scores(detections), 2), MIN_SCORE_TURNED)
        return _chosen(images, owners, keypoints, least)

    def least_scores(self, detections: Sequence[Detection]) -> np.ndarray:
        """(N,) face scores from which detections are faces: `min_score`, and more where a detector
        that knows its doubts is not sure."""
        least = np.full(len(detections), self.min_score)
        if isinstance(self.detector, EagerDetector):
            least = np.maximum(least, least_face_score(np.array([one.score for one in detections])))
        return least

    def predict_detections(self, image: np.ndarray, found: Sequence[Detection]) -> list[Face]:
        """Faces where a detector saw some, the way up that it says: one `Face` for each detection,
        whatever its score. How often each is read: see `read_detections`.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        images = [image] * len(found)
        return _faces(read_detections(self.predictor, images, found), images)

    def predict(self, image: np.ndarray, boxes: np.ndarray | Sequence[Any]) -> list[Face]:
        """Faces in boxes of the caller's: one `Face` for each box, whatever its score.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) x, y, width, height in pixels: landmark boxes, brow to chin.
        """
        crops = crops_from_boxes(np.asarray(boxes, np.float64).reshape(-1, 4))
        images = [image] * len(crops)
        return _faces(self.predictor(images, crops), images)


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


def _faces(keypoints: Keypoints, images: Sequence[np.ndarray]) -> list[Face]:
    """One `Face` for each of the keypoints' faces, each in its own photo."""
    confidence = keypoints.confidence()
    return [
        Face(
            box=landmark_box(points),
            score=float(keypoints.score[index]),
            points=points,
            confidence=confidence[index],
            pose=estimate_pose(points, image.shape[1::-1]),
        )
        for index, (points, image) in enumerate(zip(keypoints.points, images, strict=True))
    ]


def _best(found: list[Detection], least: float) -> list[Detection]:
    """Those of at least that score; of others those that are among the first."""
    sure = sum(one.score >= least for one in found)
    return found[: max(sure, MOST_DOUBTFUL)]


def _beside(found: Sequence[T], faces: Sequence[Face]) -> list[T]:
    """The first `MOST_BESIDE` that have little in common with the faces, and are not much smaller
    than the largest; none without a face."""
    least = max((LEAST_BESIDE * face.box[2] * face.box[3] for face in faces), default=np.inf)
    large = [one for one in found if one.box[2] * one.box[3] >= least]
    apart = [one for one in large if all(inside(one.box, f.box) < BESIDE for f in faces)]
    return apart[:MOST_BESIDE]


def _flat(
    images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
) -> tuple[list[Detection], np.ndarray, list[np.ndarray]]:
    """Detections of all photos, (N,) int64 whose they are, and the photo of each."""
    owners = np.repeat(np.arange(len(images)), [len(own) for own in found])
    return list(itertools.chain(*found)), owners, [images[owner] for owner in owners.tolist()]


def _chosen(
    images: Sequence[np.ndarray], owners: np.ndarray, keypoints: Keypoints, least: np.ndarray
) -> list[list[Face]]:
    """Of each photo the faces of at least these (N,) scores, the surest first. Of detections that
    led to the same face the surest stays."""
    faces = []
    for owner, image in enumerate(images):
        places = np.flatnonzero((owners == owner) & (keypoints.score >= least))
        own = keypoints[places]
        boxes = np.array([landmark_box(points) for points in own.points]).reshape(-1, 4)
        kept = own[np.array(strongest(boxes, own.score.tolist(), DUPLICATE), int)]
        faces.append(_faces(kept, [image] * len(kept.score)))
    return faces


def landmark_box(points: np.ndarray) -> np.ndarray:
    """(4,) float32: x, y, width, height of the upright box around (68, 2) points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low]).astype(np.float32)


def _weigh(image: np.ndarray) -> int:
    return image.nbytes
