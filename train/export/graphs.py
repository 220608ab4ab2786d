"""Conversion of a torch module to an ONNX graph with named inputs and outputs."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import onnx
import torch
from torch import Tensor

from keypoints_captions.engines.ports import Port, Ports

OPSET = 18
#: Sizes that may differ from call to call, with those that the network is traced with.
_EXAMPLES = {"batch": 2, "sequences": 3, "height": 320, "width": 256}
_STEPS = {"height": 32, "width": 32}  # pixels; sizes that must be multiples
_MOST = 4096


def to_graph(module: Any) -> onnx.ModelProto:
    """The graph of a torch module on the CPU, whose `inputs` and `outputs` are `Ports` in the
    order of its `forward`'s arguments and results."""
    module.eval()
    axes = {name: _axis(name) for name in _EXAMPLES}
    shapes = tuple(
        {place: axes[size] for place, size in enumerate(port.shape) if isinstance(size, str)}
        for port in module.inputs.values()
    )
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            tuple(_example(port) for port in module.inputs.values()),
            dynamo=True,
            input_names=list(module.inputs),
            output_names=list(module.outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # it is with dynamo=True
    graph = program.model_proto
    _forget_origins(graph)
    _name_sizes(graph.graph.input, module.inputs)
    _name_sizes(graph.graph.output, module.outputs)
    onnx.checker.check_model(graph)
    return graph


def _axis(name: str) -> Any:
    step = _STEPS.get(name, 1)
    if step == 1:
        return torch.export.Dim(name, min=1, max=_MOST)
    return step * torch.export.Dim(f"{name}_steps", min=1, max=_MOST // step)


def _example(port: Port) -> Tensor:
    shape = [_EXAMPLES[size] if isinstance(size, str) else size for size in port.shape]
    return torch.zeros(shape, dtype=getattr(torch, port.dtype))


def _forget_origins(graph: onnx.ModelProto) -> None:
    """Leaves out which line of which file on this machine each node was traced from."""
    inner = graph.graph
    for part in (inner, *inner.node, *inner.input, *inner.output, *inner.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del inner.value_info[:]
    del graph.metadata_props[:]


def _name_sizes(values: Any, ports: Ports) -> None:
    for value in values:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, ports[value.name].shape, strict=True):
            if isinstance(size, str):
                dim.dim_param = size


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what is meant: equal sizes of several inputs, for instance."""
    log = logging.getLogger("torch.onnx")
    other = logging.getLogger("onnx_ir")
    levels = log.level, other.level
    log.setLevel(logging.ERROR)
    other.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(levels[0])
        other.setLevel(levels[1])
