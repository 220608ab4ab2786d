"""Engines on a CPU: each network of `weights` in onnxruntime and OpenVINO, beside torch.

    python -m train.evaluate engines
    python -m train.evaluate engines --engine openvino --threads 1    (one line of the table)

Each engine and number of threads runs in a process of its own, one after the other. Milliseconds
are medians of single calls; in brackets is what two callers at once get done in a second; start is
the import of the engine and the loading of all networks. PyTorch's bfloat16 is `torch.autocast`;
"served" is OpenVINO as the libraries use it, with a stream for each thread.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

#: Network -> the sizes of its inputs that may differ.
SIZES = {
    "facial_keypoints": {"batch": 1},
    "face_detector": {"batch": 1, "height": 480, "width": 640},
    "captioning_encoder": {"batch": 1},
    "captioning_decoder_step": {"batch": 1, "sequences": 3},
}
ENGINES = ("torch", "torch bf16", "onnxruntime", "openvino f32", "openvino", "served")

Call = Callable[[dict[str, np.ndarray]], Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate engines`."""
    parser.add_argument("--engine", choices=ENGINES, help="only this one; prints JSON")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.6, help="for each figure")
    parser.add_argument("--weights", type=Path, default=Path("weights"))


def run(options: argparse.Namespace) -> None:
    """Prints the table, or one engine's figures."""
    if options.engine:
        print(json.dumps(figures(options.engine, options.threads, options)))
        return
    print("| engine | threads | " + " | ".join(SIZES) + " | start s | MiB |")
    print("| --- " * (len(SIZES) + 4) + "|")
    for engine in ENGINES:
        for threads in (1, 2):
            command = [sys.executable, "-m", "train.evaluate", "engines", "--engine", engine]
            command += ["--threads", str(threads), "--seconds", str(options.seconds)]
            done = subprocess.run(
                [*command, "--weights", str(options.weights)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            told = json.loads(done.stdout.splitlines()[-1])
            cells = [f"{one['ms']:.2f} ({one['both']:.0f}/s)" for one in told["networks"].values()]
            row = [engine, str(threads), *cells, f"{told['start']:.2f}", f"{told['memory']:.0f}"]
            print("| " + " | ".join(row) + " |", flush=True)


def figures(engine: str, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """Of one engine in this process."""
    before = _memory()
    since = time.perf_counter()
    calls = _LOADERS[engine.split()[0]](engine, threads, options.weights)
    start = time.perf_counter() - since
    networks = {}
    for name, call in calls.items():
        inputs = example(options.weights, name)
        for _ in range(3):
            call(inputs)
        networks[name] = {
            "ms": _median_ms(call, inputs, options.seconds),
            "both": _throughput(call, inputs, options.seconds),
        }
    return {"start": start, "memory": _memory() - before, "networks": networks}


def example(weights: Path, name: str) -> dict[str, np.ndarray]:
    """Random inputs of a network, as its JSON tells them."""
    facts = json.loads((weights / f"{pair_of(name)}.json").read_text())["onnx"][name]
    random = np.random.default_rng(0)
    inputs = {}
    for key, port in facts["inputs"].items():
        shape = [SIZES[name].get(size, size) for size in port["shape"]]
        if port["dtype"] == "float32":
            inputs[key] = random.random(shape, np.float32)
        else:
            inputs[key] = random.integers(0, 256, shape).astype(port["dtype"])
    return inputs


def pair_of(name: str) -> str:
    """The pair of files that a graph belongs to."""
    return name.removesuffix("_step").removesuffix("_start")


def _onnxruntime(engine: str, threads: int, weights: Path) -> dict[str, Call]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    calls: dict[str, Call] = {}
    for name in SIZES:
        session = onnxruntime.InferenceSession(weights / f"{name}.onnx", options)
        calls[name] = partial(session.run, None)
    return calls


def _openvino(engine: str, threads: int, weights: Path) -> dict[str, Call]:
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    if engine.endswith("f32"):
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    calls: dict[str, Call] = {}
    local = threading.local()
    for name in SIZES:
        compiled = core.compile_model(weights / f"{name}.onnx", "CPU", settings)

        def call(inputs: dict[str, np.ndarray], name: str = name, compiled: Any = compiled) -> Any:
            if not hasattr(local, name):
                setattr(local, name, compiled.create_infer_request())
            return getattr(local, name).infer(inputs, share_inputs=True)

        calls[name] = call
    return calls


def _served(engine: str, threads: int, weights: Path) -> dict[str, Call]:
    from keypoints_captions.engines.choice import load_engines

    os.environ["OMP_NUM_THREADS"] = str(threads)
    calls: dict[str, Call] = {}
    for name in SIZES:
        pair = pair_of(name)
        graph, is_large = name.removeprefix(pair), name.startswith("captioning")
        run = load_engines(
            weights / pair,
            [graph],
            "cpu",
            "openvino",
            lambda _: {},
            small=is_large,
            spread=pair == name,  # the decoder's is not
        )[graph]

        def call(inputs: dict[str, np.ndarray], run: Any = run) -> Any:
            return run(**inputs)

        calls[name] = call
    return calls


def _torch(engine: str, threads: int, weights: Path) -> dict[str, Call]:
    import torch

    from train.export.__main__ import NETWORKS

    torch.set_num_threads(threads)
    calls: dict[str, Call] = {}
    for modules in NETWORKS.values():
        for name, module in modules(weights).items():
            if name not in SIZES:
                continue
            module = module.eval().to(memory_format=torch.channels_last)

            def call(inputs: dict[str, np.ndarray], module: Any = module) -> Any:
                torch.set_num_threads(threads)
                bf16 = torch.autocast("cpu", torch.bfloat16, enabled=engine.endswith("bf16"))
                with torch.inference_mode(), bf16:
                    return module(*map(torch.from_numpy, inputs.values()))

            calls[name] = call
    return calls


_LOADERS = {"onnxruntime": _onnxruntime, "openvino": _openvino, "torch": _torch, "served": _served}


def _median_ms(call: Call, inputs: dict[str, np.ndarray], seconds: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        since = time.perf_counter()
        call(inputs)
        times.append(time.perf_counter() - since)
    return 1e3 * statistics.median(times)


def _throughput(call: Call, inputs: dict[str, np.ndarray], seconds: float) -> float:
    """Calls a second of two callers."""
    counts = [0, 0]
    end = time.perf_counter() + seconds

    def caller(place: int) -> None:
        while time.perf_counter() < end:
            call(inputs)
            counts[place] += 1

    threads = [threading.Thread(target=caller, args=(place,)) for place in (0, 1)]
    since = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - since)


def _memory() -> float:
    """MiB, the most that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
