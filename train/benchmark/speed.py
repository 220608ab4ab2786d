"""Benchmark of the keypoint pipeline, in milliseconds: `python -m train.evaluate speed`."""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.pipeline import DETECTORS, FacialKeypoints
from keypoints_captions.cores import usable_cores
from keypoints_captions.photos.reader import read_photo
from train.figures import Cell, Column, Report, add_card_argument

EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "examples" / "astronaut.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate speed`."""
    parser.add_argument("--weights", help="path without suffix; the project's own by default")
    parser.add_argument("--detector", choices=("auto", *DETECTORS), default="auto")
    parser.add_argument("--repeats", type=int, default=100)
    add_card_argument(parser, "facial_keypoints")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card, options.weights)
    pipeline = FacialKeypoints.load(options.weights, detector=options.detector)
    predictor = pipeline.predictor
    size = predictor.input_size
    crop = np.zeros((1, size, size, 3), np.uint8)
    scene = example_scene()
    detector, found = pipeline.detector.name, pipeline.detector(scene)[:1]
    steps: dict[tuple[str, str], Callable[[], object]] = {
        ("one face crop through the CNN, batch 1", "crop_ms"): lambda: predictor.run_network(crop),
        ("one detected face's keypoints and pose", "face_ms"): (
            lambda: pipeline.predict_detections(scene, found)
        ),
        ("detector, 640×480", "detector_ms"): lambda: pipeline.detector(scene),
        ("whole pipeline, 640×480, one face", "photo_ms"): lambda: pipeline(scene),
    }
    note = (
        f"{usable_cores()} cores, {predictor.engine.name}, detector {detector}, "
        f"median and quickest of {options.repeats}:"
    )
    columns = [Column("step", "{}"), Column("median ms"), Column("quickest ms", "{:.1f}")]
    table = "speed" if options.detector == "auto" else f"speed-{detector}"
    with report.table(table, "", (), columns, data="astronaut.jpg, 640×480", note=note) as row:
        for (name, metric), step in steps.items():
            times = milliseconds(step, options.repeats)
            median = statistics.median(times)
            row(Cell(name), Cell(f"{median:.1f}", **{metric: median}), min(times))


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
