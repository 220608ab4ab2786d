"""Networks in OpenVINO, from the ONNX files beside the weights.

OpenVINO 2026.4 with one stream a core is the faster of what was measured on a CPU, with bfloat16
and without: `python -m train.evaluate engines`; weights/ENGINES.md has the table.
"""

import contextlib
import sys
import threading
from collections import Counter
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np

# OpenVINO reports its use to its makers where this package can be imported, and does without it.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402
from openvino import opset13  # noqa: E402
from openvino.op import Constant  # noqa: E402

from keypoints_captions.cores import usable_cores  # noqa: E402
from keypoints_captions.engines.engine import Engine  # noqa: E402
from keypoints_captions.engines.ports import Ports  # noqa: E402

Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # of a call's inputs by name, but for the batch

#: A network that takes pictures of any size needs a third less time, and 20 MB, where it is planned
#: for one: so many shapes get a plan of their own, each when it comes for the so many-th time.
_MOST_FIXED, _COMMON = 3, 3

#: What computes in bfloat16 wherever its weights are in it, and what does if all its inputs are.
_NARROW = {"Convolution", "MatMul"}
_EITHER = {"Add", "Relu", "MaxPool", "Reshape", "Transpose"}
_EITHER |= {"Concat", "Split", "Gather", "Unsqueeze"}

_making = threading.Lock()
_cores: list[openvino.Core] = []


def core() -> openvino.Core:
    """OpenVINO's own core, one for this process."""
    with _making:
        if not _cores:
            _cores.append(openvino.Core())
    return _cores[0]


class OpenVinoEngine(Engine):
    """Runs an ONNX file. Each call takes one core, and a batch as many as are idle.

    file: NAME.onnx. exact: compute in float32 where the processor has a quicker format, too.
    small: where it has bfloat16, keep the weights in it. OpenVINO alone keeps them in float32,
        and once more in bfloat16; but then it adds the last layers' biases in float32.
    """

    def __init__(
        self, file: Path, inputs: Ports, outputs: Ports, exact: bool = False, small: bool = False
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._streams = usable_cores()
        settings: dict[str, Any] = {
            "NUM_STREAMS": self._streams,
            "INFERENCE_NUM_THREADS": self._streams,
            "ENABLE_CPU_PINNING": False,
        }
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        model = core().read_model(file)
        if (
            small
            and not exact
            and "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        ):
            _narrow(model)
        self._model = core().compile_model(model, "CPU", settings)
        precision = self._model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.name = f"OpenVINO {precision}"
        self._settings, self._file = settings, file
        self._any = self._pool(self._model)
        self._met: Counter[Shapes] = Counter()
        self._fixed: dict[Shapes, LifoQueue] = {}
        self._choosing = threading.Lock()
        self._is_wide = any({"height", "width"} & set(port.shape) for port in inputs.values())

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        count = len(next(iter(inputs.values())))
        shapes = tuple((name, values.shape[1:]) for name, values in inputs.items())
        fixed = self._fixed_to(shapes) if self._is_wide else None
        idle = fixed or self._any
        requests = [idle.get()]
        try:
            with contextlib.suppress(Empty):
                while len(requests) < min(count, self._streams):
                    requests.append(idle.get_nowait())
            size = 1 if fixed else -(-count // len(requests))
            parts = []
            for start in range(0, count, size * len(requests)):
                begun = []
                for request, low in zip(requests, range(start, count, size), strict=False):
                    part = {name: values[low : low + size] for name, values in inputs.items()}
                    request.start_async(part, share_inputs=True)
                    begun.append(request)
                for request in begun:
                    request.wait()
                    parts.append([np.array(request.get_tensor(name).data) for name in self.outputs])
            whole = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
            return dict(zip(self.outputs, whole, strict=True))
        finally:
            for request in requests:
                idle.put(request)

    def _fixed_to(self, shapes: Shapes) -> LifoQueue | None:
        """Requests of a network for this shape alone, if it is common enough to have one."""
        with self._choosing:
            self._met[shapes] += 1
            if shapes not in self._fixed:
                full = len(self._fixed) == _MOST_FIXED
                rarest = min(self._fixed, key=self._met.__getitem__) if full else None
                least = 2 * self._met[rarest] if rarest else 0
                if self._met[shapes] < least + _COMMON:
                    return None
                if rarest:
                    del self._fixed[rarest]
                model = core().read_model(self._file)
                model.reshape({name: [1, *sizes] for name, sizes in shapes})
                self._fixed[shapes] = self._pool(core().compile_model(model, "CPU", self._settings))
            return self._fixed[shapes]

    def _pool(self, model: openvino.CompiledModel) -> LifoQueue:
        idle: LifoQueue = LifoQueue()
        for _ in range(self._streams):
            idle.put(model.create_infer_request())
        return idle


def _narrow(model: openvino.Model) -> None:
    """Makes the weights that are stored in float16 bfloat16, and computes with them in it."""
    float32, bfloat16 = openvino.Type.f32, openvino.Type.bf16
    for node in model.get_ordered_ops():
        kind, values = node.get_type_name(), node.input_values()
        if kind == "Convert" and isinstance(stored := values[0].get_node(), Constant):
            if stored.get_element_type() == openvino.Type.f16:
                weights = _in_bfloat16(stored.data).output(0)
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


def _in_bfloat16(values: np.ndarray) -> Constant:
    bits = values.astype(np.float32).view(np.uint32)
    nearest = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)  # a tie: to the even one
    tensor = openvino.Tensor(nearest, list(values.shape), openvino.Type.bf16)
    return Constant(tensor, shared_memory=False)
