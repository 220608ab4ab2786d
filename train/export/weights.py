"""float16 storage of ONNX weights that are computed with in float32.

They are in the graph's own file, or in the safetensors file beside it, to which the graph then
points (ONNX's "external data": file, offset, length). A safetensors file is the length of its
header, the header, and then the tensors' bytes as they are.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class StoredTensor:
    """Place of a float16 tensor in a file: its first byte, and the number of bytes."""

    file: Path
    offset: int
    length: int
    shape: tuple[int, ...]


class StoredTensors:
    """The float16 tensors of a safetensors file, found by what they hold: an exporter renames and
    transposes weights."""

    def __init__(self, file: Path) -> None:
        data = file.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        self._found: dict[tuple[tuple[int, ...], bytes], StoredTensor] = {}
        for name, facts in json.loads(data[8:start]).items():
            if name != "__metadata__" and facts["dtype"] == "F16":
                low, high = (start + place for place in facts["data_offsets"])
                shape = tuple(facts["shape"])
                stored = StoredTensor(file, low, high - low, shape)
                self._found[shape, data[low:high]] = stored

    def find(self, values: np.ndarray) -> StoredTensor | None:
        """The tensor of this shape with these float16 values."""
        return self._found.get((values.shape, values.tobytes()))


def halve(graph: onnx.ModelProto, weights: Collection[str], held: StoredTensors | None) -> None:
    """Stores weights as float16, each with a node that casts it to float32; in place.

    weights: names of the weights; other constants of the graph are numbers of its computation,
        and stay as they are unless `held` has them (the exporter has transposed a weight).
    held: what a safetensors file holds: the graph then points into it instead.

    Raises:
        ValueError: `held` lacks a weight.
    """
    kept, casts = [], []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        stored, is_transposed = _find(values, held)
        if stored is None and tensor.name in weights:
            if held:
                raise ValueError(f"the weight {tensor.name} {values.shape} is in no such file")
            stored = numpy_helper.from_array(values.astype(np.float16))
        if stored is None:
            kept.append(tensor)
            continue
        stored.name, cast = f"{tensor.name}.float16", tensor.name
        if is_transposed:
            cast = f"{tensor.name}.stored"
            casts.append(helper.make_node("Transpose", [cast], [tensor.name], perm=[1, 0]))
        casts.append(helper.make_node("Cast", [stored.name], [cast], to=TensorProto.FLOAT))
        kept.append(stored)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    nodes = [*reversed(casts), *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _find(values: np.ndarray, held: StoredTensors | None) -> tuple[onnx.TensorProto | None, bool]:
    """A pointer to these values in the file that holds them, and whether it has them transposed."""
    if held is None or values.dtype != np.float32:
        return None, False
    half = values.astype(np.float16)
    if place := held.find(half):
        return _pointer(place), False
    if half.ndim == 2 and (place := held.find(half.T)):
        return _pointer(place), True
    return None, False


def _pointer(place: StoredTensor) -> onnx.TensorProto:
    tensor = onnx.TensorProto(data_type=TensorProto.FLOAT16, dims=place.shape)
    tensor.data_location = TensorProto.EXTERNAL
    facts = {"location": place.file.name, "offset": place.offset, "length": place.length}
    for key, value in facts.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
