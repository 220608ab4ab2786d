"""Evaluation of the keypoint network and pipeline: `python -m train.evaluate keypoints`.

Errors are NME over the distance of the outer eye corners, in %. "Landmark boxes" starts from the
upright box of the labels; "whole pipeline" starts from the picture alone.
"""

import argparse
from pathlib import Path

import numpy as np

from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import NUM_POINTS, PART_GROUPS, group_indices
from facial_keypoints.landmarks.predictor import TOLERANCE, Keypoints
from facial_keypoints.pipeline import DETECTORS, FacialKeypoints
from keypoints_captions.engines.engine import Engine
from train.engine.options import UsageError
from train.evaluate.keypoints_false import print_false_faces
from train.evaluate.keypoints_turned import print_rolled, print_turned
from train.faces.data import (
    TURNED,
    LoadedFaces,
    load_faces,
    read_faces,
    read_turned,
    split_by_subject,
)
from train.faces.pictures import draw_points, write_picture
from train.figures import Column, Report, add_card_argument
from train.keypoints.metrics import (
    area_under_curve,
    calibration,
    calibration_error,
    failure_rate,
    point_errors,
    predict_from_boxes,
)

YAW_BANDS = ((0, 15), (15, 30), (30, 90))  # degrees


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate keypoints`."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--weights", help="path without suffix; the project's own by default")
    parser.add_argument("--detector", choices=("auto", *DETECTORS), default="auto")
    parser.add_argument("--background", type=Path, help="photos without faces: false alarms")
    parser.add_argument("--sheet", type=Path, help="write the 16 worst faces as a picture here")
    add_card_argument(parser, "facial_keypoints")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card, options.weights)
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
    if not sets:
        raise UsageError("Expected validation faces, or one of these sets, in --data, got none.")
    pipeline = FacialKeypoints.load(options.weights, detector=options.detector)
    network = pipeline.predictor.engine  # as photos are read
    # Precise boxes need no second look: on the validation faces one is better (see print_steps).
    results = {name: predict_from_boxes(network, faces, passes=1) for name, faces in sets.items()}
    print_errors(report, sets, results)
    print_steps(report, sets, network)
    print_pipeline(report, sets, pipeline)
    turned = load_faces(face for face in split.held_out if face.source == TURNED)
    if len(turned):
        print_turned(report, turned, pipeline)
    upright = ("LFPW test", "AFW, held-out scenes")
    print_rolled(report, {name: sets[name] for name in upright if name in sets}, pipeline)
    if options.background:
        print_false_faces(report, pipeline, options.background)
    if options.sheet:
        first = next(iter(sets))
        write_worst(options.sheet, sets[first], results[first])


def print_errors(
    report: Report, sets: dict[str, LoadedFaces], results: dict[str, Keypoints]
) -> None:
    """NME, failures, AUC, parts, yaw bands and how confidence orders errors."""
    errors = {n: point_errors(results[n].points, faces.points) for n, faces in sets.items()}
    columns = [
        Column("faces", "{}", "faces"),
        Column("NME", "{:.2f}", "nme"),
        Column("failures > 8 %", "{:.1f} %", "failure_rate"),
        Column("AUC 8 %", "{:.3f}", "auc"),
        *(Column(part, "{:.2f}", "nme_of_part", {"part": part}) for part in PART_GROUPS),
    ]
    heading = "Landmark boxes, read once and mirrored"
    with report.table("landmark-boxes", heading, ["set"], columns) as row:
        for name, faces in sets.items():
            nme = errors[name].mean(axis=1)
            parts = [errors[name][:, group_indices(part)].mean() for part in PART_GROUPS]
            figures = nme.mean(), failure_rate(nme), area_under_curve(nme)
            row(name, len(faces), *figures, *parts)
    columns = [
        Column(f"yaw {low}-{high}°", "{:.2f} ({})", "nme faces", {"yaw": f"{low}-{high}°"})
        for low, high in YAW_BANDS
    ]
    with report.table("yaw", "", ["set"], columns) as row:
        for name, faces in sets.items():
            yaw = np.abs(list(map(_yaw, faces.points, faces.images)))
            bands = [(yaw >= low) & (yaw < high) for low, high in YAW_BANDS]
            nme = errors[name].mean(axis=1)
            row(name, *((nme[band].mean(), band.sum()) if band.any() else None for band in bands))
    columns = [
        Column("rank correlation of confidence and accuracy"),
        Column("points over 0.8", "{:.0f} %"),
        Column("of those right", "{:.1f} %"),
    ]
    from scipy.stats import spearmanr  # a second, which not every command that comes by here has

    with report.table("confidence", "", ["set"], columns) as row:
        for name in sets:
            confidence = results[name].confidence()
            sure = confidence > 0.8
            right = 100 * (errors[name][sure] < 100 * TOLERANCE).mean() if sure.any() else None
            order = spearmanr(confidence.ravel(), -errors[name].ravel()).statistic
            row(name, order, 100 * sure.mean(), right)


def print_steps(report: Report, sets: dict[str, LoadedFaces], network: Engine) -> None:
    """Errors with one and two passes, with and without mirroring."""
    variants = {
        "1 pass": (1, False),
        "1 pass, mirrored": (1, True),
        "2 passes": (2, False),
        "2 passes, mirrored": (2, True),
    }
    heading = "One pass, two passes, mirrored (NME, landmark boxes)"
    with report.table("passes", heading, ["set"], list(map(Column, variants))) as row:
        for name, faces in sets.items():
            answers = [predict_from_boxes(network, faces, *way) for way in variants.values()]
            row(name, *(point_errors(a.points, faces.points).mean() for a in answers))


def print_pipeline(report: Report, sets: dict[str, LoadedFaces], pipeline: FacialKeypoints) -> None:
    """NME, missed faces and the stated confidences, from the picture alone."""
    detector = pipeline.detector.name
    found = {name: _found_faces(pipeline, faces) for name, faces in sets.items()}
    columns = [
        Column("NME of found faces", "{:.2f}", "nme"),
        Column("failures > 8 %", "{:.1f} %", "failure_rate"),
        Column("missed", "{} of {} ({:.1f} %)", "missed faces missed_rate"),
        Column("further faces a picture", "{:.3f}", "further_faces"),
    ]
    heading = f"Whole pipeline, detector: {detector}"
    with report.table(f"pipeline-{detector}", heading, ["set"], columns) as row:
        for name, (errors, _, extra) in found.items():
            total, missed = len(sets[name]), len(sets[name]) - len(errors)
            nme = errors.mean(axis=1)
            missing = missed, total, 100 * missed / total
            row(name, nme.mean(), failure_rate(nme), missing, extra / total)
    bands = [f"{10 * i}-{10 * i + 10} %" for i in range(10)]
    columns = [
        Column("ECE", "{:.1f} %", "ece"),
        Column("stated", "{:.1f} %", "stated_confidence"),
        Column("right", "{:.1f} %", "right_points"),
        *(Column(band, "{:.0f} % ({:.0f} %)") for band in bands),
    ]
    note = (
        "Of the points in each band of the confidence, the share that is right (within "
        f"{100 * TOLERANCE:.0f} % of the outer-eye-corner distance), and the share of all points "
        "in it; ECE: expected calibration error."
    )
    heading = "Stated confidence and truth, whole pipeline"
    with report.table("calibration", heading, ["set"], columns, note=note) as row:
        for name, (errors, confidence, _) in found.items():
            right = errors < 100 * TOLERANCE
            row(
                name,
                calibration_error(confidence, right),
                100 * confidence.mean(),
                100 * right.mean(),
                *(
                    (100 * true, 100 * share) if share else None
                    for share, _, true in calibration(confidence, right)
                ),
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
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 4)
    rows = [np.concatenate(cells[i : i + 4], axis=1) for i in range(0, len(cells), 4)]
    write_picture(path, np.concatenate(rows))
    worst = ", ".join(f"{value:.1f}" for value in np.sort(nme)[::-1][:count])
    print(f"\nWorst faces, labels green and predictions red, in {path}: NME {worst}")


def _yaw(points: np.ndarray, image: np.ndarray) -> float:
    pose = estimate_pose(points, (image.shape[1], image.shape[0]))
    return pose.yaw if pose else 0.0
