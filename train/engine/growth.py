"""Growing a network: weights of a small network taken over by a larger one."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facial_keypoints.landmarks.network import ResidualBlock


@torch.no_grad()
def grow(model: nn.Module, learnt: Mapping[str, Tensor]) -> None:
    """Puts a smaller network's state into a model; at first the model computes what that did.

    Weights that have grown are filled up with zeros; a `ResidualBlock` that is new starts as the
    identity. Other new parts keep their random start: what reads them must have grown.

    Raises:
        ValueError: the state holds what the model has none of, or something larger.
    """
    state = model.state_dict()
    unknown = [name for name in learnt if name not in state]
    if unknown:
        raise ValueError(f"the network has no {', '.join(unknown)}, which the one learnt has")
    for name, block in model.named_modules():
        if isinstance(block, ResidualBlock) and f"{name}.conv2.1.weight" not in learnt:
            state[f"{name}.conv2.1.weight"].zero_()
    for name, old in learnt.items():
        new = state[name]
        if old.ndim != new.ndim or any(a > b for a, b in zip(old.shape, new.shape, strict=True)):
            raise ValueError(f"{name} was {tuple(old.shape)} and is {tuple(new.shape)}")
        new.zero_()
        new[tuple(slice(size) for size in old.shape)] = old
