"""The keypoint CNN in whole numbers of 8 bits: twice as fast in browsers, half the size.

Convolutions read and give bytes, the first one those of the picture; the last one and all that
follows stay float32. A ReLU is the lower end of its convolution's range and no step of its own.
The ranges of the bytes are those seen on faces of the free example photos, cut out and lit in many
ways. For camera frames, where speed counts; photos are read in full precision.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from train.export.picture_bytes import MIDDLE, constants_of, normalising

#: What computes on bytes.
_BYTE_OPERATORS = ["Conv", "Add", "Relu", "Resize", "AveragePool"]


class _Crops(CalibrationDataReader):
    def __init__(self, crops: np.ndarray) -> None:
        self._next = iter([{"crops": crop[None]} for crop in crops])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._next, None)


def quantise(graph: onnx.ModelProto, crops: np.ndarray) -> onnx.ModelProto:
    """The graph with its convolutions in 8 bits.

    Args:
        graph: of `WholeKeypointNet`, float32, after `picture_bytes.centre`.
        crops: (N, S, S, 3) uint8 RGB faces to learn the ranges from.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder, f"{name}.onnx") for name in ("whole", "ready", "small"))
        onnx.save(graph, whole)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        prepared = onnx.load(ready)
        extremes = np.stack([np.full_like(crops[0], value) for value in (0, 255)])
        quantize_static(
            ready,
            small,
            _Crops(np.concatenate([extremes, crops])),  # so that the input's range is a byte's
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=_BYTE_OPERATORS,
            nodes_to_exclude=_last(prepared.graph),
        )
        result = onnx.load(small)
    _take_bytes(result.graph)
    return result


def _last(graph: onnx.GraphProto) -> list[str]:
    """Names of the last convolution and of what adds up after it."""
    names = [node.name for node in graph.node if node.op_type in ("Conv", "Add")]
    convolution = [node.name for node in graph.node if node.op_type == "Conv"][-1]
    return names[names.index(convolution) :]


def _take_bytes(graph: onnx.GraphProto) -> None:
    """Lets the first convolution read the picture's bytes, where normalising them and making bytes
    of that again changes none."""
    nodes = normalising(graph)
    cast, _, divide, make_bytes, read_bytes = nodes
    constants = constants_of(graph)
    scale, zero, std = (
        onnx.numpy_helper.to_array(constants[name])
        for name in (*make_bytes.input[1:], divide.input[1])
    )
    if not (np.allclose(scale * std, 1, rtol=1e-5, atol=0) and zero == MIDDLE):
        raise ValueError(f"expected bytes around {MIDDLE}, got {zero} at a scale of {scale}")
    read_bytes.input[0] = cast.input[0]
    for node in nodes[:-1]:
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    for name in constants.keys() - read:
        graph.initializer.remove(constants[name])
