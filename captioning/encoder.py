"""The encoder: ResNet-50 without its classifier, photo in, grid of features out.

Batch normalisation is folded into the convolutions from the start: its statistics stay
those of the ImageNet training throughout (batch norm in `eval()`), so each layer is one
affine map of its convolution's output, and folded it costs no time in training or use.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchvision.models import resnet50

GRID_CHANNELS = 2048
STRIDES = ("v1", "v1.5")
_BATCH_NORM_EPSILON = 1e-5


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
