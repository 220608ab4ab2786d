"""Evaluation on heads turned in depth and on photos turned by quarters.

Errors of heads turned in depth are in % of √(w · h) of the landmark box, as for AFLW2000-3D: the
outer eye corners of a profile lie close together.
"""

import numpy as np

from facial_keypoints.face import Face
from facial_keypoints.pipeline import FacialKeypoints
from train.faces.data import LoadedFaces
from train.figures import Column, Report
from train.keypoints.metrics import box_errors, point_errors

#: Degrees of yaw, without sign.
TURNED_BANDS = ((0, 30), (30, 60), (60, 91))

#: Mean error, in % of √(w · h) of the landmark box, from which a face counts as missed; for
#: upright ones it is about half the distance of the eye corners.
MISSED = 35.0


def print_turned(report: Report, faces: LoadedFaces, pipeline: FacialKeypoints) -> None:
    """Errors, missed faces and the stated yaw of faces turned by a program, by their yaw."""
    errors, off = [], []
    for image, truth, yaw in zip(faces.images, faces.points, faces.yaws, strict=True):
        error, face = nearest(pipeline(image), truth)
        errors.append(error)
        off.append(abs(face.pose.yaw - yaw) if face and face.pose else np.nan)
    columns = [
        Column("faces", "{}", "faces"),
        Column("NME of found faces", "{:.2f}", "nme_of_box"),
        Column("missed", "{} ({:.1f} %)", "missed missed_rate"),
        Column("stated yaw off by", "{:.1f}°", "yaw_error"),
    ]
    with report.table(
        "turned",
        "Turned faces, held-out scenes, whole pipeline",
        ["yaw"],
        columns,
        data="AFW's held-out scenes, turned by 300W-LP",
        note="NME in % of √(w · h) of the landmark box; the yaw's error is its median.",
    ) as row:
        for low, high in TURNED_BANDS:
            inside = (np.abs(faces.yaws) >= low) & (np.abs(faces.yaws) < high)
            if not inside.any():
                continue
            nme, known = np.array(errors)[inside], np.isfinite(off) & inside
            missed = np.isnan(nme)
            row(
                f"{low}-{min(high, 90)}°",
                inside.sum(),
                None if missed.all() else nme[~missed].mean(),
                (missed.sum(), 100 * missed.mean()),
                np.median(np.array(off)[known]) if known.any() else None,
            )


def nearest(answers: list[Face], truth: np.ndarray) -> tuple[float, Face | None]:
    """The face nearest to the (68, 2) points and its mean error in % of √(w · h) of their box;
    NaN and None where none is nearer than `MISSED`."""
    errors = [(box_errors(f.points[None], truth[None]).mean(), i) for i, f in enumerate(answers)]
    error, index = min(errors, default=(np.inf, -1))
    return (float(error), answers[index]) if error < MISSED else (float("nan"), None)


def print_rolled(report: Report, sets: dict[str, LoadedFaces], pipeline: FacialKeypoints) -> None:
    """Faces found on photos turned by quarters, and their NME over the outer eye corners."""
    heading = "Photos turned by 90°, 180° and 270°, whole pipeline"
    columns = [Column("found", "{:.1f} %", "found"), Column("NME of found faces", "{:.2f}", "nme")]
    with report.table("rolled", heading, ["set", "turn"], columns) as row:
        for name, faces in sets.items():
            for quarters in range(4):
                errors = []
                for image, truth in zip(faces.images, faces.points, strict=True):
                    points = truth
                    for _ in range(quarters):  # as np.rot90 turns: to the left
                        points = _turned_left(points, image.shape)
                        image = np.ascontiguousarray(np.rot90(image))
                    _, face = nearest(pipeline(image), points)
                    error = point_errors(face.points[None], points[None]).mean() if face else np.nan
                    errors.append(error)
                found = ~np.isnan(errors)
                nme = np.nanmean(errors) if found.any() else None
                row(name, f"{90 * quarters}°", 100 * found.mean(), nme)


def _turned_left(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(68, 2) points of a picture of that shape, in the picture as np.rot90 turns it once."""
    return np.stack([points[:, 1], shape[1] - 1 - points[:, 0]], axis=1)
