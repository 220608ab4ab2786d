"""The keypoint CNN as a task of the training loop."""

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facial_keypoints.landmarks.network import (
    CropConfig,
    KeypointNet,
    Prediction,
    cell_centres,
    preprocess,
)
from train.engine.cnn import CnnTask, total
from train.engine.processes import Process, unwrap
from train.faces.data import Split, load_faces
from train.keypoints.metrics import predict_from_boxes, summary
from train.keypoints.views import NonFaces, RandomViews, TrainConfig, batch_keys


class KeypointTask(CnnTask):
    """The keypoint CNN learns from random views; NME on the validation faces chooses."""

    config: TrainConfig

    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        split: Split,
        non_faces: NonFaces,
        process: Process,
    ) -> None:
        """network: a `KeypointNet`, or one that has its `config` and its `points` alike."""
        self.network: CropConfig = network.config  # type: ignore[assignment]
        self.process = process
        views = RandomViews(split.train, non_faces, self.network.input_size, config)
        super().__init__(network.to(memory_format=torch.channels_last), config, views)
        self.validation = load_faces(split.validation)

    def keys(self, epoch: int) -> list[list[tuple]]:
        return batch_keys(self.config, epoch, self.process)

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        device = self.process.device
        crops, labels, is_face = (part.to(device, non_blocking=True) for part in batch)
        prediction = model(preprocess(crops, self.network))
        head = unwrap(model).points
        points, maps = self.targets(crops, labels, head.cells)
        terms = loss_terms(prediction, labels, is_face, self.network.input_size, points)
        shape = divergence(head.logits[is_face], maps[is_face])
        head.logits = None
        return total(terms | {"heat maps": self.config.heatmap_weight * shape})

    def targets(self, crops: Tensor, labels: Tensor, cells: int) -> tuple[Tensor, Tensor]:
        """What is learnt of these views: points (N, 68, 2) and heat maps (N, 68, cells²).

        crops: (N, S, S, 3) uint8. labels: (N, 68, 2) in crop coordinates.
        """
        return labels, label_maps(labels, cells)

    def validate(self, model: KeypointNet) -> tuple[float, dict[str, float]]:
        """NME in % of one pass from landmark boxes, by source and over all: see `summary`."""
        network = copy.deepcopy(model).eval()
        keypoints = predict_from_boxes(network, self.validation, passes=1, mirror=False)
        scores = summary(self.validation, keypoints)
        return -scores["nme"], scores


def label_maps(labels: Tensor, cells: int) -> Tensor:
    """(N, 68, cells²): normal distributions around the labels, whose standard deviation is one
    cell (Nibali et al., "Numerical Coordinate Regression", 2018, regularise a soft-argmax alike).

    labels: (N, 68, 2) in crop coordinates.
    """
    centres = cell_centres(cells, labels.device)
    squares = (labels[:, :, None] - centres).square().sum(dim=3) * cells**2
    return torch.softmax(-squares / 2, dim=2)


def divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy of heat maps and a target, less the least it can be; both are
    (N, 68, cells²), the target probabilities.
    """
    return F.kl_div(F.log_softmax(logits, dim=2), target, reduction="none").sum(dim=2).mean()


def loss_terms(
    prediction: Prediction,
    labels: Tensor,
    is_face: Tensor,
    size: int,
    targets: Tensor | None = None,
) -> dict[str, Tensor]:
    """The loss, as named terms that add up; distances are in pixels of the crop.

    labels: (N, 68, 2) in crop coordinates; NaN for a face without any. targets: where the points
    are pulled to; the labels without.
    """
    targets = labels if targets is None else targets
    distance = (prediction.points - targets).norm(dim=2)[is_face] * size
    # Laplace likelihood in two dimensions with one scale b: p(r) = exp(-r / b) / (2 pi b²); the
    # points are pulled by the wing loss alone (Feng et al., CVPR 2018): w = 10 px, epsilon = 2 px.
    wing = torch.where(
        distance < 10, 10 * torch.log1p(distance / 2), distance - 10 + 10 * math.log1p(5)
    )
    is_labelled = is_face & ~labels.isnan().flatten(1).any(dim=1)
    error = (prediction.points.detach() - labels).norm(dim=2)[is_labelled] * size
    log_scale = prediction.log_scale[is_labelled] + math.log(size)
    spread = error * torch.exp(-log_scale)
    return {
        "likelihood": (2 * log_scale + spread).mean(),
        "points": wing.mean(),
        "face": F.binary_cross_entropy_with_logits(prediction.face_logit, is_face.float()),
    }
