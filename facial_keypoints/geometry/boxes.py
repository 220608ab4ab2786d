"""Boxes of faces, and what two of them have in common."""

import numpy as np


def landmark_box(points: np.ndarray) -> np.ndarray:
    """(4,) float32: x, y, width, height of the upright box around (68, 2) points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low]).astype(np.float32)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes x, y, width, height; 0..1."""
    shared = _shared(a, b)
    return shared / max(float(a[2] * a[3] + b[2] * b[3]) - shared, 1e-6)


def inside(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the smaller of two boxes that lies in the other; 0..1."""
    return _shared(a, b) / max(float(min(a[2] * a[3], b[2] * b[3])), 1e-6)


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    return float(np.prod(np.maximum(high - low, 0)))
