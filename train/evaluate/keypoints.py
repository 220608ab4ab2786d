"""Every published figure of the keypoint half: `python -m train.evaluate keypoints`.

Errors are NME over the distance of the outer eye corners, in %. "Landmark boxes" starts from the
upright box of the labels; "whole pipeline" starts from the picture alone.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import NUM_POINTS, PART_GROUPS, group_indices
from facial_keypoints.landmarks.network import KeypointNet
from facial_keypoints.landmarks.predictor import TOLERANCE, Keypoints
from facial_keypoints.pipeline import DETECTORS, FacialKeypoints, load_network
from train.evaluate.keypoints_turned import print_rolled, print_turned
from train.keypoints.data import (
    TURNED,
    LoadedFaces,
    load_faces,
    read_faces,
    read_turned,
    split_by_subject,
)
from train.keypoints.metrics import (
    area_under_curve,
    calibration,
    calibration_error,
    failure_rate,
    point_errors,
    predict_from_boxes,
)
from train.keypoints.non_faces import TRAINING_PHOTOS, read_non_faces
from train.keypoints.sheet import draw_points, write_picture

YAW_BANDS = ((0, 15), (15, 30), (30, 90))  # degrees


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate keypoints`."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--weights", help="path without suffix; the project's own by default")
    parser.add_argument("--detector", choices=("auto", *DETECTORS), default="auto")
    parser.add_argument("--background", type=Path, help="photos without faces: false alarms")
    parser.add_argument("--sheet", type=Path, help="write the 16 worst faces as a picture here")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    split = split_by_subject(
        face for folder in options.data for face in [*read_faces(folder), *read_turned(folder)]
    )
    sets = {
        "LFPW test": load_faces(face for face in split.test if face.source == "lfpw"),
        "YouTube Faces, held-out people": load_faces(
            f for f in split.held_out if f.source == "ytf"
        ),
        "YouTube Faces, Udacity's test list": load_faces(
            f for f in split.test if f.source == "ytf"
        ),
        "AFW, held-out scenes": load_faces(face for face in split.held_out if face.source == "afw"),
        "validation": load_faces(f for f in split.validation if f.source != TURNED),
    }
    sets = {name: faces for name, faces in sets.items() if len(faces)}
    network = load_network(options.weights)
    # Precise boxes need no second look: on the validation faces one is better (see print_steps).
    results = {name: predict_from_boxes(network, faces, passes=1) for name, faces in sets.items()}
    print_errors(sets, results)
    print_steps(sets, network)
    pipeline = FacialKeypoints.load(options.weights, detector=options.detector)
    print_pipeline(sets, pipeline)
    turned = load_faces(face for face in split.held_out if face.source == TURNED)
    if len(turned):
        print_turned(turned, pipeline)
    upright = ("LFPW test", "AFW, held-out scenes")
    print_rolled({name: sets[name] for name in upright if name in sets}, pipeline)
    if options.background:
        print_false_alarms(pipeline, options.background)
    if options.sheet:
        write_worst(options.sheet, sets["LFPW test"], results["LFPW test"])


def print_errors(sets: dict[str, LoadedFaces], results: dict[str, Keypoints]) -> None:
    """NME, failures, AUC, parts, yaw bands and how confidence orders errors."""
    print("\n### Landmark boxes, read once and mirrored\n")
    parts = list(PART_GROUPS)
    print("| set | faces | NME | failures > 8 % | AUC 8 % | " + " | ".join(parts) + " |")
    print("|---|" + "---|" * (4 + len(parts)))
    for name, faces in sets.items():
        errors = point_errors(results[name].points, faces.points)
        nme = errors.mean(axis=1)
        by_part = " | ".join(f"{errors[:, group_indices(part)].mean():.2f}" for part in parts)
        print(
            f"| {name} | {len(faces)} | {nme.mean():.2f} | {failure_rate(nme):.1f} % | "
            f"{area_under_curve(nme):.3f} | {by_part} |"
        )
    print("\n| set | " + " | ".join(f"yaw {a}-{b}°" for a, b in YAW_BANDS) + " |")
    print("|---|" + "---|" * len(YAW_BANDS))
    for name, faces in sets.items():
        nme = point_errors(results[name].points, faces.points).mean(axis=1)
        yaw = np.abs(
            [_yaw(points, image) for points, image in zip(faces.points, faces.images, strict=True)]
        )
        cells = []
        for low, high in YAW_BANDS:
            inside = (yaw >= low) & (yaw < high)
            cells.append(f"{nme[inside].mean():.2f} ({inside.sum()})" if inside.any() else "-")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(
        "\n| set | rank correlation of confidence and accuracy | points over 0.8 | of those right |"
    )
    print("|---|---|---|---|")
    for name, faces in sets.items():
        errors = point_errors(results[name].points, faces.points)
        confidence = results[name].confidence()
        sure = confidence > 0.8
        right = (errors[sure] < 100 * TOLERANCE).mean() if sure.any() else float("nan")
        print(
            f"| {name} | {spearmanr(confidence.ravel(), -errors.ravel()).statistic:.2f} | "
            f"{100 * sure.mean():.0f} % | {100 * right:.1f} % |"
        )


def print_steps(sets: dict[str, LoadedFaces], network: KeypointNet) -> None:
    """What the second pass and the mirrored reading are worth."""
    print("\n### One pass, two passes, mirrored (NME, landmark boxes)\n")
    variants = [(1, False), (1, True), (2, False), (2, True)]
    print(
        "| set | "
        + " | ".join(f"{p} pass{'es' * (p > 1)}{', mirrored' * m}" for p, m in variants)
        + " |"
    )
    print("|---|" + "---|" * len(variants))
    for name, faces in sets.items():
        cells = []
        for passes, mirror in variants:
            keypoints = predict_from_boxes(network, faces, passes, mirror)
            cells.append(f"{point_errors(keypoints.points, faces.points).mean():.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_pipeline(sets: dict[str, LoadedFaces], pipeline: FacialKeypoints) -> None:
    """NME and missed faces from the picture alone, and what the second reading is worth there."""
    print(f"\n### Whole pipeline, detector: {pipeline.detector.name}\n")
    print("| set | NME of found faces | failures > 8 % | missed | further faces a picture |")
    print("|---|---|---|---|---|")
    found = {name: _found_faces(pipeline, faces) for name, faces in sets.items()}
    for name, (errors, _, extra) in found.items():
        total, missed = len(sets[name]), len(sets[name]) - len(errors)
        nme = errors.mean(axis=1)
        print(
            f"| {name} | {nme.mean():.2f} | {failure_rate(nme):.1f} % | {missed} of {total} "
            f"({100 * missed / total:.1f} %) | {extra / total:.3f} |"
        )
    print("\n### Stated confidence and truth, whole pipeline\n")
    print(
        "Of the points in each band of the confidence, the share that is right "
        f"(within {100 * TOLERANCE:.0f} % of the outer-eye-corner distance), and the share of all "
        "points in it; ECE: expected calibration error.\n"
    )
    bands = [f"{10 * i}-{10 * i + 10} %" for i in range(10)]
    print("| set | ECE | stated | right | " + " | ".join(bands) + " |")
    print("|---|" + "---|" * (3 + len(bands)))
    for name, (errors, confidence, _) in found.items():
        right = errors < 100 * TOLERANCE
        cells = [
            f"{100 * true:.0f} % ({100 * share:.0f} %)" if share else "-"
            for share, _, true in calibration(confidence, right)
        ]
        print(
            f"| {name} | {calibration_error(confidence, right):.1f} % | "
            f"{100 * confidence.mean():.1f} % | {100 * right.mean():.1f} % | "
            + " | ".join(cells)
            + " |"
        )


def _found_faces(
    pipeline: FacialKeypoints, faces: LoadedFaces
) -> tuple[np.ndarray, np.ndarray, int]:
    """Of the M labelled faces that were found: the points' errors in % and their confidences, both
    (M, 68); and how many others were found.

    A face is found when a predicted face's points lie nearer than half the eye distance on
    average; the nearest counts.
    """
    found, extra = [], 0
    for image, truth in zip(faces.images, faces.points, strict=True):
        answers = pipeline(image)
        errors = [point_errors(face.points[None], truth[None])[0] for face in answers]
        near = [i for i, error in enumerate(errors) if error.mean() < 50]
        extra += len(answers) - len(near)
        if near:
            best = min(near, key=lambda i: errors[i].mean())
            found.append((errors[best], answers[best].confidence))
    return (
        np.array([errors for errors, _ in found]).reshape(-1, NUM_POINTS),
        np.array([confidence for _, confidence in found]).reshape(-1, NUM_POINTS),
        extra,
    )


def print_false_alarms(pipeline: FacialKeypoints, background: Path) -> None:
    """Faces reported on photos without any, which training never saw."""
    photos = read_non_faces(background, limit=400, skip=TRAINING_PHOTOS)
    alone = sum(len(pipeline.detector(photo)) for photo in photos)
    scored = sum(len(pipeline(photo)) for photo in photos)
    print(
        f"\nFalse faces on {len(photos)} photos without a face: {alone / len(photos):.3f} a "
        f"photo by the detector ({pipeline.detector.name}) alone, "
        f"{scored / len(photos):.3f} after the CNN's face score."
    )


def write_worst(path: Path, faces: LoadedFaces, keypoints: Keypoints, count: int = 16) -> None:
    """A picture of the worst faces: labels in green, predictions in red, NME in the console."""
    nme = point_errors(keypoints.points, faces.points).mean(axis=1)
    cells = []
    for index in np.argsort(-nme)[:count]:
        crops = crops_from_points(faces.points[index][None], upright=False, scale=1.6)
        view = cut(faces.images[index], crops, 256)[0]
        view = draw_points(view, to_crop(faces.points[index][None], crops)[0])
        view = draw_points(view, to_crop(keypoints.points[index][None], crops)[0], (255, 60, 60))
        cells.append(view)
    rows = [np.concatenate(cells[i : i + 4], axis=1) for i in range(0, len(cells) - 3, 4)]
    write_picture(path, np.concatenate(rows))
    worst = ", ".join(f"{value:.1f}" for value in np.sort(nme)[::-1][:count])
    print(f"\nWorst faces, labels green and predictions red, in {path}: NME {worst}")


def _yaw(points: np.ndarray, image: np.ndarray) -> float:
    pose = estimate_pose(points, (image.shape[1], image.shape[0]))
    return pose.yaw if pose else 0.0
