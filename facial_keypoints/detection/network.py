"""The detector CNN: face score, box and five points for each cell of three grids.

One stage and no anchors: each cell predicts the face whose middle it is in, as in FCOS (Tian et
al., ICCV 2019). The score is trained to be highest where the cell's box is best, so that
non-maximum suppression keeps that one (after Zhang et al., "VarifocalNet", CVPR 2021).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facial_keypoints.landmarks.markup import NUM_FIVE
from facial_keypoints.landmarks.network import NetworkConfig, ResidualBlock, conv_block

#: Pixels of the input a cell, in each of the grids.
STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class DetectorNetConfig(NetworkConfig):
    """Architecture and preprocessing; stored beside the weights."""

    widths: tuple[int, ...] = (32, 48, 96, 112)  # channels at strides 4, 8, 16, 32
    depths: tuple[int, ...] = (1, 1, 2)  # residual blocks at strides 8, 16, 32
    neck: int = 32  # channels of the features that the predictions are read from
    mean: float = 128.0  # of every channel, of 0..255; borders are filled with it
    std: float = 64.0


class Cells(NamedTuple):
    """Predictions of M cells: those of all grids, from stride 8 to 32, each row by row.

    logit: (N, M) float32; its sigmoid is the score. box: (N, M, 4) float32, left, top, right and
    bottom edge. points: (N, M, 5, 2) float32, x and y of the points in `markup.five_points`'
    order. Edges and points are in pixels of the input, pixel centres at whole numbers.
    """

    logit: Tensor
    box: Tensor
    points: Tensor


class DetectorNet(nn.Module):
    """See the module's docstring. Takes what `preprocess` returns; height and width are
    multiples of 32.
    """

    def __init__(self, config: DetectorNetConfig | None = None):
        super().__init__()
        self.config = config = config or DetectorNetConfig()
        widths = config.widths
        self.stem = conv_block(3, widths[0], kernel=6, stride=4, padding=1)
        self.stages = nn.ModuleList(
            nn.Sequential(
                conv_block(shallow, width, 3, stride=2),
                *(ResidualBlock(width, width) for _ in range(depth)),
            )
            for (shallow, width), depth in zip(pairwise(widths), config.depths, strict=True)
        )
        self.lateral = nn.ModuleList(
            conv_block(width, config.neck, 1, activate=False) for width in widths[1:]
        )
        self.smooth = nn.ModuleList(conv_block(config.neck, config.neck, 3) for _ in STRIDES)
        self.predict = nn.ModuleList(_head(config.neck) for _ in STRIDES)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 15, H / stride, W / stride) for each stride: what `decode` reads."""
        x = self.stem(x.to(next(self.stem.parameters()).dtype))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        maps = []
        above: Tensor | None = None
        for level in reversed(range(len(STRIDES))):
            x = self.lateral[level](features[level])
            if above is not None:
                x = x + F.interpolate(above, scale_factor=2.0, mode="nearest")
            above = self.smooth[level](F.relu(x))
            maps.append(self.predict[level](above))
        return maps[::-1]


def _head(inputs: int) -> nn.Conv2d:
    """Score, box and points of a cell; at first they are the same everywhere."""
    head = nn.Conv2d(inputs, 1 + 4 + 2 * NUM_FIVE, 1)
    nn.init.normal_(head.weight, std=0.01)
    bias = torch.zeros(head.out_channels)
    bias[0] = -4.6  # a face in a hundred cells, as focal loss begins
    head.bias = nn.Parameter(bias)
    return head


def preprocess(photos: Tensor, config: DetectorNetConfig) -> Tensor:
    """Photos to the CNN's input.

    Args:
        photos: (N, H, W, 3) uint8 RGB, H and W multiples of 32.

    Returns:
        (N, 3, H, W) float32, normalised, in channels_last memory order.
    """
    return (photos.permute(0, 3, 1, 2).float() - config.mean) / config.std


def decode(maps: list[Tensor]) -> Cells:
    """The CNN's maps as scores, boxes and points of cells."""
    flat = [level.flatten(2).transpose(1, 2) for level in maps]
    values = torch.cat(flat, dim=1).float()
    centre, stride = cell_grid([level.shape[-2:] for level in maps], values.device)
    # Edges lie at exp(v) strides from the cell's centre, points at v strides.
    outwards = torch.tensor([-1.0, -1.0, 1.0, 1.0], device=values.device) * stride[:, None]
    box = centre.repeat(1, 2) + torch.exp(values[..., 1:5].clamp(max=5.0)) * outwards
    points = centre.repeat(1, NUM_FIVE) + values[..., 5:] * stride[:, None]
    return Cells(values[..., 0], box, points.unflatten(-1, (NUM_FIVE, 2)))


def cell_grid(sizes: list[torch.Size], device: torch.device) -> tuple[Tensor, Tensor]:
    """(M, 2) float32 x and y of the cells' centres in pixels of the input, and (M,) strides."""
    centres, strides = [], []
    for (height, width), stride in zip(sizes, STRIDES, strict=True):
        y = torch.arange(height, device=device, dtype=torch.float32)
        x = torch.arange(width, device=device, dtype=torch.float32)
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).view(-1, 2)
        centres.append((grid + 0.5) * stride - 0.5)
        strides.append(torch.full((height * width,), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)
