"""The keypoint CNN with preprocessing and decoding inside, for export to other engines."""

import torch
from torch import Tensor, nn

from facial_keypoints.landmarks.markup import NUM_POINTS
from facial_keypoints.landmarks.network import KeypointNet, preprocess
from keypoints_captions.engines.ports import Port, Ports


class WholeKeypointNet(nn.Module):
    """Crops as they are cut in, points, uncertainties and face scores out; see `outputs`."""

    def __init__(self, network: KeypointNet) -> None:
        super().__init__()
        self.network = network

    @property
    def inputs(self) -> Ports:
        size = self.network.config.input_size
        crops = "RGB, 0..255: square face crops, side 1.35 times the landmarks' box"
        return {"crops": Port("uint8", ("batch", size, size, 3), crops)}

    @property
    def outputs(self) -> Ports:
        points = "x, y of the points in 300-W order; -0.5..0.5 is the crop's width and height"
        scale = "natural logarithm of each point's Laplace scale, in the same unit"
        score = "0..1, probability that the crop holds a face"
        return {
            "points": Port("float32", ("batch", NUM_POINTS, 2), points),
            "log_scale": Port("float32", ("batch", NUM_POINTS), scale),
            "score": Port("float32", ("batch",), score),
        }

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points, log_scale, face_logit = self.network(preprocess(crops, self.network.config))
        return points, log_scale, torch.sigmoid(face_logit)
