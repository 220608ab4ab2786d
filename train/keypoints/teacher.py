"""A large keypoint network, from which the one that ships learns beside the labels.

ResNet-50, begun with what it learnt on ImageNet, reads the same crops enlarged; a U-Net-like
decoder ends in heat maps at a quarter of that size. It is never exported: `train.keypoints.distil`
reads its checkpoints.
"""

import dataclasses
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.encoder import Encoder
from facial_keypoints.landmarks.network import (
    HeatmapHead,
    KeypointNetConfig,
    NetworkConfig,
    Prediction,
    conv_block,
)
from train.engine.checkpoints import best_checkpoint
from train.engine.resnet import load_resnet
from train.keypoints.training import KeypointTask
from train.keypoints.views import TrainConfig

#: Channels of ResNet-50's stages at strides 4, 8, 16, 32.
STAGES = (256, 512, 1024, 2048)


@dataclasses.dataclass(frozen=True)
class TeacherConfig(NetworkConfig):
    """Architecture and preprocessing."""

    input_size: int = 160  # pixels, side of the square crop: that of the network that learns
    read_size: int = 256  # pixels to which it is enlarged
    decoder_widths: tuple[int, ...] = (128, 192, 256, 256)  # channels at strides 4, 8, 16, 32
    encoder_strides: str = "v1.5"  # v1 for weights of the original layout
    dropout: float = 0.1  # of whole channels of the encoder's last stage
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)  # ImageNet's RGB, of 0..255
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)


@dataclasses.dataclass(frozen=True)
class TeacherTrainConfig(TrainConfig):
    """One training run of a teacher."""

    learning_rate: float = 1e-3
    batch_size: int = 96
    encoder_rate: float = 0.1  # of the learning rate


class Teacher(nn.Module):
    """See the module's docstring. Takes what `preprocess` returns for its config.

    The encoder's parameters are left uninitialised: see `pretrained`, or load a state.
    """

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder_strides)
        self.dropout = nn.Dropout2d(config.dropout)
        pairs = zip(STAGES, config.decoder_widths, strict=True)
        self.reduce = nn.ModuleList(conv_block(deep, width, 1) for deep, width in pairs)
        # The head's own finest stage has a stride of 8 and is the second one.
        widths = (0, *config.decoder_widths)
        self.points = HeatmapHead(KeypointNetConfig(2 * config.read_size, widths))

    def forward(self, x: Tensor) -> Prediction:
        size = (self.config.read_size, self.config.read_size)
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        body = self.encoder.body
        deep = body.maxpool(body.relu(body.conv1(x)))
        features = [x]
        stages = (body.layer1, body.layer2, body.layer3, body.layer4)
        for stage, reduce in zip(stages, self.reduce, strict=True):
            deep = stage(deep)
            is_last = stage is body.layer4
            features.append(reduce(self.dropout(deep) if is_last else deep))
        points, log_scale = self.points(features)
        return Prediction(points, log_scale, points.new_zeros(len(points)))


def pretrained(config: TeacherConfig, weights: Path) -> Teacher:
    """A teacher that knows what the ResNet-50 in a safetensors file, with torchvision's names,
    does.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: it holds something else.
    """
    teacher = Teacher(config)
    load_resnet(teacher.encoder, weights)
    return teacher


def load_teacher(run: Path) -> tuple[Teacher, dict[str, Any]]:
    """The best teacher of a run, ready to be asked, and what tells of it in a recipe.

    Raises:
        FileNotFoundError: the run has no checkpoint yet.
    """
    state = best_checkpoint(run)
    teacher = Teacher(TeacherConfig.from_dict(state["network"]))
    teacher.load_state_dict(state["model"])
    facts = {"network": state["network"], "runs": state["history"], "validation": state["scores"]}
    return teacher.eval().requires_grad_(False), facts


class TeacherTask(KeypointTask):
    """The teacher learns as the keypoint CNN does, its encoder more slowly than its decoder."""

    config: TeacherTrainConfig

    def __init__(self, network: Teacher, config: TeacherTrainConfig, *data: Any) -> None:
        super().__init__(network, config, *data)
        encoder = set(network.encoder.parameters())
        groups = []
        for group in self.groups:
            slow = [p for p in group["params"] if p in encoder]
            fast = [p for p in group["params"] if p not in encoder]
            groups += [
                {**group, "params": slow, "lr": config.learning_rate * config.encoder_rate},
                {**group, "params": fast},
            ]
        self.groups = groups


@torch.no_grad()
def beliefs(teacher: Teacher, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a teacher in evaluation sees: points (N, 68, 2), and heat maps (N, 68, C, C) of
    probabilities, rows first; float32.

    x: what `preprocess` returns.
    """
    teacher.points.training = True  # keeps the logits; its batch norm stays in evaluation
    points = teacher(x).points
    logits, cells = teacher.points.logits, teacher.points.cells
    assert logits is not None
    teacher.points.logits = None
    return points, torch.softmax(logits, dim=2).unflatten(2, (cells, cells))
