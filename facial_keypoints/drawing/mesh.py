"""A triangle mesh over the 68 points, the same for every face."""

import cv2
import numpy as np

from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.landmarks.markup import FLIP, PARTS

#: Parts that are openings: no line crosses one of them.
OPENINGS = ("right_eye", "left_eye", "inner_lip")


def _triangles() -> np.ndarray:
    """(T, 3) int64: Delaunay's triangles of the mean head seen from the front."""
    flat = HEAD_POINTS[:, :2]
    low, high = flat.min(axis=0) - 1, flat.max(axis=0) + 1
    diagram = cv2.Subdiv2D((*low, *(high - low)))
    diagram.insert(flat.astype(np.float32).tolist())
    corners = np.reshape(diagram.getTriangleList(), (-1, 3, 2))
    distance = np.linalg.norm(corners[:, :, None] - flat, axis=3)
    inside = (distance.min(axis=2) < 1e-3).all(axis=1)  # not at the diagram's own outer corners
    return distance[inside].argmin(axis=2)


def _edges() -> np.ndarray:
    sides = {tuple(sorted((t[i], t[i - 1]))) for t in _triangles().tolist() for i in range(3)}
    # Where four points lie on a circle either diagonal would do. Over the middle of the face,
    # where one would look crooked, there is none.
    mirrored = {tuple(sorted((int(FLIP[a]), int(FLIP[b])))) for a, b in sides}
    edges = np.array(sorted(e for e in sides & mirrored if not _crosses_opening(e)), np.int64)
    edges.flags.writeable = False
    return edges


def _crosses_opening(edge: tuple[int, int]) -> bool:
    """Whether both ends are on the rim of an opening, but not neighbours on it."""
    rims = [PARTS[part] for part in OPENINGS if {*edge} <= {*PARTS[part]}]
    return any(edge[1] - edge[0] not in (1, len(rim) - 1) for rim in rims)


#: (E, 2) int64: indices of the ends of each line, every line once; the same mirrored.
EDGES = _edges()
