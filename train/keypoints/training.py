"""The keypoint CNN as a task of the training loop."""

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facial_keypoints.landmarks.network import KeypointNet, Prediction, cell_centres, preprocess
from train.engine.cnn import CnnTask, total
from train.engine.processes import Process, unwrap
from train.keypoints.data import Split, load_faces
from train.keypoints.metrics import predict_from_boxes, summary
from train.keypoints.views import NonFaces, RandomViews, TrainConfig, batch_keys


class KeypointTask(CnnTask):
    """The keypoint CNN learns from random views; NME on the validation faces chooses."""

    config: TrainConfig

    def __init__(
        self,
        network: KeypointNet,
        config: TrainConfig,
        split: Split,
        non_faces: NonFaces,
        process: Process,
    ) -> None:
        self.network, self.process = network.config, process
        views = RandomViews(split.train, non_faces, self.network.input_size, config)
        super().__init__(network.to(memory_format=torch.channels_last), config, views)
        self.validation = load_faces(split.validation)

    def keys(self, epoch: int) -> list[list[tuple]]:
        return batch_keys(self.config, epoch, self.process)

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        crops, labels, is_face = (part.to(self.process.device) for part in batch)
        prediction = model(preprocess(crops, self.network))
        terms = loss_terms(prediction, labels, is_face, self.network.input_size)
        head = unwrap(model).points
        shape = heatmap_divergence(head.logits[is_face], labels[is_face], head.cells)
        head.logits = None
        return total(terms | {"heat maps": self.config.heatmap_weight * shape})

    def validate(self, model: KeypointNet) -> tuple[float, dict[str, float]]:
        """NME in % of one pass from landmark boxes, by source and over all: see `summary`."""
        network = copy.deepcopy(model).eval()
        keypoints = predict_from_boxes(network, self.validation, passes=1, mirror=False)
        scores = summary(self.validation, keypoints)
        return -scores["nme"], scores


def heatmap_divergence(logits: Tensor, labels: Tensor, cells: int) -> Tensor:
    """Mean cross entropy of heat maps and normal distributions around the labels, whose standard
    deviation is one cell (Nibali et al., "Numerical Coordinate Regression", 2018, regularise a
    soft-argmax alike), less the least it can be.

    logits: (N, 68, cells²). labels: (N, 68, 2) in crop coordinates.
    """
    centres = cell_centres(cells, labels.device)
    squares = (labels[:, :, None] - centres).square().sum(dim=3) * cells**2
    target = torch.softmax(-squares / 2, dim=2)
    return F.kl_div(F.log_softmax(logits, dim=2), target, reduction="none").sum(dim=2).mean()


def loss_terms(
    prediction: Prediction, labels: Tensor, is_face: Tensor, size: int
) -> dict[str, Tensor]:
    """The loss, as named terms that add up; distances are in pixels of the crop."""
    distance = (prediction.points - labels).norm(dim=2)[is_face] * size
    log_scale = prediction.log_scale[is_face] + math.log(size)
    # Laplace likelihood in two dimensions with one scale b: p(r) = exp(-r / b) / (2 pi b²); the
    # points are pulled by the wing loss alone (Feng et al., CVPR 2018): w = 10 px, epsilon = 2 px.
    spread = distance.detach() * torch.exp(-log_scale)
    wing = torch.where(
        distance < 10, 10 * torch.log1p(distance / 2), distance - 10 + 10 * math.log1p(5)
    )
    return {
        "likelihood": (2 * log_scale + spread).mean(),
        "points": wing.mean(),
        "face": F.binary_cross_entropy_with_logits(prediction.face_logit, is_face.float()),
    }
