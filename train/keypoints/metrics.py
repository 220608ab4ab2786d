"""Errors of predicted keypoints: NME, failure rate, AUC, and summaries of them."""

import numpy as np

from facial_keypoints.landmarks.crops import crops_from_points
from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.landmarks.network import KeypointNet
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints
from keypoints_captions.engines.engine import Engine
from train.faces.data import TURNED, LoadedFaces

#: NME over which a face counts as failed, and up to which AUC integrates, in %.
FAILURE = 8.0


def point_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, 68) float: distances in % of the outer-eye-corner distance of the truth.

    Both arguments are (N, 68, 2) in the same frame.
    """
    return 100 * np.linalg.norm(predicted - truth, axis=2) / interocular_distance(truth)[:, None]


def box_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, 68) float: distances in % of √(w · h) of the truth's landmark box.

    For turned heads, whose eye corners lie close together. Arguments as of `point_errors`.
    """
    size = np.sqrt((truth.max(axis=1) - truth.min(axis=1)).prod(axis=1))
    return 100 * np.linalg.norm(predicted - truth, axis=2) / size[:, None]


def failure_rate(nme: np.ndarray) -> float:
    """Share of faces over `FAILURE`, in %, of (N,) errors in %."""
    return float(100 * (nme > FAILURE).mean())


def area_under_curve(nme: np.ndarray) -> float:
    """Area under the cumulative error curve up to `FAILURE`, 0..1, of (N,) errors in %."""
    return float(np.clip(1 - nme / FAILURE, 0, 1).mean())


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> np.ndarray:
    """(bins, 3) float: of each tenth of the confidences' range, the share of all points in it,
    their mean confidence, and the share of them that are right; 0 in an empty bin.

    confidence: (...) float, 0..1. right: (...) bool.
    """
    place = np.minimum((confidence.ravel() * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, x.ravel(), minlength=bins) for x in (confidence, right)]
    return np.stack([count / len(place), *(x / np.maximum(count, 1) for x in sums)], axis=1)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error, in %: the mean distance, over all points, of the confidence and
    the share of right ones of their bin (Guo et al., ICML 2017). Arguments as of `calibration`.
    """
    share, stated, true = calibration(confidence, right, bins).T
    return float(100 * (share * np.abs(stated - true)).sum())


def predict_from_boxes(
    network: Engine | KeypointNet,
    faces: LoadedFaces,
    passes: int = 2,
    mirror: bool = True,
    batch: int = 64,
) -> Keypoints:
    """Keypoints of labelled faces, starting from the upright boxes of their landmarks."""
    predictor = KeypointPredictor(network, passes, mirror)
    parts = []
    for first in range(0, len(faces), batch):
        part = slice(first, first + batch)
        boxes = crops_from_points(faces.points[part], upright=False)
        parts.append(predictor(faces.images[part], boxes))
    return Keypoints(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.scale for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


def summary(faces: LoadedFaces, keypoints: Keypoints) -> dict[str, float]:
    """Mean NME in % a source, and as `nme` the mean of in-the-wild photos, of video frames and of
    faces turned by a program; the latter's by the landmark box (`box_errors`).
    """
    is_turned, is_video = faces.sources == TURNED, faces.sources == "ytf"
    by_eyes = point_errors(keypoints.points, faces.points).mean(axis=1)
    by_box = box_errors(keypoints.points, faces.points).mean(axis=1)
    nme = np.where(is_turned, by_box, by_eyes)
    scores = {str(s): float(nme[faces.sources == s].mean()) for s in np.unique(faces.sources)}
    kinds = [nme[~is_turned & ~is_video], nme[is_video], nme[is_turned]]
    scores["nme"] = float(np.mean([kind.mean() for kind in kinds if len(kind)]))
    scores["face_score"] = float(keypoints.score.mean())
    return scores
