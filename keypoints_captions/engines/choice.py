"""Which engine runs a model's networks: the one place that decides."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keypoints_captions.engines.engine import Engine
from keypoints_captions.engines.ports import Port, Ports
from keypoints_captions.weights import WeightsError, check_file, read_facts

if TYPE_CHECKING:
    import torch
    from torch import nn

#: What `engine` may be, of the models' `load`.
ENGINES = ("auto", "openvino", "torch")


def load_engines(
    pair: Path,
    names: Sequence[str],
    device: "str | torch.device | None",
    engine: str,
    in_torch: "Callable[[torch.device], Mapping[str, Engine]]",
    exact: bool = False,
    small: bool = False,
    spread: bool = True,
    reads: str = "",
) -> dict[str, Engine]:
    """Networks of a pair of files, by those names.

    Args:
        pair: path of NAME.safetensors and NAME.json, without a suffix.
        names: what follows the pair's own name in those of the graphs wanted, "" for nothing.
        device: of torch; None for the best there is: a GPU, if torch is there and can use it, else
            the CPU.
        engine: of `ENGINES`; "auto" takes OpenVINO on a CPU if it is installed and the pair has
            its ONNX files, else PyTorch.
        in_torch: loads the same networks in PyTorch.
        exact, small, spread: as `OpenVinoEngine` takes them.
        reads: an input of each of the networks, by which those of another kind are told.

    Raises:
        WeightsError: files are missing, damaged or of another kind, or the engine wanted cannot be
            had.
        ValueError: there is no such engine or device.
    """
    if engine not in ENGINES:
        raise ValueError(f"Expected an engine of {', '.join(ENGINES)}; got {engine!r}.")
    if engine != "torch" and _is_cpu(device):
        graphs = read_facts(pair).get("onnx", {})
        files = {name: pair.with_name(f"{pair.name}{name}.onnx") for name in names}
        present = all(file.stem in graphs and file.is_file() for file in files.values())
        if present and importlib.util.find_spec("openvino"):
            for file in files.values():
                if reads and reads not in graphs[file.stem]["inputs"]:
                    raise WeightsError(
                        f"Expected the weights of a network that reads {reads}, got {pair}, which "
                        f"reads {', '.join(graphs[file.stem]['inputs'])}; give the other one's."
                    )
            return {
                name: _openvino(file, graphs[file.stem], exact, small, spread)
                for name, file in files.items()
            }
    if engine == "openvino":
        raise WeightsError(
            f"Expected OpenVINO (pip install openvino), a CPU and the ONNX files of {pair.name} "
            "(python -m train.export writes them); one of these is missing."
        )
    if not importlib.util.find_spec("torch"):
        raise WeightsError(
            f"Expected PyTorch for {pair.name} on a GPU, and where OpenVINO cannot run it: "
            'pip install "keypoints-captions[torch]".'
        )
    from keypoints_captions.device import pick_device

    return dict(in_torch(pick_device(device)))


def as_engine(network: "Engine | nn.Module", whole: Callable[[Any], "nn.Module"]) -> Engine:
    """An engine as it is; a torch network in PyTorch, as it is now.

    whole: adds to a torch network what turns arrays into its input and its output into results.
    """
    if isinstance(network, Engine):
        return network
    from keypoints_captions.engines.on_torch import TorchEngine

    return TorchEngine(whole(network))


def _openvino(
    file: Path, facts: Mapping[str, Any], exact: bool, small: bool, spread: bool
) -> Engine:
    from keypoints_captions.engines.on_openvino import OpenVinoEngine

    check_file(file, facts)
    inputs, outputs = _ports(facts["inputs"]), _ports(facts["outputs"])
    return OpenVinoEngine(file, inputs, outputs, exact, small, spread, facts.get("ranges"))


def _ports(facts: Mapping[str, Any]) -> Ports:
    return {
        name: Port(port["dtype"], tuple(port["shape"]), port["meaning"])
        for name, port in facts.items()
    }


def _is_cpu(device: "str | torch.device | None") -> bool:
    """Whether the networks are to run on the CPU; torch, which takes seconds to import, is asked
    only where there are signs of a GPU."""
    if device is not None:
        return str(device).partition(":")[0] == "cpu"
    signs = os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi")
    if not signs or not importlib.util.find_spec("torch"):
        return True
    from keypoints_captions.device import pick_device

    return pick_device(None).type == "cpu"
