"""Evaluation of the face detectors: `python -m train.evaluate detection`.

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
from train.benchmark.speed import example_scene, milliseconds
from train.detector.data import Scene, photos_of, read_scenes, split_scenes
from train.detector.metrics import Matches, match_scene, together
from train.engine.options import UsageError
from train.evaluate.detection_faces import print_passes, print_points, print_recall, read_sets
from train.figures import Column, Report, add_card_argument
from train.photos import read_photo

SIZES = (
    (16.0, 24.0),
    (24.0, 32.0),
    (32.0, 64.0),
    (64.0, math.inf),
    (16.0, math.inf),
    (24.0, math.inf),
)
HELD_OUT = "MS COCO and Flickr8k, held-out photos"
PHOTO_SIZES = ((320, 240), (640, 480), (1280, 960), (4000, 3000))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate detection`."""
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="with face_boxes.csv")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="COCO files")
    parser.add_argument("--faces", type=Path, nargs="+", default=[], help="68-point faces")
    parser.add_argument("--weights", help="of the detector; the project's own by default")
    parser.add_argument("--repeats", type=int, default=50, help="of each timing")
    parser.add_argument("--thresholds", action="store_true", help="also the choice of the score")
    add_card_argument(parser, "face_detector")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card, options.weights)
    scenes: list[Scene] = []
    for folder in options.photos:
        scenes += split_scenes(read_scenes(folder), folder, photos_of(options.held_out))[1]
    if not scenes:
        raise UsageError(
            "Expected photos of the tables among those of --held-out, whose names begin in the "
            "table's folder, got none."
        )
    photos = [read_photo(scene.path) for scene in scenes]
    cnn, haar = CnnDetector.load(options.weights), HaarDetector()
    whole_curve = CnnDetector(cnn.engine, min_score=0.02)
    found = {
        "cnn": [whole_curve(photo) for photo in photos],
        "haar": [haar(photo) for photo in photos],
    }
    if options.thresholds:
        print_thresholds(report, scenes, found["cnn"])
    print_precision(report, scenes, found)
    print_false_boxes(report, scenes, photos, found, FacialKeypoints.load(detector=cnn))
    if options.faces:
        sets = read_sets(options.faces)
        print_recall(report, sets, [cnn, haar])
        print_passes(report, sets, [cnn, haar])
        print_points(report, sets, cnn)
    print_times(report, [cnn, haar], options.repeats)


def print_thresholds(
    report: Report, scenes: Sequence[Scene], found: Sequence[Sequence[Detection]]
) -> None:
    """Recall, precision and false boxes for each possible `MIN_SCORE`."""
    matches = together(_matched(scenes, found, (24.0, math.inf)))
    empty = [boxes for scene, boxes in zip(scenes, found, strict=True) if not len(scene)]
    heading = "Score from which a detection counts (CNN; faces of at least 24 pixels)"
    columns = [
        Column("recall", "{:.1f} %"),
        Column("precision", "{:.1f} %"),
        Column("false boxes a face-free photo", "{:.3f}"),
    ]
    with report.table("thresholds", heading, ["score"], columns) as row:
        for score in np.arange(0.2, 0.925, 0.05):
            false = sum(box.score >= score for boxes in empty for box in boxes)
            shares = 100 * matches.recall(score), 100 * matches.precision(score)
            row(f"{score:.2f}", *shares, false / max(1, len(empty)))


def print_precision(
    report: Report, scenes: Sequence[Scene], found: dict[str, list[list[Detection]]]
) -> None:
    """Average precision, recall and precision by size of face."""
    faces = sum((~scene.doubtful).sum() for scene in scenes)
    columns = [
        Column("faces", "{}", "faces"),
        Column("average precision", "{:.3f}", "average_precision"),
        Column("recall", "{:.1f} %", "recall"),
        Column("precision", "{:.1f} %", "precision"),
    ]
    with report.table(
        "by-size",
        f"{len(scenes)} held-out photos, {faces} faces that the teacher is sure of",
        ["side", "detector"],
        columns,
        data=HELD_OUT,
        below=f"Recall and precision of the CNN are those of a score of {MIN_SCORE}.",
    ) as row:
        for low, high in SIZES:
            name = f"{low:.0f}-{high:.0f}" if high < math.inf else f"≥ {low:.0f}"
            for detector, boxes in found.items():
                matches = together(_matched(scenes, boxes, (low, high)))
                least = MIN_SCORE if detector == "cnn" else -np.inf
                shares = 100 * matches.recall(least), 100 * matches.precision(least)
                row(name, detector, matches.faces, matches.average_precision(), *shares)


def _matched(
    scenes: Sequence[Scene], found: Sequence[Sequence[Detection]], sides: tuple[float, float]
) -> list[Matches]:
    return [match_scene(boxes, scene, sides) for scene, boxes in zip(scenes, found, strict=True)]


def print_false_boxes(
    report: Report,
    scenes: Sequence[Scene],
    photos: Sequence[np.ndarray],
    found: dict[str, list[list[Detection]]],
    pipeline: FacialKeypoints,
) -> None:
    """False boxes and faces that the keypoint CNN's face score removes."""
    empty = [number for number, scene in enumerate(scenes) if not len(scene)]
    heading = f"False boxes a photo, {len(empty)} photos in which the teacher saw no face"
    stages = {"alone": "detector alone", "after the keypoint CNN's face score": "face score"}
    columns = [Column(t, "{:.4f}", "false_boxes", {"stage": s}) for t, s in stages.items()]
    columns += [
        Column(f"recall ≥ 24 {title.split()[0]}", "{:.1f} %", "recall", {"stage": stage})
        for title, stage in stages.items()
    ]
    with report.table("false-boxes", heading, ["detector"], columns, data=HELD_OUT) as row:
        for name, boxes in found.items():
            least = MIN_SCORE if name == "cnn" else -np.inf
            alone = [[box for box in seen if box.score >= least] for seen in boxes]
            judge = pipeline if name == pipeline.detector.name else pipeline.using(name)
            after = []
            for photo, seen in zip(photos, alone, strict=True):
                faces = judge.predict_detections(photo, seen)
                told = zip(seen, faces, judge.least_scores(seen), strict=True)
                after.append([box for box, face, least in told if face.score >= least])
            false = [np.mean([len(kept[n]) for n in empty]) for kept in (alone, after)]
            recalls = [
                100 * together(_matched(scenes, kept, (24.0, math.inf))).recall()
                for kept in (alone, after)
            ]
            row(name, *false, *recalls)


def print_times(report: Report, detectors: Sequence[Detector], repeats: int) -> None:
    """Milliseconds by size of photo, and of the whole pipeline."""
    heading = f"Milliseconds, {torch.get_num_threads()} threads, median of {repeats}"
    columns = [Column(d.name, "{:.1f}", "ms", {"detector": d.name}) for d in detectors]
    scene = example_scene()
    with report.table("times", heading, ["photo"], columns, data="astronaut.jpg") as row:
        for width, height in PHOTO_SIZES:
            photo = cv2.resize(scene, (width, height), interpolation=cv2.INTER_AREA)
            steps = [partial(detector, photo) for detector in detectors]
            row(f"{width}×{height}", *_medians(steps, repeats))
        pipelines = [FacialKeypoints.load(detector=detector) for detector in detectors]
        whole = [partial(pipeline.__call__, scene) for pipeline in pipelines]
        row("640×480, one face, with its keypoints", *_medians(whole, repeats))


def _medians(steps: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    return [statistics.median(milliseconds(step, repeats)) for step in steps]
