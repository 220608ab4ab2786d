"""The keypoint CNN: a face crop in, 68 points with uncertainties and a face score out.

A small residual encoder, a U-Net-like decoder up to a quarter or an eighth of the input's
resolution, one heat map for each point and a soft-argmax over it (Sun et al., "Integral Human
Pose Regression", ECCV 2018). Each point's uncertainty is the scale of a Laplace distribution,
read from the features under its own heat map (the likelihood follows Kumar et al., "LUVLi Face
Alignment", CVPR 2020, with one scale for both axes).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facial_keypoints.landmarks.markup import NUM_POINTS

Network = TypeVar("Network", bound=nn.Module)


class NetworkConfig:
    """Base of the dataclasses that describe a network."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The config that `dataclasses.asdict` and JSON made of one; what only earlier versions
        knew is left out."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        return cls(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
                if name in known
            }
        )


class CropConfig(Protocol):
    """What the config of a network that reads face crops tells of them."""

    @property
    def input_size(self) -> int:
        """Pixels, side of the square crop."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """RGB, of 0..255, taken off."""

    @property
    def std(self) -> tuple[float, float, float]:
        """RGB, of 0..255, divided by."""


@dataclass(frozen=True)
class KeypointNetConfig(NetworkConfig):
    """Architecture and preprocessing; stored beside the weights."""

    input_size: int = 128  # pixels, side of the square crop
    widths: tuple[int, ...] = (32, 96, 160, 256)  # channels at strides 4, 8, 16, 32
    depths: tuple[int, ...] = (1, 2, 2, 2)  # residual blocks at these strides
    heatmap_stride: int = 8  # 4 or 8: input pixels a heat-map cell
    fine_width: int = 48  # channels that only heat maps at stride 4 have, beside those at stride 8
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)  # RGB, of 0..255
    std: tuple[float, float, float] = (64.0, 64.0, 64.0)


class Prediction(NamedTuple):
    """points: (N, 68, 2) float32, crop coordinates (-0.5..0.5 is the crop's width).
    log_scale: (N, 68) float32, log of the Laplace scale in crop coordinates.
    face_logit: (N,) float32; its sigmoid is the probability that the crop holds a face.
    """

    points: Tensor
    log_scale: Tensor
    face_logit: Tensor


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch norm and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.conv1 = conv_block(inputs, outputs, 3, stride)
        self.conv2 = conv_block(outputs, outputs, 3, activate=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, conv_block(inputs, outputs, 1, activate=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


class KeypointNet(nn.Module):
    """See the module's docstring. Takes what `preprocess` returns."""

    def __init__(self, config: KeypointNetConfig | None = None):
        super().__init__()
        self.config = config = config or KeypointNetConfig()
        widths = config.widths
        # Overlapping patches straight to stride 4: maps at stride 2 cost more than they give.
        self.stem = conv_block(3, widths[0], kernel=8, stride=4, padding=2)
        stages = []
        for level, (width, depth) in enumerate(zip(widths, config.depths, strict=True)):
            first = ResidualBlock(widths[max(level - 1, 0)], width, stride=2 if level else 1)
            stages.append(
                nn.Sequential(first, *(ResidualBlock(width, width) for _ in range(depth - 1)))
            )
        self.stages = nn.ModuleList(stages)
        self.face = FaceHead(sum(widths))
        self.points = HeatmapHead(config)

    def convolve_in(self, precision: torch.dtype) -> "KeypointNet":
        """Casts the convolutions, in place; the rest stays float32. Returns the network."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(precision)
        return self

    def forward(self, x: Tensor) -> Prediction:
        features = self.features(x)
        points, log_scale = self.points(features)
        return Prediction(points, log_scale, self.face(mean_features(features)))

    def features(self, x: Tensor) -> list[Tensor]:
        """Outputs of the stages for `preprocess`'s result: (N, widths[i], h, w), shallow first."""
        features = []
        x = self.stem(x.to(next(self.stem.parameters()).dtype))
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def mean_features(features: list[Tensor]) -> Tensor:
    """(N, sum of the widths) float32: the mean over the crop of every stage's features."""
    return torch.cat([stage.mean(dim=(2, 3)).float() for stage in features], dim=1)


class FaceHead(nn.Module):
    """Whether the crop holds a face: (N, C) float32 of `mean_features` to a logit (N,) float32.

    It reads every stage, since the deepest features are made for placing points; trained alone
    (`train.keypoints.face_score`) it leaves them as they are.
    """

    def __init__(self, channels: int, units: int = 64):
        super().__init__()
        self.hidden = nn.Linear(channels, units)
        self.logit = nn.Linear(units, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.logit(F.relu(self.hidden(x))).squeeze(1)


class HeatmapHead(nn.Module):
    """Decodes the stages' features to one heat map a point, read by soft-argmax.

    The decoder ends at stride 8. Heat maps at stride 4 are made from its features, enlarged, beside
    a few of their own that see the first stage: so a network with heat maps at stride 8 can go on
    learning with finer ones.
    """

    def __init__(self, config: KeypointNetConfig):
        super().__init__()
        self.cells = config.input_size // config.heatmap_stride
        widths = config.widths[1:]
        pairs = list(pairwise(widths))
        self.narrow = nn.ModuleList(conv_block(deep, width, 1) for width, deep in pairs)
        self.lateral = nn.ModuleList(
            conv_block(width, width, 1, activate=False) for width, _ in pairs
        )
        self.smooth = nn.ModuleList(conv_block(width, width, 3) for width, _ in pairs)
        self.is_fine = {4: True, 8: False}[config.heatmap_stride]
        channels = widths[0]
        if self.is_fine:
            fine = config.fine_width
            self.fine_narrow = conv_block(widths[0], fine, 1)
            self.fine_lateral = conv_block(config.widths[0], fine, 1, activate=False)
            self.fine_smooth = conv_block(fine, fine, 3)
            channels += fine
        self.log_scale = PerPointLinear(channels)
        self.heatmaps = nn.Conv2d(channels, NUM_POINTS, 1)
        #: (N, 68, cells²) float32 logits of the last batch, kept in training mode for a loss.
        self.logits: Tensor | None = None

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        x = features[-1]
        laterals = features[1:-1]
        for level in reversed(range(len(self.smooth))):
            x = F.interpolate(self.narrow[level](x), scale_factor=2.0, mode="nearest")
            x = self.smooth[level](F.relu(x + self.lateral[level](laterals[level])))
        if self.is_fine:
            fine = F.interpolate(self.fine_narrow(x), scale_factor=2.0, mode="nearest")
            fine = self.fine_smooth(F.relu(fine + self.fine_lateral(features[0])))
            coarse = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = torch.cat([coarse, fine], dim=1)
        logits = self.heatmaps(x).flatten(2).float()
        self.logits = logits if self.training else None
        probability = torch.softmax(logits, dim=2)
        # Sums, no matrix product: engines would compute that in bfloat16, a tenth of a pixel off.
        axes = cell_centres(self.cells, x.device).unbind(1)
        points = torch.stack([(probability * axis).sum(2) for axis in axes], dim=2)
        # Detached: the uncertainty must not pull the heat maps towards what is easy to predict.
        seen = probability.detach() @ x.flatten(2).transpose(1, 2).float()
        return points, self.log_scale(seen)


class PerPointLinear(nn.Module):
    """One linear unit a point: (N, 68, C) features to (N, 68) values."""

    def __init__(self, features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(NUM_POINTS, features))
        self.bias = nn.Parameter(torch.full((NUM_POINTS,), -3.5))

    def forward(self, x: Tensor) -> Tensor:
        # No sum over a product: OpenVINO 2026.4 adds the first point's bias to all of those.
        values = x.transpose(0, 1) @ self.weight[:, :, None]
        return values.squeeze(2).transpose(0, 1) + self.bias


def preprocess(crops: Tensor, config: CropConfig) -> Tensor:
    """Crops to the CNN's input.

    Args:
        crops: (N, S, S, 3) uint8 RGB, S = `config.input_size`.

    Returns:
        (N, 3, S, S) float32, normalised, in channels_last memory order.
    """
    x = crops.permute(0, 3, 1, 2).float()
    mean = torch.tensor(config.mean, device=x.device).view(1, 3, 1, 1)
    std = torch.tensor(config.std, device=x.device).view(1, 3, 1, 1)
    return (x - mean) / std


def cell_centres(size: int, device: torch.device) -> Tensor:
    """(size², 2) float32: x and y of a heat map's cells in crop coordinates."""
    axis = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size - 0.5
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).view(-1, 2)


def conv_block(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    padding: int | None = None,
    activate: bool = True,
) -> nn.Sequential:
    """A convolution without bias, batch norm and, unless told otherwise, ReLU."""
    padding = kernel // 2 if padding is None else padding
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if activate:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def fold_batch_norm(network: Network) -> Network:
    """Folds each batch norm into the convolution before it, in place; same answers, less work."""
    for module in list(network.modules()):
        if not isinstance(module, nn.Sequential) or len(module) < 2:
            continue
        convolution, norm = module[0], module[1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[0] = fuse_conv_bn_eval(convolution.eval(), norm.eval())
            module[1] = nn.Identity()
    return network
