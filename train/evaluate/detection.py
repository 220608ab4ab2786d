"""Every published figure of the face detectors: `python -m train.evaluate detection`.

Photos are held out from training; a teacher's boxes stand for the truth, doubtful ones counting
neither way. Sizes of faces are sides (root of the area) of the teacher's boxes, in pixels.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from facial_keypoints.detection.cnn import MIN_SCORE, CnnDetector
from facial_keypoints.detection.detectors import Detection, Detector, HaarDetector
from facial_keypoints.pipeline import FacialKeypoints
from keypoints_captions.photos.reader import read_photo
from train.benchmark.speed import example_scene, milliseconds
from train.detector.data import Scene, photos_of, read_scenes, split_scenes
from train.detector.metrics import Matches, match_scene, together
from train.evaluate.detection_faces import print_passes, print_points, print_recall, read_sets

SIZES = (
    (16.0, 24.0),
    (24.0, 32.0),
    (32.0, 64.0),
    (64.0, math.inf),
    (16.0, math.inf),
    (24.0, math.inf),
)
PHOTO_SIZES = ((320, 240), (640, 480), (1280, 960), (4000, 3000))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate detection`."""
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="with face_boxes.csv")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="COCO files")
    parser.add_argument("--faces", type=Path, nargs="+", default=[], help="68-point faces")
    parser.add_argument("--weights", help="of the detector; the project's own by default")
    parser.add_argument("--repeats", type=int, default=50, help="of each timing")
    parser.add_argument("--thresholds", action="store_true", help="also the choice of the score")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    scenes: list[Scene] = []
    for folder in options.photos:
        scenes += split_scenes(read_scenes(folder), folder, photos_of(options.held_out))[1]
    photos = [read_photo(scene.path) for scene in scenes]
    cnn, haar = CnnDetector.load(options.weights), HaarDetector()
    whole_curve = CnnDetector(cnn.network, min_score=0.02)
    found = {
        "cnn": [whole_curve(photo) for photo in photos],
        "haar": [haar(photo) for photo in photos],
    }
    if options.thresholds:
        print_thresholds(scenes, found["cnn"])
    print_precision(scenes, found)
    print_false_boxes(scenes, photos, found, FacialKeypoints.load(detector=cnn))
    if options.faces:
        sets = read_sets(options.faces)
        print_recall(sets, [cnn, haar])
        print_passes(sets, [cnn, haar])
        print_points(sets, cnn)
    print_times([cnn, haar], options.repeats)


def print_thresholds(scenes: Sequence[Scene], found: Sequence[Sequence[Detection]]) -> None:
    """What `cnn_detector.MIN_SCORE` could be."""
    matches = together(_matched(scenes, found, (24.0, math.inf)))
    empty = [boxes for scene, boxes in zip(scenes, found, strict=True) if not len(scene)]
    print("\n### Score from which a detection counts (CNN; faces of at least 24 pixels)\n")
    print("| score | recall | precision | false boxes a face-free photo |\n|---|---|---|---|")
    for score in np.arange(0.2, 0.925, 0.05):
        false = sum(box.score >= score for boxes in empty for box in boxes)
        print(
            f"| {score:.2f} | {matches.recall(score):.1%} | {matches.precision(score):.1%} | "
            f"{false / max(1, len(empty)):.3f} |"
        )


def print_precision(scenes: Sequence[Scene], found: dict[str, list[list[Detection]]]) -> None:
    """Average precision, recall and precision by size of face."""
    faces = sum((~scene.doubtful).sum() for scene in scenes)
    print(f"\n### {len(scenes)} held-out photos, {faces} faces that the teacher is sure of\n")
    print("| faces' side | detector | faces | average precision | recall | precision |")
    print("|---|---|---|---|---|---|")
    for low, high in SIZES:
        name = f"{low:.0f}-{high:.0f}" if high < math.inf else f"≥ {low:.0f}"
        for detector, boxes in found.items():
            matches = together(_matched(scenes, boxes, (low, high)))
            least = MIN_SCORE if detector == "cnn" else -np.inf
            print(
                f"| {name} | {detector} | {matches.faces} | {matches.average_precision():.3f} | "
                f"{matches.recall(least):.1%} | {matches.precision(least):.1%} |"
            )
    print(f"\nRecall and precision of the CNN are those of a score of {MIN_SCORE}.")


def _matched(
    scenes: Sequence[Scene], found: Sequence[Sequence[Detection]], sides: tuple[float, float]
) -> list[Matches]:
    return [match_scene(boxes, scene, sides) for scene, boxes in zip(scenes, found, strict=True)]


def print_false_boxes(
    scenes: Sequence[Scene],
    photos: Sequence[np.ndarray],
    found: dict[str, list[list[Detection]]],
    pipeline: FacialKeypoints,
) -> None:
    """What the keypoint CNN's face score throws out: false boxes, and faces with them."""
    empty = [number for number, scene in enumerate(scenes) if not len(scene)]
    print(f"\n### False boxes a photo, {len(empty)} photos in which the teacher saw no face\n")
    print("| detector | alone | after the keypoint CNN's face score | recall ≥ 24 alone | after |")
    print("|---|---|---|---|---|")
    for name, boxes in found.items():
        least = MIN_SCORE if name == "cnn" else -np.inf
        alone = [[box for box in seen if box.score >= least] for seen in boxes]
        after = [
            [
                box
                for box, face in zip(seen, pipeline.predict_detections(photo, seen), strict=True)
                if face.score >= pipeline.min_score
            ]
            for photo, seen in zip(photos, alone, strict=True)
        ]
        columns = [name]
        columns += [f"{np.mean([len(kept[n]) for n in empty]):.4f}" for kept in (alone, after)]
        for kept in (alone, after):
            columns.append(f"{together(_matched(scenes, kept, (24.0, math.inf))).recall():.1%}")
        print(f"| {' | '.join(columns)} |")


def print_times(detectors: Sequence[Detector], repeats: int) -> None:
    """Milliseconds by size of photo, and of the whole pipeline."""
    print(f"\n### Milliseconds, {torch.get_num_threads()} threads, median of {repeats}\n")
    print("| photo | " + " | ".join(detector.name for detector in detectors) + " |")
    print("|---|" + "---|" * len(detectors))
    scene = example_scene()
    for width, height in PHOTO_SIZES:
        photo = cv2.resize(scene, (width, height), interpolation=cv2.INTER_AREA)
        _print_times(f"{width}×{height}", [partial(d, photo) for d in detectors], repeats)
    pipelines = [FacialKeypoints.load(detector=detector) for detector in detectors]
    steps = [partial(pipeline, scene) for pipeline in pipelines]
    _print_times("640×480, one face, with its keypoints", steps, repeats)


def _print_times(name: str, steps: Sequence[Callable[[], object]], repeats: int) -> None:
    times = [statistics.median(milliseconds(step, repeats)) for step in steps]
    print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in times) + " |")
