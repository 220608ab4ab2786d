"""The two CNNs in PyTorch: on a GPU, in training, and where no other engine is installed."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from facial_keypoints.landmarks.network import fold_batch_norm
from keypoints_captions.precision import fastest_precision
from keypoints_captions.weights import WeightsError, load_model

Net = TypeVar("Net", bound=nn.Module)


def load(make: Callable[[dict[str, Any]], Net], pair: Path) -> Net:
    """A trained CNN with batch norm folded, in eval mode, on the CPU.

    Args:
        make: makes the untrained one, by the entry "config" of the pair's JSON.
        pair: path of NAME.safetensors and NAME.json.

    Raises:
        WeightsError: the weights are missing, damaged or of another kind.
    """
    state, metadata = load_model(pair)
    try:
        network = make(metadata["config"]).eval()
        network.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise WeightsError(
            f"Expected the weights of another network than those of {pair} ({reason}); give the "
            "path of its own."
        ) from error
    return fold_batch_norm(network).to(memory_format=torch.channels_last)


def in_fastest_precision(
    network: Net,
    size: tuple[int, int],
    cast: Callable[[Net, torch.dtype], Net] = lambda network, precision: network.to(precision),
) -> Net:
    """The network in the number format that is fastest on its device, for pictures of a height
    and width.

    cast: brings a network to a number format, in place.
    """
    device = next(network.parameters()).device
    picture = torch.zeros((1, 3, *size), device=device).to(memory_format=torch.channels_last)

    def run(precision: torch.dtype) -> None:
        cast(copy.deepcopy(network), precision)(picture)  # the weights keep all their digits

    return cast(network, fastest_precision(device, run))
