"""A picture's bytes at the beginning of a graph: how they are normalised."""

import numpy as np
import onnx

#: The byte that stands for zero in a first convolution on bytes.
MIDDLE = 128


def constants_of(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """By their names."""
    return {tensor.name: tensor for tensor in graph.initializer}


def normalising(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes from the picture's bytes in planes to the first convolution, without it."""
    (cast,) = (node for node in graph.node if node.op_type == "Cast")
    nodes = [cast]
    while nodes[-1].op_type != "Conv":
        nodes.append(_consumer(graph, nodes[-1].output[0]))
    return nodes[:-1]


def centre(graph: onnx.GraphProto) -> None:
    """Takes `MIDDLE` from the bytes in place of the mean; the first convolution's bias makes up for
    it, but where it reads zeros beyond the picture's edge: they are `MIDDLE` then. In place."""
    _, subtract, divide = normalising(graph)
    convolution = _consumer(graph, divide.output[0])
    constants = constants_of(graph)
    mean, std, weight, bias = (
        onnx.numpy_helper.to_array(constants[name])
        for name in (subtract.input[1], divide.input[1], *convolution.input[1:])
    )
    shift = ((MIDDLE - mean) / std).reshape(1, -1, 1, 1)
    _set(constants[convolution.input[2]], bias + (weight * shift).sum(axis=(1, 2, 3)))
    _set(constants[subtract.input[1]], np.full_like(mean, MIDDLE))


def _consumer(graph: onnx.GraphProto, value: str) -> onnx.NodeProto:
    """The only node that reads the value."""
    (node,) = (node for node in graph.node if value in node.input)
    return node


def _set(tensor: onnx.TensorProto, values: np.ndarray) -> None:
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
