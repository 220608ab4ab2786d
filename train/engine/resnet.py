"""ResNet-50 weights that trainings start from."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from captioning.encoder import Encoder, fold_batch_norm
from train.engine.options import UsageError


def load_resnet(encoder: Encoder, weights: str | Path) -> None:
    """Gives the encoder what the ResNet-50 in a safetensors file, with torchvision's names, knows.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: it holds something else.
    """
    try:
        encoder.load_state_dict(fold_batch_norm(load_file(weights)))
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise UsageError(
            f"Expected a ResNet-50 with torchvision's names in safetensors' format in {weights}, "
            f"got something else ({str(error)[:200]})."
        ) from error
