"""Evaluation of the face detectors on single faces with 68 points."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.detection.detectors import Detection, Detector
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.crops import crops_from_boxes
from facial_keypoints.landmarks.markup import five_points, interocular_distance
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import FacialKeypoints
from train.detector.metrics import match, overlaps
from train.faces.data import LoadedFaces, load_faces, read_faces, split_by_subject
from train.figures import Column, Report
from train.keypoints.metrics import point_errors

#: Of the whole picture, the sides of pasted test faces' landmark boxes.
PASTED_SIDES = (24, 48, 96)
#: Degrees by which faces are turned to see whether the five points follow.
TURNS = (0, 30)


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


def print_recall(
    report: Report, sets: dict[str, LoadedFaces], detectors: Sequence[Detector]
) -> None:
    """Labelled faces found, as the crops are and pasted smaller into a grey photo."""
    heading = "Labelled faces found (box overlaps the landmark box by half)"
    columns = [Column("faces", "{}", "faces"), Column("crop as a photo", "{:.1f} %", "found")]
    columns += [Column(f"pasted, {side} px", "{:.1f} %") for side in PASTED_SIDES]
    with report.table("labelled-faces", heading, ["set", "detector"], columns) as row:
        for name, faces in sets.items():
            for detector in detectors:
                found = [_found_share(faces, detector, side) for side in (None, *PASTED_SIDES)]
                row(name, detector.name, len(faces), *(100 * share for share in found))


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


def print_passes(
    report: Report, sets: dict[str, LoadedFaces], detectors: Sequence[Detector]
) -> None:
    """NME from each detector's boxes, read once and twice."""
    heading = "NME of found faces in %, from the detector's boxes"
    ways = ("read once", "read once, turned by the five points", "read twice")
    network = FacialKeypoints.load(detector=detectors[0]).predictor.engine
    once, twice = KeypointPredictor(network, passes=1), KeypointPredictor(network, passes=2)
    with report.table("nme", heading, ["set", "detector"], list(map(Column, ways))) as row:
        for name, faces in sets.items():
            for detector in detectors:
                errors = []
                for image, points in zip(faces.images, faces.points, strict=True):
                    best = _on_face(detector(image), landmark_box(points))
                    if best is None:
                        continue
                    plain = crops_from_boxes(best.box[None])
                    turned = crops_from_boxes(best.box[None], five=five_of(best))
                    errors.append(
                        [
                            point_errors(predictor([image], crops).points, points[None]).mean()
                            for predictor, crops in ((once, plain), (once, turned), (twice, plain))
                        ]
                    )
                means = np.mean(errors, axis=0) if errors else [None] * len(ways)
                row(name, detector.name, *means)


def five_of(detection: Detection) -> np.ndarray | None:
    """The detection's points as a batch of one, where it has some."""
    return None if detection.points is None else detection.points[None]


def _on_face(found: Sequence[Detection], box: np.ndarray) -> Detection | None:
    if not found:
        return None
    overlap = [overlaps(detection.box, box[None])[0] for detection in found]
    best = int(np.argmax(overlap))
    return found[best] if overlap[best] >= 0.3 else None


def print_points(report: Report, sets: dict[str, LoadedFaces], detector: Detector) -> None:
    """How far the detector's five points are off, and the eyes' line, as the faces are and turned
    clockwise; beside it, how far a level line is off.
    """
    columns = [
        Column("found", "{:.1f} %"),
        Column("distance, % of the eyes'", "{:.1f}"),
        Column("eyes' line off by", "{:.1f}°"),
        Column("level: by", "{:.1f}°"),
    ]
    heading = "The detector's five points on found faces"
    with report.table("five-points", heading, ["set", "turn"], columns) as row:
        for name, faces in sets.items():
            for turn in TURNS:
                off = []
                for image, points in zip(faces.images, faces.points, strict=True):
                    turned, points = turn_face(image, points, turn)
                    best = _on_face(detector(turned), landmark_box(points))
                    if best is None or best.points is None:
                        continue
                    truth = five_points(points)
                    distance = np.linalg.norm(best.points - truth, axis=1).mean()
                    roll = _roll(truth)
                    eyes = interocular_distance(points)
                    off.append([100 * distance / eyes, abs(_roll(best.points) - roll), abs(roll)])
                means = np.mean(off, axis=0) if off else [None] * 3
                row(name, f"{turn}°", 100 * len(off) / len(faces), *means)


def turn_face(
    image: np.ndarray, points: np.ndarray, degrees: float
) -> tuple[np.ndarray, np.ndarray]:
    """A picture and points on it, turned clockwise about its middle; the corners turn grey."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    turned = cv2.warpAffine(image, matrix, (width, height), borderValue=(127, 127, 127))
    return turned, points @ matrix[:, :2].T + matrix[:, 2]


def _roll(five: np.ndarray) -> float:
    """Degrees by which the eyes' line falls to the right."""
    across = five[1] - five[0]
    return float(np.degrees(np.arctan2(across[1], across[0])))
