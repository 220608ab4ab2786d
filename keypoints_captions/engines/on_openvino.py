"""Networks in OpenVINO, from the ONNX files beside the weights.

OpenVINO 2026.4 with one stream a core is the faster of what was measured on a CPU, with bfloat16
and without, where several calls come at once; alone, a call is faster on one stream of all cores.
`python -m train.evaluate engines`; weights/ENGINES.md has the table.
"""

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np

# OpenVINO reports its use to its makers where this package can be imported, and does without it.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402

from keypoints_captions.cores import may_use_all, usable_cores  # noqa: E402
from keypoints_captions.engines.engine import Engine  # noqa: E402
from keypoints_captions.engines.in_bfloat16 import Originals, compute_in_bfloat16  # noqa: E402
from keypoints_captions.engines.in_bytes import (  # noqa: E402
    Ranges,
    compute_in_bytes,
    has_byte_products,
)
from keypoints_captions.engines.ports import Ports  # noqa: E402

#: Heights and widths, 1:1, 4:3, 3:2 and 16:9, that a network for any size is planned for, each when
#: it first comes: a fifth to a third less time, for 20 MB. An answer depends on nothing else.
#: A network for one size is planned for a single item of it, too, unless its weights are large:
#: those are better read once for a whole batch.
_PLANNED = {(480, 640), (640, 480), (448, 640), (640, 448), (384, 640), (640, 384), (640, 640)}

_making = threading.Lock()
_cores: list[openvino.Core] = []
_home: int | None = None  # the process that has OpenVINO's threads; those forked from it have none
_running: list[None] = []  # an entry for each inference
_met = -math.inf  # when two inferences last met, in seconds of `time.monotonic`
_APART = 0.1  # seconds after that until one counts as alone again: callers that meet do so again


def core() -> openvino.Core:
    """OpenVINO's own core, one for this process."""
    with _making:
        if not _cores:
            _cores.append(openvino.Core())
    return _cores[0]


class OpenVinoEngine(Engine):
    """Runs an ONNX file. Each call takes one core, and a batch as many as are idle. A single item
    gets all cores while nothing else runs in this process, or has just now, and if
    `cores.may_use_all` allows it; its answer is the same to the bit. In a process that was forked
    from one where an engine has run, a call raises RuntimeError: it would wait forever.

    file: NAME.onnx. exact: compute in float32 where the processor has a quicker format, too.
    small: where it has bfloat16, keep the weights in it, once. OpenVINO alone keeps them in
        float32, and once more in bfloat16; but then it adds the last layers' biases in float32.
    spread: whether a single item may take more than one core, which holds the weights once more.
    ranges: of the convolutions that compute on bytes where the processor is made for it.
    """

    def __init__(
        self,
        file: Path,
        inputs: Ports,
        outputs: Ports,
        exact: bool = False,
        small: bool = False,
        spread: bool = True,
        ranges: Ranges | None = None,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._cores = usable_cores()
        self._settings: dict[str, Any] = {"ENABLE_CPU_PINNING": False}
        if exact:
            self._settings["INFERENCE_PRECISION_HINT"] = "f32"
        capabilities = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        in_bytes = not exact and has_byte_products(capabilities)
        self._ranges = ranges if in_bytes else None
        self._file, self._may_widen = file, spread
        model = self._read()
        self._originals: Originals | None = None
        if small and not exact and "BF16" in capabilities:
            self._originals = compute_in_bfloat16(model)
        free = {size for port in inputs.values() for size in port.shape if isinstance(size, str)}
        self._any_size = not free.isdisjoint({"height", "width"})
        self._one_by_one = free == {"batch"} and not small
        if self._one_by_one:
            model.reshape({name: [1, *port.shape[1:]] for name, port in inputs.items()})
        self._any = _Plan(model, self._settings, self._cores)
        precision = core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        self.name = f"OpenVINO {'f32' if exact else 'i8' if self._ranges else precision}"
        self._planned: dict[tuple[int, int], _Plan] = {}
        self._planning = threading.Lock()

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        _check_process()
        count = len(next(iter(inputs.values())))
        size = next(iter(inputs.values())).shape[1:3]
        is_planned = self._any_size and size in _PLANNED
        plan = self._plan(size) if is_planned else self._any
        with _inference() as is_alone:
            if count == 1 and is_alone and self._may_widen and self._cores > 1 and may_use_all():
                parts = self._run(inputs, [plan.wide], 1)
            else:
                with plan.narrow(min(count, self._cores)) as requests:
                    each = 1 if is_planned or self._one_by_one else -(-count // len(requests))
                    parts = self._run(inputs, requests, each)
        if self._originals:  # a plan copies them when it first runs, and for other shapes again
            self._originals.give_back()
        whole = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        return dict(zip(self.outputs, whole, strict=True))

    def _run(
        self, inputs: dict[str, np.ndarray], requests: list[openvino.InferRequest], each: int
    ) -> list[list[np.ndarray]]:
        """The outputs of so many items each, in their order."""
        count = len(next(iter(inputs.values())))
        parts = []
        try:
            for start in range(0, count, each * len(requests)):
                begun = []
                for request, low in zip(requests, range(start, count, each), strict=False):
                    part = {name: values[low : low + each] for name, values in inputs.items()}
                    begun.append((request, self._begin(request, part)))
                for request, _ in begun:
                    request.wait()
                    parts.append([np.array(request.get_tensor(name).data) for name in self.outputs])
        except BaseException:  # Ctrl-C, say: until they are done, they read arrays and are busy
            for request in requests:
                request.wait()
            raise
        return parts

    def _begin(
        self, request: openvino.InferRequest, inputs: dict[str, np.ndarray]
    ) -> list[np.ndarray]:
        """Starts a request; gives the arrays that it reads, to be kept until it is done.

        It would also take a dict of arrays, but spends a tenth of a millisecond on checking that.
        """
        read = []
        for name, values in inputs.items():
            values = np.require(values, self.inputs[name].dtype, ["C", "W"])
            request.set_tensor(name, openvino.Tensor(values, shared_memory=True))
            read.append(values)
        request.start_async()
        return read

    def _read(self) -> openvino.Model:
        model = core().read_model(self._file)
        if self._ranges:
            compute_in_bytes(model, self._ranges)
        return model

    def _plan(self, size: tuple[int, int]) -> "_Plan":
        with self._planning:
            if size not in self._planned:
                model = self._read()
                model.reshape({name: [1, *size, 3] for name in self.inputs})
                self._planned[size] = _Plan(model, self._settings, self._cores)
            return self._planned[size]


class _Plan:
    """A network compiled for one core a call and for all of them, each when it is first wanted.

    settings: of OpenVINO, without numbers of threads.
    """

    def __init__(self, model: openvino.Model, settings: dict[str, Any], cores: int) -> None:
        self._model, self._settings, self._cores = model, settings, cores
        self._compiling = threading.Lock()
        self._idle: LifoQueue[openvino.InferRequest] = LifoQueue()
        self._narrow: openvino.CompiledModel | None = None
        self._wide: openvino.InferRequest | None = None

    @contextlib.contextmanager
    def narrow(self, most: int) -> Iterator[list[openvino.InferRequest]]:
        """At least one idle request that takes one core, at most so many."""
        with self._compiling:
            if self._narrow is None:  # set last: Ctrl-C may end this at any moment
                narrow = self._compile(self._cores)
                for request in [narrow.create_infer_request() for _ in range(self._cores)]:
                    self._idle.put(request)
                self._narrow = narrow
        requests = [self._idle.get()]
        try:
            with contextlib.suppress(Empty):
                while len(requests) < most:
                    requests.append(self._idle.get_nowait())
            yield requests
        finally:
            for request in requests:
                self._idle.put(request)

    @property
    def wide(self) -> openvino.InferRequest:
        """The request that takes all cores: for who is alone in `_inference`."""
        with self._compiling:
            if self._wide is None:
                self._wide = self._compile(1).create_infer_request()
            return self._wide

    def _compile(self, streams: int) -> openvino.CompiledModel:
        threads = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": self._cores}
        return core().compile_model(self._model, "CPU", {**self._settings, **threads})


def _check_process() -> None:
    global _home
    if _home is None:
        _home = os.getpid()
    if _home != os.getpid():
        raise RuntimeError(
            "This process was forked from one in which a network has run, whose threads it does "
            "not have. Start processes by multiprocessing's 'spawn' and load the model in each, or "
            "run nothing before they are forked."
        )


@contextlib.contextmanager
def _inference() -> Iterator[bool]:
    """Counts an inference while it runs; gives whether it is the only one of this process, and no
    two have met just now."""
    global _met
    _running.append(None)
    try:
        now = time.monotonic()
        if len(_running) > 1:
            _met = now
        yield now - _met > _APART
    finally:
        _running.pop()
