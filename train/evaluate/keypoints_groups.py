"""Errors by skin tone, light and sharpness: `python -m train.evaluate groups`.

No set names anybody's skin tone, so it is measured in the picture: the individual typology angle
(ITA; Chardon et al., "Skin colour typology and suntanning pathways", 1991) of both cheeks' pixels,
as in Merler et al., "Diversity in Faces", 2019. A picture's light and white balance change it, so
it tells how a face looks in its photo rather than what its skin is like.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.predictor import TOLERANCE
from facial_keypoints.pipeline import FacialKeypoints
from train.engine.options import UsageError
from train.faces.data import LoadedFaces, load_faces, read_faces, split_by_subject
from train.figures import Cell, Column, Report, add_card_argument
from train.keypoints.metrics import failure_rate, point_errors, predict_from_boxes

#: Least ITA in degrees of a group -> its name, the lightest first.
TONES: Mapping[float, str] = {
    41.0: "light",
    28.0: "intermediate",
    10.0: "tan",
    -90.0: "brown, dark",
}

#: Points around each cheek: an eye's lower lid, the nostril, the mouth's corner, the jaw.
CHEEKS = ((41, 31, 48, 3), (46, 35, 54, 13))
SIDE = 128  # pixels, of the crops that are measured
RADIUS = 8  # pixels of them, of the disc on a cheek


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate groups`."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--weights", help="path without suffix; the project's own by default")
    add_card_argument(parser, "facial_keypoints")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card, options.weights)
    split = split_by_subject(face for folder in options.data for face in read_faces(folder))
    sets = {
        "LFPW test": load_faces(face for face in split.test if face.source == "lfpw"),
        "YouTube Faces, held-out people": load_faces(
            face for face in split.held_out if face.source == "ytf"
        ),
    }
    if not any(map(len, sets.values())):
        raise UsageError(f"Expected faces of {' or of '.join(sets)} in --data, got none.")
    network = FacialKeypoints.load(options.weights).predictor.engine
    columns = [
        Column("faces", "{}", "faces"),
        Column("NME", "{:.2f}", "nme"),
        Column("failures > 8 %", "{:.1f} %", "failure_rate"),
        Column("points right", "{:.1f} %", "right_points"),
        Column("stated", "{:.1f} %", "stated_confidence"),
    ]
    keys = ["set", "by", "group"]
    heading = "Skin tone, light and sharpness (landmark boxes, read once and mirrored)"
    with report.table("groups", heading, keys, columns) as row:
        for name, faces in sets.items():
            if not len(faces):
                continue
            keypoints = predict_from_boxes(network, faces, passes=1)
            errors = point_errors(keypoints.points, faces.points)
            confidence = keypoints.confidence()
            for kind, groups in groups_of(faces).items():
                for group in dict.fromkeys(groups):
                    own = np.array([one == group for one in groups])
                    nme = errors[own].mean(axis=1)
                    right = 100 * (errors[own] < 100 * TOLERANCE).mean()
                    stated = 100 * confidence[own].mean()
                    figures = nme.mean(), failure_rate(nme), right, stated
                    row(name, kind, group, Cell(str(own.sum()), faces=int(own.sum())), *figures)


def groups_of(faces: LoadedFaces) -> dict[str, list[str]]:
    """Of each property the group of every face."""
    crops = [_crop(image, points) for image, points in zip(faces.images, faces.points, strict=True)]
    tones = [tone(typology_angle(*crop)) for crop in crops]
    return {
        "skin tone (ITA)": tones,
        "light on the face": _thirds(crops, lightness, ("darkest", "middle", "brightest")),
        "sharpness": _thirds(crops, sharpness, ("most blurred", "middle", "sharpest")),
    }


def typology_angle(crop: np.ndarray, points: np.ndarray) -> float:
    """ITA in degrees of the cheeks' pixels, the brighter half of them: the angle whose tangent is
    (L* - 50) / b*.

    Args:
        crop: (S, S, 3) uint8 RGB. points: (68, 2), its pixels.
    """
    mask = np.zeros(crop.shape[:2], np.uint8)
    for cheek in CHEEKS:
        centre = points[list(cheek)].mean(axis=0).round().astype(int)
        cv2.circle(mask, centre.tolist(), RADIUS, 255, -1)
    pixels = _lab(crop)[mask > 0]
    lit = pixels[pixels[:, 0] >= np.median(pixels[:, 0])]
    lightness, _, yellow = np.median(lit, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-3))))


def tone(angle: float) -> str:
    """The group of an ITA in degrees."""
    return next(name for least, name in TONES.items() if angle >= least)


def lightness(crop: np.ndarray, points: np.ndarray) -> float:
    """Mean L*, 0..100, within the face's outline."""
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.float32)).astype(np.int32), 255)
    return float(_lab(crop)[mask > 0][:, 0].mean())


def sharpness(crop: np.ndarray, points: np.ndarray) -> float:
    """How much of the crop's contrast is fine detail: the standard deviation of its Laplacian over
    its own. points: not looked at."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / (grey.std() + 1.0))


def _thirds(
    crops: list[tuple[np.ndarray, np.ndarray]],
    measure: Callable[[np.ndarray, np.ndarray], float],
    names: tuple[str, str, str],
) -> list[str]:
    """Which third of all each crop is in."""
    values = np.array([measure(*crop) for crop in crops])
    places = np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)
    return [names[place] for place in places]


def _crop(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(SIDE, SIDE, 3) uint8 RGB, upright, and the (68, 2) points in it."""
    crops = crops_from_points(points[None])
    return cut(image, crops, SIDE)[0], to_crop(points[None], crops)[0] * SIDE + (SIDE - 1) / 2


def _lab(crop: np.ndarray) -> np.ndarray:
    """(S, S, 3) float32: L* 0..100, a*, b*."""
    return cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
