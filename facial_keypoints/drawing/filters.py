"""Filters on faces: sunglasses, hat and moustache, fitted to the keypoints.

A filter is a picture with transparency that covers a rectangle of the mean head. The head is
fitted to a face's points by a parallel projection, which takes the picture along: its size, its
tilt and how far it is turned away. The pictures are drawn by `assets/filters/draw_filters.py`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from facial_keypoints.face import Face
from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.landmarks.markup import NUM_POINTS, PARTS
from keypoints_captions.files import shipped

PICTURES = shipped("assets/filters")

#: How much points other than the anchors count in the fit.
STEADYING = 0.2
#: The fitted head's second extent over its first, under which it is none.
LEAST_EXTENT = 0.05

#: Rows warped at a time, which bounds the memory on photos of any size.
_STRIP = 512


@dataclass(frozen=True)
class Filter:
    """One picture, and where on the head it belongs.

    area: left, top, right, bottom of the picture on the head, centimetres in the frame of
        `HEAD_POINTS`.
    depth: z of the picture's plane, centimetres in the same frame.
    anchors: indices of the points it must fit best; the others only steady it.
    axis: z of the axis of a thing of revolution, which looks the same however far the head is
        turned and stays over that axis; its lower edge stays at `depth`. None for what lies flat
        on the face and narrows as the face turns.
    """

    area: tuple[float, float, float, float]
    depth: float
    anchors: tuple[int, ...]
    axis: float | None = None


def _points(*parts: str) -> tuple[int, ...]:
    return tuple(index for part in parts for index in PARTS[part])


#: Name -> filter, in the order in which they are laid over one another.
FILTERS: dict[str, Filter] = {
    "moustache": Filter(
        area=(-5.6, 0.6, 5.6, 5.0),
        depth=-6.0,
        anchors=(*_points("nose_base"), *range(48, 55), *range(60, 65)),
    ),
    "sunglasses": Filter(
        area=(-7.7, -5.9, 7.7, 0.7),
        depth=-5.0,
        anchors=_points("right_brow", "left_brow", "nose_bridge", "right_eye", "left_eye"),
    ),
    "hat": Filter(
        area=(-13.4, -21.0, 13.4, -4.6),
        depth=-4.5,
        anchors=(0, 1, 15, 16, *_points("right_brow", "left_brow", "right_eye", "left_eye")),
        axis=3.5,
    ),
}

#: Name -> title, in the order of a page's choices.
FILTER_TITLES = {"sunglasses": "Sunglasses", "hat": "Hat", "moustache": "Moustache"}


def apply_filters(image: np.ndarray, faces: Sequence[Face], names: Collection[str]) -> np.ndarray:
    """A copy of the photo with the filters on every face.

    Larger faces, taken to be nearer, are dressed after smaller ones. Faces may lie partly or
    wholly outside the photo. A face whose points admit no fit is left as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: in pixels of `image`.
        names: keys of `FILTERS`; the order does not matter.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: a name is not in `FILTERS`.
    """
    check_names(names)
    result = np.ascontiguousarray(image).copy()
    for face in sorted(faces, key=lambda face: float(np.ptp(face.points[:, 1]))):
        for name in (name for name in FILTERS if name in names):
            matrix = filter_matrix(face.points, name)
            if matrix is not None:
                _lay_over(result, filter_picture(name), matrix)
    return result


def check_names(names: Iterable[str]) -> None:
    """Raises ValueError, naming the filters there are, if one of `names` is none of them."""
    unknown = [name for name in names if name not in FILTERS]
    if unknown:
        raise ValueError(f"No filter {unknown[0]!r}; there are {', '.join(sorted(FILTERS))}.")


def filter_matrix(points: np.ndarray, name: str) -> np.ndarray | None:
    """The transform that puts a filter's picture on a face.

    Args:
        points: (68, 2) float, pixels.
        name: key of `FILTERS`.

    Returns:
        (2, 3) float64: the affine map from pixels of `filter_picture(name)` to the photo's,
        pixel centres at whole numbers in both; None where the points admit none.
    """
    spec = FILTERS[name]
    camera = _fit_head(np.asarray(points, np.float64), spec.anchors)
    if camera is None:
        return None
    left, top, right, bottom = spec.area
    height, width = filter_picture(name).shape[:2]
    # Picture pixels -> centimetres on the head, counted from the picture's middle.
    shrink = np.array([(right - left) / width, (bottom - top) / height])
    middle = camera @ ((left + right) / 2, (top + bottom) / 2, spec.depth, 1.0)
    plane = camera[:, :2]
    if spec.axis is not None:
        plane = _upright(camera)
        across = plane[:, 0] / max(float(np.linalg.norm(plane[:, 0])), 1e-9)
        middle = middle + across * (across @ camera[:, 2]) * (spec.axis - spec.depth)
    linear = plane * shrink
    shift = middle - linear @ (np.array([width, height]) - 1) / 2
    return np.column_stack([linear, shift])


@lru_cache
def filter_picture(name: str) -> np.ndarray:
    """The filter's picture: (h, w, 4) uint8, RGB multiplied by alpha, and alpha; not to be
    changed."""
    with Image.open(PICTURES / f"{name}.png") as file:
        picture = np.array(file.convert("RGBA"))
    alpha = picture[..., 3:].astype(np.uint16)
    picture[..., :3] = (picture[..., :3] * alpha + 127) // 255
    picture.flags.writeable = False
    return picture


def _fit_head(points: np.ndarray, anchors: tuple[int, ...]) -> np.ndarray | None:
    """(2, 4): the parallel projection of the head's points, homogeneous, nearest to `points`.

    Least squares over the anchors, and weakly over the other points but the jaw's, of which
    300-W marks the visible edge rather than places on the head.
    """
    weights = np.full(NUM_POINTS, STEADYING)
    weights[list(PARTS["jaw"])] = 0.0
    weights[list(anchors)] = 1.0
    if not np.isfinite(points).all():
        return None
    head = np.column_stack([HEAD_POINTS, np.ones(NUM_POINTS)]) * weights[:, None]
    camera, _, _, _ = np.linalg.lstsq(head, points * weights[:, None], rcond=None)
    extent = np.linalg.svd(camera[:3], compute_uv=False)
    flat = extent[1] <= LEAST_EXTENT * extent[0]  # all in a line, or in one place
    return None if flat else camera.T


def _upright(camera: np.ndarray) -> np.ndarray:
    """(2, 2): centimetres to pixels for what keeps its shape as the head turns and nods.

    Its down is the head's down in the photo, its scale the projection's.
    """
    scale = np.linalg.svd(camera[:, :3], compute_uv=False).mean()
    down = camera[:, 1] / max(float(np.linalg.norm(camera[:, 1])), 1e-9)
    return scale * np.array([[down[1], down[0]], [-down[0], down[1]]])


def _lay_over(image: np.ndarray, picture: np.ndarray, matrix: np.ndarray) -> None:
    """Blends a picture, mapped by `matrix`, into an (H, W, 3) uint8 photo in place."""
    height, width = picture.shape[:2]
    # Shrink by area first, so that the warp itself neither enlarges nor skips pixels.
    stretch = np.linalg.norm(matrix[:, :2], axis=0)
    size = np.maximum(np.rint(np.minimum(stretch, 1.0) * (width, height)), 1).astype(int)
    ratio = np.array([width, height]) / size
    if (ratio > 1).any():
        picture = cv2.resize(picture, size.tolist(), interpolation=cv2.INTER_AREA)
        # A pixel centre at s in the small picture is at (s + 0.5) * ratio - 0.5 in the large.
        offset = matrix[:, :2] @ ((ratio - 1) / 2) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * ratio, offset])

    corners = np.array([[-1, -1], [size[0], -1], [-1, size[1]], [size[0], size[1]]])
    reach = corners @ matrix[:, :2].T + matrix[:, 2]
    low = np.clip(np.floor(reach.min(axis=0)), 0, image.shape[1::-1]).astype(int)
    high = np.clip(np.ceil(reach.max(axis=0)) + 1, 0, image.shape[1::-1]).astype(int)
    for top in range(low[1], high[1], _STRIP):
        part = image[top : min(top + _STRIP, high[1]), low[0] : high[0]]
        if part.size == 0:
            return
        shifted = matrix - np.array([[0, 0, low[0]], [0, 0, top]])
        layer = cv2.warpAffine(picture, shifted, part.shape[1::-1], flags=cv2.INTER_LINEAR)
        under = part * (1.0 - layer[..., 3:].astype(np.float32) / 255) + layer[..., :3]
        part[:] = np.minimum(np.rint(under), 255).astype(np.uint8)
