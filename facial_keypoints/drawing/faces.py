"""Drawing of faces on a photo: points, contours, numbers, boxes, pose axes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.drawing.text import DARK, WHITE, draw_text, text_size
from facial_keypoints.face import Face
from facial_keypoints.geometry.pose import rotation_from_pose
from facial_keypoints.landmarks.crops import crops_from_points, cut
from facial_keypoints.landmarks.markup import CLOSED_PARTS, PART_GROUPS, PARTS

RGB = tuple[int, int, int]

#: Group of `PART_GROUPS` -> RGB. From the palette of Okabe and Ito, "Color Universal Design"
#: (2002), whose colours stay apart under every common colour blindness.
GROUP_COLOURS: dict[str, RGB] = {
    "jaw": (86, 180, 233),  # sky blue
    "brows": (230, 159, 0),  # orange
    "nose": (0, 158, 115),  # bluish green
    "eyes": (240, 228, 66),  # yellow
    "mouth": (204, 121, 167),  # reddish purple
}
#: Pose axes x, y, z -> RGB: vermilion, bluish green, blue of the same palette.
AXIS_COLOURS: tuple[RGB, RGB, RGB] = ((213, 94, 0), (0, 158, 115), (0, 114, 178))

#: Points below this confidence are drawn hollow, and contours to them thin.
LOW_CONFIDENCE = 0.5

#: Bits below the pixel in the coordinates given to OpenCV: a sixteenth of a pixel.
_SHIFT = 4
#: OpenCV cannot draw lines thinner than a pixel, and draws thin ones unevenly. Where they would
#: be thinner than this, the region is enlarged, drawn on, and shrunk by area.
_FINE_LINE = 3.0
_MAX_ENLARGEMENT = 8


@dataclass(frozen=True)
class DrawStyle:
    """Options of `draw_faces`."""

    points: bool = True
    contours: bool = True
    numbers: bool = False  # index of each point, where there is room for it
    boxes: bool = False  # with the face's number, from 1, and its score
    axes: bool = False  # x to the person's left, y to the chin, z where the face looks


DEFAULT_STYLE = DrawStyle()


def draw_faces(
    image: np.ndarray, faces: Sequence[Face], style: DrawStyle = DEFAULT_STYLE
) -> np.ndarray:
    """A copy of the photo with its faces drawn on it.

    Line widths follow the photo's size within bounds that the face's size sets, so that the
    drawing looks the same at 32 pixels and at 50 megapixels. Faces may lie partly or wholly
    outside the photo; points and boxes that are not finite are left out.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: in pixels of `image`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    result = np.ascontiguousarray(image).copy()
    for number, face in enumerate(faces, start=1):
        _draw_face(result, face, number, style)
    return result


def face_crop(image: np.ndarray, face: Face, size: int) -> np.ndarray:
    """A thumbnail of one face, upright as in the photo; black where the photo ends.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: side of the result in pixels.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    return cut(image, crops_from_points(face.points[None], upright=False, scale=1.5), size)[0]


def _draw_face(image: np.ndarray, face: Face, number: int, style: DrawStyle) -> None:
    known = face.points[np.isfinite(face.points).all(axis=1)]
    if len(known) == 0:
        return
    size = max(float(np.ptp(known, axis=0).max()), 1.0)
    pen = _Pen(image, face, size)
    if pen.canvas.size == 0:
        return
    boxes = style.boxes and bool(np.isfinite(face.box).all())
    if boxes:
        _draw_box(pen, face)
    if style.contours:
        _draw_contours(pen, face)
    if style.points:
        _draw_points(pen, face)
    if style.axes and face.pose is not None:
        _draw_axes(pen, face)
    if style.numbers:
        _draw_numbers(pen, face)
    if boxes:
        _draw_label(pen, face, number)
    pen.finish()


class _Pen:
    """Draws in the photo's pixels onto the region around one face, enlarged where that is small.

    `width`: of a line, pixels of the photo; `size`: of the face, the longer side of its points.
    """

    def __init__(self, image: np.ndarray, face: Face, size: float):
        height, width = image.shape[:2]
        self.size = size
        self.photo = float(max(height, width))
        least = min(0.7, 0.012 * size)  # or nothing would be seen of it
        low, high = max(0.004 * size, least), max(0.007 * size, least)
        self.width = float(np.clip(0.0018 * self.photo, low, high))
        self.scale = int(np.clip(np.ceil(_FINE_LINE / self.width), 1, _MAX_ENLARGEMENT))
        # The box's label may rise over it; the axes reach less far than the margin.
        x, y, w, h = face.box
        reach = np.concatenate([face.points, [[x, y], [x + w, y + h]]])
        reach = reach[np.isfinite(reach).all(axis=1)]
        margin = 0.6 * size + 4 * self.width
        self.low = np.clip(np.floor(reach.min(axis=0) - margin), 0, (width, height)).astype(int)
        self.high = np.clip(np.ceil(reach.max(axis=0) + margin), 0, (width, height)).astype(int)
        self.region = image[self.low[1] : self.high[1], self.low[0] : self.high[0]]
        self.canvas = self.region
        if self.scale > 1 and self.region.size > 0:
            self.canvas = self.region.repeat(self.scale, axis=0).repeat(self.scale, axis=1)

    def finish(self) -> None:
        """Brings the drawing into the photo; pixels that were not drawn on stay as they were."""
        if self.scale > 1:
            shape = self.region.shape[1::-1]
            self.region[:] = cv2.resize(self.canvas, shape, interpolation=cv2.INTER_AREA)

    def to_canvas(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) photo pixels to canvas pixels, pixel centres at whole numbers in both."""
        inside = np.clip(points, -4 * self.photo, 5 * self.photo)  # OpenCV's numbers are 32 bits
        return (inside - self.low + 0.5) * self.scale - 0.5

    def line(self, points: np.ndarray, colour: RGB, width: float, closed: bool = False) -> None:
        """Joins (N, 2) points; width in photo pixels."""
        fixed = np.rint(self.to_canvas(points) * (1 << _SHIFT)).astype(np.int32)
        thickness = max(1, round(width * self.scale))
        cv2.polylines(self.canvas, [fixed], closed, colour, thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: np.ndarray, radius: float, colour: RGB, ring: float = 0.0) -> None:
        """A filled disc, or a ring of width `ring`; photo pixels."""
        x, y = np.rint(self.to_canvas(centre) * (1 << _SHIFT)).astype(int).tolist()
        fixed = round(radius * self.scale * (1 << _SHIFT))
        thickness = max(1, round(ring * self.scale)) if ring else cv2.FILLED
        cv2.circle(self.canvas, (x, y), fixed, colour, thickness, cv2.LINE_AA, _SHIFT)

    def text_size(self, height: float) -> int:
        """Type size on the canvas for a type size in photo pixels."""
        return max(1, round(height * self.scale))


def _draw_contours(pen: _Pen, face: Face) -> None:
    strokes = []
    for group, parts in PART_GROUPS.items():
        for part in parts:
            indices = list(PARTS[part])
            ends = indices[1:] + indices[:1] if part in CLOSED_PARTS else indices[1:]
            for pair in zip(indices, ends, strict=False):
                line = face.points[list(pair)]
                if np.isfinite(line).all():
                    low = face.confidence[list(pair)].min() < LOW_CONFIDENCE
                    strokes.append((line, GROUP_COLOURS[group], pen.width * (0.5 if low else 1)))
    for line, _, width in strokes:
        pen.line(line, DARK, width + pen.width)
    for line, colour, width in strokes:
        pen.line(line, colour, width)


def _draw_points(pen: _Pen, face: Face) -> None:
    radius = 2.1 * pen.width
    for group, parts in PART_GROUPS.items():
        for index in (index for part in parts for index in PARTS[part]):
            point = face.points[index]
            if not np.isfinite(point).all():
                continue
            if face.confidence[index] < LOW_CONFIDENCE:
                pen.disc(point, radius, DARK, ring=1.8 * pen.width)
                pen.disc(point, radius, GROUP_COLOURS[group], ring=0.8 * pen.width)
            else:
                pen.disc(point, radius + 0.5 * pen.width, DARK)
                pen.disc(point, radius, GROUP_COLOURS[group])


def _draw_axes(pen: _Pen, face: Face) -> None:
    origin = face.points[PARTS["nose_bridge"][-1]].astype(np.float64)
    if face.pose is None or not np.isfinite(origin).all():
        return
    axes = (
        rotation_from_pose(face.pose) * (1, 1, -1) * 0.45 * pen.size
    )  # columns; z out of the face
    width = 1.8 * pen.width
    for axis in np.argsort(-axes[2]):  # the nearest last
        tip = origin + axes[:2, axis]
        for extra, colour in ((pen.width, DARK), (0.0, AXIS_COLOURS[axis])):
            pen.line(np.stack([origin, tip]), colour, width + extra)
            pen.disc(tip, 1.2 * width + extra / 2, colour)


def _draw_numbers(pen: _Pen, face: Face) -> None:
    """Each point's index beside it; one that would cover an earlier one is left out."""
    height = max(8.0, float(np.clip(0.011 * pen.photo, 0.02 * pen.size, 0.035 * pen.size)))
    if height > 0.15 * pen.size:  # a few numbers would hide the face
        return
    size = pen.text_size(height)
    directions = _number_directions(face.points)
    taken: list[tuple[float, float, float, float]] = []
    # The ends of the parts first, then every other point, so that what is left out is spread.
    ends = {index for part in PARTS.values() for index in (part[0], part[-1])}
    order = sorted(range(len(face.points)), key=lambda i: (i not in ends, i % 2, i))
    for index in order:
        if not np.isfinite(face.points[index]).all():
            continue
        extent = np.array(text_size(str(index), size), np.float64)
        away = directions[index] * (extent / 2 + 2.0 * pen.width * pen.scale)
        corner = pen.to_canvas(face.points[index]) + away - extent / 2
        box = (*corner, *(corner + extent))
        if any(_overlap(box, other) for other in taken):
            continue
        taken.append(box)
        draw_text(pen.canvas, str(index), (corner[0], corner[1]), size)


def _number_directions(points: np.ndarray) -> np.ndarray:
    """(68, 2) unit vectors: where each point's number stands from it, out of its part."""
    result = np.zeros(points.shape)
    middle = points.mean(axis=0)
    mouth = points[[*PARTS["outer_lip"], *PARTS["inner_lip"]]].mean(axis=0)
    across = points[PARTS["left_eye"][0]] - points[PARTS["right_eye"][0]]
    for part, indices in PARTS.items():
        own = points[list(indices)]
        if part == "nose_bridge":
            result[list(indices)] = across
        elif part == "inner_lip":
            result[list(indices)] = mouth - own
        else:
            centre = {"outer_lip": mouth, "nose_base": points[PARTS["nose_bridge"][-1]]}
            eye = own.mean(axis=0) if part in CLOSED_PARTS else middle
            result[list(indices)] = own - centre.get(part, eye)
    length = np.linalg.norm(result, axis=1, keepdims=True)
    return np.nan_to_num(result / np.maximum(length, 1e-9))


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_box(pen: _Pen, face: Face) -> None:
    x, y, w, h = (float(value) for value in face.box)
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    pen.line(corners, DARK, 2 * pen.width, closed=True)
    pen.line(corners, WHITE, pen.width, closed=True)


def _draw_label(pen: _Pen, face: Face, number: int) -> None:
    """The face's number and score on a dark plate over the box, or in it at the photo's top."""
    height = min(
        max(9.0, float(np.clip(0.018 * pen.photo, 0.05 * pen.size, 0.1 * pen.size))),
        0.2 * pen.size,
    )
    if height < 7:  # nobody could read it, and it would cover the face
        return
    size = pen.text_size(height)
    text = f"{number}  {face.score:.0%}"
    pad = round(0.3 * size)
    width, tall = (extent + 2 * pad for extent in text_size(text, size))
    x, y = pen.to_canvas(face.box[:2]) - (pen.width * pen.scale, tall)
    rows, columns = pen.canvas.shape[:2]
    left = round(float(np.clip(x, 0, max(columns - width, 0))))
    top = round(float(np.clip(y, 0, max(rows - tall, 0))))
    plate = pen.canvas[top : top + tall, left : left + width]
    plate[:] = np.rint(plate * 0.2 + np.array(DARK) * 0.8).astype(np.uint8)
    draw_text(pen.canvas, text, (left + pad, top + pad), size, outline=None)
