"""Networks in OpenVINO, from the ONNX files beside the weights.

OpenVINO 2026.4 with one stream a core is the faster of what was measured on a CPU, with bfloat16
and without: `python -m train.evaluate engines`; weights/ENGINES.md has the table.
"""

import contextlib
import sys
import threading
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np

# OpenVINO reports its use to its makers where this package can be imported, and does without it.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402

from keypoints_captions.cores import usable_cores  # noqa: E402
from keypoints_captions.engines.engine import Engine  # noqa: E402
from keypoints_captions.engines.ports import Ports  # noqa: E402

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
    """

    def __init__(self, file: Path, inputs: Ports, outputs: Ports, exact: bool = False) -> None:
        self.inputs, self.outputs = inputs, outputs
        streams = usable_cores()
        settings: dict[str, Any] = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        self._model = core().compile_model(file, "CPU", settings)
        precision = self._model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.name = f"OpenVINO {precision}"
        self._idle: LifoQueue = LifoQueue()
        for _ in range(streams):
            self._idle.put(self._model.create_infer_request())
        self._streams = streams

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        count = len(next(iter(inputs.values())))
        requests = [self._idle.get()]
        try:
            with contextlib.suppress(Empty):
                while len(requests) < min(count, self._streams):
                    requests.append(self._idle.get_nowait())
            return self._run(requests, inputs, count)
        finally:
            for request in requests:
                self._idle.put(request)

    def _run(
        self, requests: list[Any], inputs: dict[str, np.ndarray], count: int
    ) -> dict[str, np.ndarray]:
        if len(requests) == 1:
            results = requests[0].infer(inputs, share_inputs=True)
            return {name: np.array(results[name]) for name in self.outputs}
        borders = np.linspace(0, count, len(requests) + 1).round().astype(int)
        for request, start, stop in zip(requests, borders, borders[1:], strict=False):
            part = {name: values[start:stop] for name, values in inputs.items()}
            request.start_async(part, share_inputs=True)
        for request in requests:
            request.wait()
        return {
            name: np.concatenate([request.get_tensor(name).data for request in requests])
            for name in self.outputs
        }
