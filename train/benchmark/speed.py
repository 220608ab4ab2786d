"""Milliseconds of the keypoint half: `python -m train.evaluate speed`, on an idle machine."""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from facial_keypoints.pipeline import DETECTORS, FacialKeypoints
from keypoints_captions.photos.reader import read_photo

EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "examples" / "astronaut.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate speed`."""
    parser.add_argument("--weights", help="path without suffix; the project's own by default")
    parser.add_argument("--detector", choices=("auto", *DETECTORS), default="auto")
    parser.add_argument("--repeats", type=int, default=100)


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    pipeline = FacialKeypoints.load(options.weights, detector=options.detector)
    predictor = pipeline.predictor
    size = predictor.config.input_size
    crop = np.zeros((1, size, size, 3), np.uint8)
    scene = example_scene()
    detector, found = pipeline.detector.name, pipeline.detector(scene)[:1]
    steps: dict[str, Callable[[], object]] = {
        "one face crop through the CNN, batch 1": lambda: predictor.run_network(crop),
        "one detected face's keypoints and pose": lambda: pipeline.predict_detections(scene, found),
        f"detector ({detector}), 640×480": lambda: pipeline.detector(scene),
        f"whole pipeline ({detector}), 640×480, one face": lambda: pipeline(scene),
    }
    precision = str(next(predictor.network.stem.parameters()).dtype).removeprefix("torch.")
    print(f"{torch.get_num_threads()} threads, convolutions in {precision}, median and quickest")
    print(f"of {options.repeats}:\n\n| step | median ms | quickest ms |\n|---|---|---|")
    for name, step in steps.items():
        times = milliseconds(step, options.repeats)
        print(f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} |")


def example_scene() -> np.ndarray:
    """The astronaut example in a (480, 640, 3) uint8 RGB picture, grey beside it."""
    scene = np.full((480, 640, 3), 127, np.uint8)
    scene[:, 80:560] = cv2.resize(read_photo(EXAMPLE), (480, 480), interpolation=cv2.INTER_AREA)
    return scene


def milliseconds(call: Callable[[], object], repeats: int) -> list[float]:
    """Wall-clock times of that many calls, after ten to warm up."""
    for _ in range(10):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return times
