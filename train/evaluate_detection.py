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

from common.photos import read_photo
from facial_keypoints.cnn_detector import MIN_SCORE, CnnDetector
from facial_keypoints.crops import crops_from_boxes
from facial_keypoints.detectors import Detection, Detector, HaarDetector
from facial_keypoints.pipeline import FacialKeypoints, landmark_box
from facial_keypoints.predictor import KeypointPredictor
from train.detector_data import Scene, photos_of, read_scenes, split_scenes
from train.detector_metrics import Matches, match, match_scene, overlaps, together
from train.evaluate_speed import example_scene, milliseconds
from train.keypoint_data import LoadedFaces, load_faces, read_faces, split_by_subject
from train.keypoint_metrics import point_errors

SIZES = (
    (16.0, 24.0),
    (24.0, 32.0),
    (32.0, 64.0),
    (64.0, math.inf),
    (16.0, math.inf),
    (24.0, math.inf),
)
PHOTO_SIZES = ((320, 240), (640, 480), (1280, 960), (4000, 3000))
#: Of the whole picture, the sides of pasted test faces' landmark boxes.
PASTED_SIDES = (24, 48, 96)


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
    print_times([cnn, haar], options.repeats)


def read_sets(folders: Sequence[Path]) -> dict[str, LoadedFaces]:
    """The faces that no detector was trained on: those that choices are made by, and others."""
    split = split_by_subject(face for folder in folders for face in read_faces(folder))
    wanted = {
        "validation": list(split.validation),
        "LFPW test": [face for face in split.test if face.source == "lfpw"],
        "AFW, held-out scenes": [face for face in split.held_out if face.source == "afw"],
        "YouTube Faces, held-out people": [f for f in split.held_out if f.source == "ytf"],
    }
    return {name: load_faces(faces) for name, faces in wanted.items() if faces}


def print_thresholds(scenes: Sequence[Scene], found: Sequence[Sequence[Detection]]) -> None:
    """What `cnn_detector.MIN_SCORE` could be."""
    matches = together(_matched(scenes, found, (24.0, math.inf)))
    empty = [boxes for scene, boxes in zip(scenes, found, strict=True) if not len(scene)]
    print("\n### Score from which a detection counts (CNN; faces of at least 24 pixels)\n")
    print("| score | recall | precision | false boxes a face-free photo |\n|---|---|---|---|")
    for score in np.arange(0.2, 0.75, 0.05):
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
    """Boxes on photos in which the teacher saw no face, before and after the keypoint CNN."""
    empty = [number for number, scene in enumerate(scenes) if not len(scene)]
    print(f"\n### False boxes a photo, {len(empty)} photos in which the teacher saw no face\n")
    print("| detector | alone | after the keypoint CNN's face score |\n|---|---|---|")
    for name, boxes in found.items():
        least = MIN_SCORE if name == "cnn" else -np.inf
        alone = after = 0
        for number in empty:
            kept = np.array([d.box for d in boxes[number] if d.score >= least]).reshape(-1, 4)
            alone += len(kept)
            faces = pipeline.predict(photos[number], kept)
            after += sum(face.score >= pipeline.min_score for face in faces)
        print(f"| {name} | {alone / max(1, len(empty)):.4f} | {after / max(1, len(empty)):.4f} |")


def print_recall(sets: dict[str, LoadedFaces], detectors: Sequence[Detector]) -> None:
    """Labelled faces found, as the crops are and pasted smaller into a grey photo."""
    print("\n### Labelled faces found (box overlaps the landmark box by half)\n")
    sides = " | ".join(f"pasted, {side} px" for side in PASTED_SIDES)
    print(f"| set | faces | detector | crop as a photo | {sides} |")
    print("|---|---|---|---|" + "---|" * len(PASTED_SIDES))
    for name, faces in sets.items():
        for detector in detectors:
            cells = [_found_share(faces, detector, None)]
            cells += [_found_share(faces, detector, side) for side in PASTED_SIDES]
            shares = " | ".join(f"{share:.1%}" for share in cells)
            print(f"| {name} | {len(faces)} | {detector.name} | {shares} |")


def _found_share(faces: LoadedFaces, detector: Detector, side: int | None) -> float:
    found = 0
    for image, points in zip(faces.images, faces.points, strict=True):
        box = landmark_box(points).astype(np.float64)
        if side is not None:
            image, box = paste(image, box, side)
        found += match(detector(image), box[None], np.zeros(1, bool)).recall() == 1
    return found / len(faces)


def paste(image: np.ndarray, box: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture, scaled so that the box (x, y, width, height) has that side, in the middle of a
    (480, 640, 3) grey one; and the box there.
    """
    scale = side / math.sqrt(box[2] * box[3])
    size = np.maximum(1, np.round(np.array(image.shape[1::-1]) * scale)).astype(int)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size.tolist(), interpolation=interpolation)[:480, :640]
    scene = np.full((480, 640, 3), 127, np.uint8)
    left, top = (640 - small.shape[1]) // 2, (480 - small.shape[0]) // 2
    scene[top : top + small.shape[0], left : left + small.shape[1]] = small
    return scene, box * scale + (left, top, 0, 0)


def print_passes(sets: dict[str, LoadedFaces], detectors: Sequence[Detector]) -> None:
    """NME from each detector's boxes, read once and twice."""
    print("\n### NME of found faces in %, from the detector's boxes\n")
    print("| set | detector | read once | read once, turned by the five points | read twice |")
    print("|---|---|---|---|---|")
    network = FacialKeypoints.load(detector=detectors[0]).predictor.network
    once, twice = KeypointPredictor(network, passes=1), KeypointPredictor(network, passes=2)
    for name, faces in sets.items():
        for detector in detectors:
            rows = []
            for image, points in zip(faces.images, faces.points, strict=True):
                best = _on_face(detector(image), landmark_box(points))
                if best is None:
                    continue
                plain = crops_from_boxes(best.box[None])
                turned = crops_from_boxes(best.box[None], five=five_of(best))
                rows.append(
                    [
                        point_errors(predictor([image], crops).points, points[None]).mean()
                        for predictor, crops in ((once, plain), (once, turned), (twice, plain))
                    ]
                )
            means = " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0)) if rows else "-"
            print(f"| {name} | {detector.name} | {means} |")


def five_of(detection: Detection) -> np.ndarray | None:
    """The detection's points as a batch of one, where it has some."""
    return None if detection.points is None else detection.points[None]


def _on_face(found: Sequence[Detection], box: np.ndarray) -> Detection | None:
    if not found:
        return None
    overlap = [overlaps(detection.box, box[None])[0] for detection in found]
    best = int(np.argmax(overlap))
    return found[best] if overlap[best] >= 0.3 else None


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
