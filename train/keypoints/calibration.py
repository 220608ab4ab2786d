"""Calibration of the keypoint CNN's confidence on validation faces.

    python -m train.keypoints.calibration --data FACES --weights weights/facial_keypoints

A network states too high a confidence on people it never saw, since it was trained on errors of
those it knows. Here the linear unit that reads each point's scale is fitted anew on validation
subjects, few numbers of it: log_scale' = a · log_scale + v · features + c, where the factor a and
the weights v are the same for all points and the shift c is that of a point and its mirror image.
What is learnt is the probability that a point is right (`TOLERANCE`) as the pipeline reads it, from
the detector's box: crops around true boxes are easier to read. Points stay where they are.
Replaces the weights' files; it can be run once on them only.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import Detection, Detector
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.crops import Crops
from facial_keypoints.landmarks.markup import FLIP, interocular_distance
from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig, PerPointLinear
from facial_keypoints.landmarks.predictor import TOLERANCE, KeypointPredictor
from facial_keypoints.reading import crops_of, read_crops
from keypoints_captions.weights import description, load_model, save_model
from train.command_line import UsageError, program, run
from train.engine.options import add_config_arguments, config_from_arguments
from train.faces.data import (
    LabelledFace,
    LoadedFaces,
    load_faces,
    read_faces,
    read_turned,
    split_by_subject,
)
from train.keypoints.metrics import calibration_error
from train.keypoints.readings import mirrored, nearest

VIEWS = 2  # of each face: its picture as it is and mirrored


@dataclasses.dataclass(frozen=True)
class CalibrationConfig:
    """One fit."""

    decay: float = 0.005  # pull towards what the network says by itself
    turned_weight: float = 0.3  # of faces turned by a program, against one of the others
    folds: int = 5  # for the error on subjects that the fit did not see
    steps: int = 60  # of L-BFGS
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Seen:
    """Predictions for N views, each the mean of two readings, and the truth.

    features: (N, 68, C) float32 under each point's heat map. log_scale: (N, 68) float32, of them.
    tolerance: (N, 68) float32, distance within which a point is right, over the crops' side (the
        geometric mean of both).
    right: (N, 68) bool. weight: (N,) float32. fold: (N,) int64, by subject.
    """

    features: Tensor
    log_scale: Tensor
    tolerance: Tensor
    right: Tensor
    weight: Tensor
    fold: Tensor

    def __getitem__(self, part: Tensor) -> "Seen":
        return Seen(*(getattr(self, field.name)[part] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Fit:
    """factor: (1,). common: (C,). shift: (68,), the same for a point and its mirror image."""

    factor: Tensor
    common: Tensor
    shift: Tensor

    def log_scale(self, seen: Seen) -> Tensor:
        """(N, 68) float32: what the changed unit says."""
        return self.factor * seen.log_scale + seen.features @ self.common + self.shift

    def change(self, unit: PerPointLinear) -> None:
        """Makes the unit say that, in place."""
        with torch.no_grad():
            unit.weight.mul_(self.factor).add_(self.common)
            unit.bias.mul_(self.factor).add_(self.shift)


@torch.no_grad()
def look(
    network: KeypointNet,
    detector: Detector,
    faces: Sequence[LabelledFace],
    config: CalibrationConfig,
) -> Seen:
    """The network, in eval mode, on the faces and their mirror images as the detector sees them."""
    subjects = {name: i for i, name in enumerate(sorted({face.subject for face in faces}))}
    folds = np.random.default_rng(config.seed).permutation(len(subjects)) % config.folds
    kept: list[tuple[Tensor, Tensor]] = []
    network.points.log_scale.register_forward_hook(
        lambda _, given, answer: kept.append((given[0], answer))
    )
    predictor, flip = KeypointPredictor(network), torch.tensor(FLIP)
    features, log_scale, tolerance, right = [], [], [], []
    loaded = load_faces(faces)
    views = zip(*(each_view(view, detector) for view in (loaded, mirrored(loaded))), strict=True)
    for image, truth, crops in itertools.chain.from_iterable(views):
        kept.clear()
        keypoints = read_crops(predictor, [image], crops, least=0.0)
        # The last two are a crop and the mirror image of it or of a better one.
        readings = (torch.cat(parts)[-2:].float() for parts in zip(*kept, strict=True))
        feature, scale = ((one[:1] + one[1:, flip]) / 2 for one in readings)
        features.append(feature)
        log_scale.append(scale)
        eyes = interocular_distance(truth[None])[:, None]
        right.append(np.linalg.norm(keypoints.points - truth, axis=2) < TOLERANCE * eyes)
        side = keypoints.scale / np.exp(scale.numpy())
        tolerance.append(TOLERANCE * interocular_distance(keypoints.points)[:, None] / side)
    weight = _weights(loaded.sources, config.turned_weight)
    fold = folds[[subjects[face.subject] for face in faces]]
    return Seen(
        torch.cat(features),
        torch.cat(log_scale),
        torch.tensor(np.concatenate(tolerance), dtype=torch.float32),
        torch.tensor(np.concatenate(right)),
        torch.tensor(np.repeat(weight, VIEWS), dtype=torch.float32),
        torch.tensor(np.repeat(fold, VIEWS)),
    )


def each_view(
    faces: LoadedFaces, detector: Detector
) -> Iterator[tuple[np.ndarray, np.ndarray, Crops]]:
    """Pictures, their (68, 2) points and the crop that the pipeline reads first; that of the true
    box where the detector sees nothing."""
    for image, points in zip(faces.images, faces.points, strict=True):
        found = nearest(detector(image), points) or Detection(landmark_box(points), 0.0)
        yield image, points, crops_of([found])


def _weights(sources: np.ndarray, turned: float) -> np.ndarray:
    """(N,) float: in-the-wild photos and video frames weigh the same in sum, and turned faces
    `turned` of one of these; the mean is 1."""
    kinds = np.where(np.isin(sources, ["ytf", "afw_turned"]), sources, "photo")
    weight = np.zeros(len(sources))
    for kind in np.unique(kinds):
        inside = kinds == kind
        weight[inside] = (turned if kind == "afw_turned" else 1.0) / inside.sum()
    return weight / weight.mean()


def fit(seen: Seen, config: CalibrationConfig) -> Fit:
    """Fits the calibration."""
    spread = seen.features.std(dim=(0, 1)) + 1e-3
    factor, common, shift = torch.zeros(1), torch.zeros(len(spread)), torch.zeros(len(FLIP))
    free = [part.requires_grad_() for part in (factor, common, shift)]
    optimizer = torch.optim.LBFGS(free, max_iter=config.steps, line_search_fn="strong_wolfe")

    def found() -> Fit:
        return Fit(1 + factor, common / spread, (shift + shift[torch.tensor(FLIP)]) / 2)

    def loss() -> Tensor:
        optimizer.zero_grad()
        stated = confidence(found().log_scale(seen), seen.tolerance)
        wrong = F.binary_cross_entropy(stated, seen.right.float(), reduction="none")
        pull = torch.stack([part.square().sum() for part in free]).sum()
        value = (wrong.mean(dim=1) * seen.weight).mean() + config.decay * pull
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        return found()


def confidence(log_scale: Tensor, tolerance: Tensor) -> Tensor:
    """As `Keypoints.confidence`: the probability that a point is within the tolerance."""
    distance = tolerance * torch.exp(-log_scale)
    return (1 - (1 + distance) * torch.exp(-distance)).clamp(1e-4, 1 - 1e-4)


def calibration_errors(seen: Seen, config: CalibrationConfig) -> tuple[float, float]:
    """Expected calibration error in % before, and after fits that did not see the subjects."""
    before = confidence(seen.log_scale, seen.tolerance)
    after = before.clone()
    for number in range(config.folds):
        out = seen.fold == number
        if out.any() and not out.all():
            fitted = fit(seen[~out], config)
            after[out] = confidence(fitted.log_scale(seen[out]), seen.tolerance[out])
    right = seen.right.numpy()
    return calibration_error(before.numpy(), right), calibration_error(after.numpy(), right)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("keypoints.calibration", __doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--weights", type=Path, required=True, help="of the keypoint CNN")
    add_config_arguments(parser, CalibrationConfig())
    options = parser.parse_args(arguments)
    config = config_from_arguments(CalibrationConfig(), options)
    faces = split_by_subject(
        face for folder in options.data for face in [*read_faces(folder), *read_turned(folder)]
    ).validation
    if not faces:
        raise UsageError("Expected validation faces in --data, got none.")
    state, metadata = load_model(options.weights)
    if "calibration" in metadata["training"]:
        raise UsageError(
            f"expected weights that were not calibrated; {options.weights} were: take those of "
            "before, or write them anew (python -m train.keypoints export)"
        )
    network = KeypointNet(KeypointNetConfig.from_dict(metadata["config"])).eval()
    network.load_state_dict(state)
    told: dict[str, Any] = {"options": dataclasses.asdict(config)}
    seen = look(network, CnnDetector.load(), faces, config)
    before, after = calibration_errors(seen, config)
    told["validation"] = {"error before": before, "error on unseen subjects": after}
    fit(seen, config).change(network.points.log_scale)
    state = network.state_dict()
    facts = description(metadata)
    facts["training"] = {**facts["training"], "calibration": told}
    save_model(options.weights, state, facts, half=True)
    print(f"expected calibration error on validation faces: {before:.1f} % before, "
          f"{after:.1f} % after, on subjects that the fit did not see")  # fmt: skip


if __name__ == "__main__":
    run(main)
