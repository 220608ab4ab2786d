"""Model files: NAME.safetensors with the tensors, NAME.json with their description.

The JSON holds whatever the model needs to be built and fed (architecture, preprocessing constants,
vocabulary, markup, facts of the training) and, under "weights", the size and SHA-256 of the
safetensors file, so that a half-copied or mixed-up pair is refused instead of giving nonsense.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from safetensors import SafetensorError

from keypoints_captions.files import replacing

if TYPE_CHECKING:  # torch takes seconds to import; the page is up before it
    import torch

_LINE = 100  # columns of the JSON; lists of numbers and words are wrapped to it
_FACTS = "weights"  # the JSON's entry about the safetensors file
_GRAPHS = "onnx"  # that about what `train.export` writes


class WeightsError(ValueError):
    """A model cannot be saved or loaded: what was expected, what came, what to do."""


class SavedModel(NamedTuple):
    """A model as `load_model` returns it.

    state_dict: name -> tensor on the CPU; every floating-point tensor is float32.
    metadata: the whole JSON, the entry "weights" included.
    """

    state_dict: dict[str, torch.Tensor]
    metadata: dict[str, Any]


def save_model(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, torch.Tensor],
    metadata: Mapping[str, Any],
    *,
    half: bool = False,
) -> None:
    """Write PATH.safetensors and PATH.json.

    Args:
        path: without a suffix; missing folders are made.
        state_dict: name -> tensor, on any device.
        metadata: JSON-ready; written in its own order, after the entry "weights", which is made
            here. Floats must be finite.
        half: store floating-point tensors as float16. Integers keep their type.

    Raises:
        WeightsError: the metadata is no JSON, or a value does not fit into float16.
    """
    from safetensors.torch import save_file

    weights_path, json_path = _file_pair(path)
    if _FACTS in metadata:
        raise WeightsError(f'Metadata may not hold "{_FACTS}", which is written here; rename it.')
    tensors = {name: _storable(name, tensor, half) for name, tensor in state_dict.items()}
    facts: dict[str, Any] = {
        "file": weights_path.name,
        "bytes": 0,
        "sha256": "",
        "floats": "float16" if half else "as trained",
        "values": sum(tensor.numel() for tensor in tensors.values()),
    }
    _readable_json({_FACTS: facts, **metadata})  # refused before anything is written
    with replacing(weights_path) as partial:
        save_file(tensors, partial, metadata={"format": "pt"})
        facts["bytes"], facts["sha256"] = partial.stat().st_size, _sha256(partial)
    with replacing(json_path) as partial:
        partial.write_text(_readable_json({_FACTS: facts, **metadata}) + "\n", encoding="utf-8")


def load_model(path: str | os.PathLike[str]) -> SavedModel:
    """Read a pair that `save_model` wrote.

    Args:
        path: without a suffix, or the path of either file.

    Raises:
        WeightsError: a file is missing, is no JSON or safetensors, or the two do not belong
            together.
    """
    from safetensors.torch import load_file

    weights_path = _file_pair(path)[0]
    metadata = read_facts(path)
    try:
        tensors = load_file(weights_path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"Expected a safetensors file in {weights_path}, but it cannot be read ({error}); "
            "copy it again."
        ) from error
    state_dict = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    return SavedModel(state_dict, metadata)


def description(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What of a pair's metadata still holds when other tensors are saved with it: all but the facts
    of its files, and of graphs exported from them."""
    return {name: value for name, value in metadata.items() if name not in (_FACTS, _GRAPHS)}


def read_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON of a pair that `save_model` wrote, checked as `load_model` does.

    Raises:
        WeightsError: see `load_model`.
    """
    weights_path, json_path = _file_pair(path)
    for file in (json_path, weights_path):
        if not file.is_file():
            raise WeightsError(
                f"Expected {weights_path.name} and {json_path.name} in {weights_path.parent}, but "
                f"{file.name} is missing; copy both from the same release, or train the model."
            )
    metadata = _read_json(json_path)
    facts = metadata.get(_FACTS)
    if not isinstance(facts, dict) or not {"bytes", "sha256"} <= facts.keys():
        raise WeightsError(
            f'Expected "{_FACTS}" with "bytes" and "sha256" in {json_path}; it was not written by '
            "this project, or is older than it: export the model again."
        )
    check_file(weights_path, facts)
    return metadata


def file_facts(path: Path) -> dict[str, Any]:
    """A file's name, size and SHA-256, as the JSON beside it tells them."""
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}


def set_facts(path: str | os.PathLike[str], key: str, facts: Mapping[str, Any]) -> None:
    """Writes an entry of the JSON of a pair, in its place or at the end.

    Raises:
        WeightsError: the JSON is missing or none, or the facts are no JSON.
    """
    json_path = _file_pair(path)[1]
    text = _readable_json({**_read_json(json_path), key: facts})
    with replacing(json_path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _file_pair(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    path = Path(path)
    name = path.stem if path.suffix in (".safetensors", ".json") else path.name
    return path.with_name(f"{name}.safetensors"), path.with_name(f"{name}.json")


def _storable(name: str, tensor: torch.Tensor, half: bool) -> torch.Tensor:
    """A contiguous copy on the CPU with memory of its own, as safetensors wants it."""
    stored = tensor.detach().to("cpu", copy=True).contiguous()
    if not (half and stored.is_floating_point()):
        return stored
    halved = stored.half()
    if (halved.isinf() & ~stored.isinf()).any():
        raise WeightsError(
            f"Tensor {name} has values up to {stored.abs().max().item():.3g}, beyond float16's "
            "65504; save it with half=False."
        )
    return halved


def _read_json(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise WeightsError(f"Expected JSON in {path}, got {error}; copy the file again.") from error
    if not isinstance(metadata, dict):
        raise WeightsError(
            f"Expected a JSON object in {path}, got a {type(metadata).__name__}; copy it again."
        )
    return metadata


def check_file(path: Path, facts: Mapping[str, Any]) -> None:
    """Compares a file with its `file_facts`: size first, which costs nothing and catches most
    broken copies.

    Raises:
        WeightsError: it is another file.
    """
    advice = "copy it together with the JSON beside it from the same release."
    size = path.stat().st_size
    if size != facts["bytes"]:
        raise WeightsError(f"Expected {facts['bytes']} bytes in {path}, got {size}; {advice}")
    digest = _sha256(path)
    if digest != facts["sha256"]:
        raise WeightsError(f"Expected SHA-256 {facts['sha256']} of {path}, got {digest}; {advice}")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _readable_json(value: Any) -> str:
    try:
        json.dumps(value, allow_nan=False)  # the message of the first value that does not fit
        return _formatted(value, "")
    except (TypeError, ValueError) as error:
        raise WeightsError(
            f"Expected metadata of plain finite numbers, text, lists and dictionaries: {error}; "
            "convert arrays and tensors with tolist(), paths with str()."
        ) from error


def _formatted(value: Any, indent: str) -> str:
    """JSON with one entry a line, but lists of numbers or words filled to whole lines."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"keys must be text, got {list(value)}")
        entries = [f"{inner}{_formatted(k, '')}: {_formatted(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    if not isinstance(value, list | tuple) or not value:
        return json.dumps(value, ensure_ascii=False)
    items = [_formatted(item, inner) for item in value]
    one_line = f"[{', '.join(items)}]"
    if len(indent) + len(one_line) < _LINE - 20 and "\n" not in one_line:
        return one_line
    if any(isinstance(item, Mapping | list | tuple) for item in value):
        return "[\n" + ",\n".join(inner + item for item in items) + f"\n{indent}]"
    lines, line = [], inner
    for item in items:
        if len(line) + len(item) + 2 > _LINE and line != inner:
            lines.append(line.rstrip())
            line = inner
        line += item + ", "
    return "[\n" + "\n".join([*lines, line.rstrip(", ")]) + f"\n{indent}]"
