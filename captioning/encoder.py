"""The encoder: ResNet-50 without its classifier, photo in, grid of features out.

Batch normalisation is folded into the convolutions from the start: its statistics stay
those of the ImageNet training throughout (batch norm in `eval()`), so each layer is one
affine map of its convolution's output, and folded it costs no time in training or use.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import resnet50

from keypoints_captions.photos.reader import PhotoSource, read_photo

GRID_CHANNELS = 2048
STRIDES = ("v1", "v1.5")
_BATCH_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the encoder's input; travels with the weights.

    The whole photo is squashed to a square: a caption may speak of what stands at the
    border, and Flickr8k's photos, as they are passed around, are squashed so already.
    """

    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # RGB, of 0..1, ImageNet's
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @property
    def read_side(self) -> int:
        """A photo may be read smaller, as long as its longer side keeps this many pixels."""
        return 4 * self.size

    def read(self, source: PhotoSource) -> np.ndarray:
        """Any photo that `keypoints_captions.photos.read_photo` takes, to `squash`'s result."""
        return self.squash(read_photo(source, max_side=self.read_side))

    def squash(self, image: np.ndarray) -> np.ndarray:
        """HWC uint8 RGB of any size to (size, size, 3) uint8 RGB."""
        height, width = image.shape[:2]
        if (height, width) == (self.size, self.size):
            return image
        shrinks = height >= self.size and width >= self.size
        return cv2.resize(
            image,
            (self.size, self.size),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )

    def normalise(self, squares: Tensor) -> Tensor:
        """(B, size, size, 3) uint8 RGB to (B, 3, size, size) float32, channels last."""
        mean = torch.tensor(self.mean, device=squares.device) * 255
        std = torch.tensor(self.std, device=squares.device) * 255
        return ((squares.float() - mean) / std).permute(0, 3, 1, 2)

    def to_dict(self) -> dict[str, object]:
        return {
            "resize": "squash to a square",
            "size": self.size,
            "colour": "RGB, 0..1",
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "Preprocessing":
        mean, std = tuple(values["mean"]), tuple(values["std"])
        return cls(size=int(values["size"]), mean=mean, std=std)


class Encoder(nn.Module):
    """ResNet-50's convolutions with batch norm folded in.

    strides: "v1.5" is torchvision's own layout, which shrinks a stage in the 3×3
        convolution of its first block; "v1" is the original one, which shrinks in the
        1×1 convolution before it (He et al. 2015). Weights fit the layout they were
        trained in only.

    The parameters are left uninitialised: load a state, `pretrained_state` or a trained one.
    """

    def __init__(self, strides: str = "v1.5") -> None:
        super().__init__()
        if strides not in STRIDES:
            raise ValueError(f"strides must be one of {STRIDES}, not {strides!r}")
        self.strides = strides
        with torch.device("meta"):
            body = resnet50(weights=None, norm_layer=_no_norm)
            for name, module in list(body.named_modules()):
                if isinstance(module, nn.Conv2d):
                    body.set_submodule(name, _with_bias(module))
            body.fc = nn.Identity()
        for stage in (body.layer2, body.layer3, body.layer4):
            if strides == "v1":
                stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        self.body = body.to_empty(device="cpu")

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB to (B, H/32, W/32, 2048), never negative."""
        body = self.body
        x = body.maxpool(body.relu(body.conv1(images)))
        x = body.layer4(body.layer3(body.layer2(body.layer1(x))))
        return x.permute(0, 2, 3, 1)

    def stages(self) -> list[tuple[str, list[nn.Parameter]]]:
        """The parameters by depth, from "stem" and "layer1" to "layer4"."""
        body = self.body
        named = [(f"layer{i}", list(getattr(body, f"layer{i}").parameters())) for i in range(1, 5)]
        return [("stem", list(body.conv1.parameters())), *named]


def fold_batch_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A torchvision ResNet's state dict to `Encoder`'s: batch norm folded, no classifier.

    y = gamma * (w*x - mean) / sqrt(var + eps) + beta becomes one convolution with bias.
    Raises KeyError where a convolution's batch norm is missing.
    """
    folded = {}
    for key, weight in state.items():
        if not key.endswith("weight") or weight.ndim != 4:
            continue
        conv = key.removesuffix(".weight")
        norm = conv.replace("conv", "bn") if "downsample" not in conv else f"{conv[:-1]}1"
        gamma, beta = state[f"{norm}.weight"].float(), state[f"{norm}.bias"].float()
        mean = state[f"{norm}.running_mean"].float()
        variance = state[f"{norm}.running_var"].float()
        scale = gamma / torch.sqrt(variance + _BATCH_NORM_EPSILON)
        folded[f"body.{conv}.weight"] = weight.float() * scale[:, None, None, None]
        folded[f"body.{conv}.bias"] = beta - mean * scale
    return folded


def _no_norm(_channels: int) -> nn.Module:
    return nn.Identity()


def _with_bias(conv: nn.Conv2d) -> nn.Conv2d:
    return nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        kernel_size=conv.kernel_size,  # type: ignore[arg-type]
        stride=conv.stride,  # type: ignore[arg-type]
        padding=conv.padding,  # type: ignore[arg-type]
    )
