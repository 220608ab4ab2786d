"""A network's large weights kept in bfloat16, once, and computed with in it.

OpenVINO copies the weights into the order that it reads fastest. It keeps the originals, but does
not read them again. So the originals are in a temporary file without a name, mapped into memory,
and their memory is given back.
"""

import mmap
import tempfile

import numpy as np
import openvino
from openvino import opset13
from openvino.op import Constant

#: What computes in bfloat16 wherever its weights are in it, and what does if all its inputs are.
_NARROW = {"Convolution", "MatMul"}
_EITHER = {"Add", "Relu", "MaxPool", "Reshape", "Transpose"}
_EITHER |= {"Concat", "Split", "Gather", "Unsqueeze"}
_ALIGNED = 64  # bytes


class Originals:
    """Memory for the weights of a network, to be kept as long as anything may read them.

    size: bytes, more than none.
    """

    def __init__(self, size: int) -> None:
        self._used = 0
        try:
            with tempfile.TemporaryFile() as file:
                file.write(bytes(size))  # a disk that is full says so here
                file.flush()
                self._memory = mmap.mmap(file.fileno(), size)
        except OSError:  # nowhere to write
            self._memory = mmap.mmap(-1, size)
            self._is_stored = False
        else:
            self._is_stored = hasattr(self._memory, "madvise")

    def add(self, values: np.ndarray) -> Constant:
        """These values in bfloat16."""
        bits = values.astype(np.float32).view(np.uint32)
        held = np.frombuffer(self._memory, np.uint16, values.size, self._used)
        held = held.reshape(values.shape)
        held[...] = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16  # a tie goes to the even one
        self._used += room(values)
        tensor = openvino.Tensor(held, list(values.shape), openvino.Type.bf16)
        return Constant(tensor, shared_memory=True)

    def give_back(self) -> None:
        """Gives their memory back; they are read from the file when they are wanted again."""
        if self._is_stored:
            self._memory.madvise(mmap.MADV_DONTNEED)


def room(values: np.ndarray) -> int:
    """Bytes that these values take in `Originals`."""
    return -(-2 * values.size // _ALIGNED) * _ALIGNED


def compute_in_bfloat16(model: openvino.Model) -> Originals:
    """Makes the weights that are stored in float16 bfloat16, and computes with them in it; in
    place."""
    float32, bfloat16 = openvino.Type.f32, openvino.Type.bf16
    nodes = model.get_ordered_ops()
    sizes = [room(stored.data) for node in nodes if (stored := _stored(node))]
    originals = Originals(sum(sizes) or _ALIGNED)
    for node in nodes:
        kind, values = node.get_type_name(), node.input_values()
        if stored := _stored(node):
            weights = originals.add(stored.data).output(0)
            for target in node.output(0).get_target_inputs():
                target.replace_source_output(weights)
            continue
        if bfloat16 not in [value.get_element_type() for value in values]:
            continue
        numbers = [v for v in values if isinstance(v.get_node(), Constant)]
        wide = any(v.get_element_type() == float32 for v in values if v not in numbers)
        wanted = bfloat16 if kind in _NARROW or (kind in _EITHER and not wide) else float32
        for place, value in enumerate(values):
            if value.get_element_type() in {float32, bfloat16} - {wanted}:
                node.input(place).replace_source_output(opset13.convert(value, wanted).output(0))
        node.validate_and_infer_types()
    model.validate_nodes_and_infer_types()
    originals.give_back()
    return originals


def _stored(node: openvino.Node) -> Constant | None:
    """The float16 weights that a node makes float32, if it does that."""
    if node.get_type_name() != "Convert":
        return None
    stored = node.input_value(0).get_node()
    is_half = isinstance(stored, Constant) and stored.get_element_type() == openvino.Type.f16
    return stored if is_half else None
