"""The keypoint CNN's stated confidence, brought to what validation faces say.

    python -m train.keypoints.calibration --data FACES --weights weights/facial_keypoints

A network states too high a confidence on people it never saw, since it was trained on errors of
those it knows. Here the linear unit that reads each point's scale is fitted anew on validation
subjects, few numbers of it: log_scale' = a · log_scale + v · features + c, where the factor a and
the weights v are the same for all points and the shift c is each point's own. What is learnt is the
probability that a point is right (`TOLERANCE`). Points stay where they are. Replaces the weights'
files; it can be run once on them only.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import FLIP, interocular_distance
from facial_keypoints.landmarks.network import (
    KeypointNet,
    KeypointNetConfig,
    PerPointLinear,
    preprocess,
)
from facial_keypoints.landmarks.predictor import TOLERANCE
from keypoints_captions.weights import load_model, save_model
from train.command_line import program, run
from train.engine.options import add_config_arguments, config_from_arguments
from train.keypoints.augment import jitter
from train.keypoints.data import (
    LabelledFace,
    load_faces,
    read_faces,
    read_turned,
    split_by_subject,
)
from train.keypoints.metrics import calibration_error


@dataclasses.dataclass(frozen=True)
class CalibrationConfig:
    """One fit."""

    views: int = 4  # of each face, from boxes as imprecise as a detector's
    box_error: float = 0.5  # of the training views' jitter
    decay: float = 0.02  # pull towards what the network says by itself
    turned_weight: float = 0.3  # of faces turned by a program, against one of the others
    folds: int = 5  # for the error on subjects that the fit did not see
    steps: int = 60  # of L-BFGS
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the network says of N views and what is true.

    features: (N, 68, C) float32 under each point's heat map. tolerance: (N, 68) float32, distance
    in crop coordinates within which a point is right. right: (N, 68) bool. weight: (N,) float32.
    fold: (N,) int64, by subject.
    """

    features: Tensor
    tolerance: Tensor
    right: Tensor
    weight: Tensor
    fold: Tensor

    def __getitem__(self, part: Tensor) -> "Seen":
        return Seen(*(getattr(self, field.name)[part] for field in dataclasses.fields(self)))


@torch.no_grad()
def look(network: KeypointNet, faces: Sequence[LabelledFace], config: CalibrationConfig) -> Seen:
    """The network, in eval mode, on random crops of the faces, some of them mirrored."""
    loaded, rng = load_faces(faces), np.random.default_rng(config.seed)
    subjects = {name: i for i, name in enumerate(sorted({face.subject for face in faces}))}
    folds = rng.permutation(len(subjects)) % config.folds
    weights = _weights(loaded.sources, config.turned_weight)
    kept: list[Tensor] = []
    network.points.log_scale.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    tolerance, right, weight, fold = [], [], [], []
    for index, (face, image, truth) in enumerate(
        zip(faces, loaded.images, loaded.points, strict=True)
    ):
        plain = crops_from_points(np.repeat(truth[None], config.views, axis=0), upright=False)
        moved = jitter(plain, rng)
        crops = dataclasses.replace(
            plain,
            centre=plain.centre + config.box_error * (moved.centre - plain.centre),
            side=plain.side * (moved.side / plain.side) ** config.box_error,
            angle=config.box_error * (moved.angle - plain.angle),
        )
        labels = to_crop(np.repeat(truth[None], config.views, axis=0), crops)
        views = cut(image, crops, network.config.input_size)
        views[::2] = views[::2, :, ::-1]
        labels[::2] = labels[::2][:, FLIP] * (-1, 1)
        x = preprocess(torch.from_numpy(views), network.config)
        points = network(x).points.numpy()
        eyes = interocular_distance(labels)[:, None]
        right.append(np.linalg.norm(points - labels, axis=2) < TOLERANCE * eyes)
        stated = TOLERANCE * interocular_distance(points)[:, None]
        tolerance.append(np.repeat(stated, labels.shape[1], axis=1))
        weight += [weights[index]] * config.views
        fold += [int(folds[subjects[face.subject]])] * config.views
    return Seen(
        torch.cat(kept).float().clone(),
        torch.tensor(np.concatenate(tolerance), dtype=torch.float32),
        torch.tensor(np.concatenate(right)),
        torch.tensor(weight, dtype=torch.float32),
        torch.tensor(fold),
    )


def _weights(sources: np.ndarray, turned: float) -> np.ndarray:
    """(N,) float: in-the-wild photos and video frames weigh the same in sum, and turned faces
    `turned` of one of these; the mean is 1."""
    kinds = np.where(np.isin(sources, ["ytf", "afw_turned"]), sources, "photo")
    weight = np.zeros(len(sources))
    for kind in np.unique(kinds):
        inside = kinds == kind
        weight[inside] = (turned if kind == "afw_turned" else 1.0) / inside.sum()
    return weight / weight.mean()


def fit(unit: PerPointLinear, seen: Seen, config: CalibrationConfig) -> PerPointLinear:
    """The unit with a factor, common weights and shifts that make its confidence true."""
    spread = seen.features.std(dim=(0, 1)) + 1e-3
    before = unit(seen.features).detach()
    factor, common, shift = torch.zeros(1), torch.zeros(len(spread)), torch.zeros(len(unit.bias))
    free = [part.requires_grad_() for part in (factor, common, shift)]
    scaled = seen.features / spread
    optimizer = torch.optim.LBFGS(free, max_iter=config.steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        log_scale = (1 + factor) * before + scaled @ common + shift
        wrong = F.binary_cross_entropy(
            confidence(log_scale, seen.tolerance), seen.right.float(), reduction="none"
        )
        pull = sum(part.square().sum() for part in free)
        value = (wrong.mean(dim=1) * seen.weight).mean() + config.decay * pull
        value.backward()
        return value

    optimizer.step(loss)
    fitted = PerPointLinear(len(spread))
    with torch.no_grad():
        fitted.weight.copy_((1 + factor) * unit.weight + common / spread)
        fitted.bias.copy_((1 + factor) * unit.bias + shift)
    return fitted


def confidence(log_scale: Tensor, tolerance: Tensor) -> Tensor:
    """As `Keypoints.confidence`: the probability that a point is within the tolerance."""
    distance = tolerance * torch.exp(-log_scale)
    return (1 - (1 + distance) * torch.exp(-distance)).clamp(1e-4, 1 - 1e-4)


def errors(unit: nn.Module, seen: Seen) -> tuple[Tensor, float]:
    """(N, 68) confidences of the unit, and their expected calibration error in %."""
    with torch.inference_mode():
        stated = confidence(unit(seen.features), seen.tolerance)
    return stated, calibration_error(stated.numpy(), seen.right.numpy())


def across_folds(
    unit: PerPointLinear, seen: Seen, config: CalibrationConfig
) -> tuple[float, float]:
    """Expected calibration error in % before, and after fits that did not see the subjects."""
    after = torch.zeros_like(seen.tolerance)
    for number in range(config.folds):
        out = seen.fold == number
        if out.any() and not out.all():
            after[out] = errors(fit(unit, seen[~out], config), seen[out])[0]
    return errors(unit, seen)[1], calibration_error(after.numpy(), seen.right.numpy())


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
    state, metadata = load_model(options.weights)
    network = KeypointNet(KeypointNetConfig.from_dict(metadata["config"])).eval()
    network.load_state_dict(state)
    told: dict[str, Any] = {"options": dataclasses.asdict(config)}
    seen = look(network, faces, config)
    unit = network.points.log_scale
    before, after = across_folds(unit, seen, config)
    told["validation"] = {"error before": before, "error on unseen subjects": after}
    fitted = fit(unit, seen, config)
    state |= {f"points.log_scale.{name}": value for name, value in fitted.state_dict().items()}
    facts = {name: value for name, value in metadata.items() if name != "weights"}
    facts["training"] = {**facts["training"], "calibration": told}
    save_model(options.weights, state, facts, half=True)
    print(f"expected calibration error on validation faces: {before:.1f} % before, "
          f"{after:.1f} % after, on subjects that the fit did not see")  # fmt: skip


if __name__ == "__main__":
    run(main)
