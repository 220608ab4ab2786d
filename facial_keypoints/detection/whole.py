"""The detector CNN with preprocessing and decoding inside, for export to other engines."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from facial_keypoints.detection.network import DetectorNet, decode, preprocess
from facial_keypoints.landmarks.markup import NUM_FIVE
from keypoints_captions.engines.ports import Port, Ports


class WholeDetectorNet(nn.Module):
    """Canvases in, a score, a box and five points of every cell out; see `outputs`."""

    outputs: ClassVar[Ports] = {
        "score": Port("float32", ("batch", "cells"), "0..1; the best of overlapping boxes counts"),
        "box": Port(
            "float32",
            ("batch", "cells", 4),
            "left, top, right, bottom edge of the 68 points' box; pixels of the canvas, pixel "
            "centres at whole numbers",
        ),
        "points": Port(
            "float32",
            ("batch", "cells", NUM_FIVE, 2),
            "x, y of the right and the left eye's middle, the nose's tip and the right and the "
            "left corner of the mouth; pixels of the canvas",
        ),
    }

    def __init__(self, network: DetectorNet) -> None:
        super().__init__()
        self.network = network

    @property
    def inputs(self) -> Ports:
        grey = round(self.network.config.mean)
        canvases = (
            f"RGB, 0..255: a photo in the top left corner, {grey} in all channels beside and below "
            "it; height and width are multiples of 32"
        )
        return {"canvases": Port("uint8", ("batch", "height", "width", 3), canvases)}

    def forward(self, canvases: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = preprocess(canvases, self.network.config)
        cells = decode(self.network(x))
        return torch.sigmoid(cells.logit), cells.box, cells.points
