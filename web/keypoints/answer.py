"""What a page shows of one photo: its faces, and a picture to draw them on again and again.

Drawing other things, dressing the faces up and exporting need no second run of the CNN. A page
keeps an answer for as long as somebody looks at it, so it holds a JPEG of a screen's size and
small crops rather than the photo's pixels.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facial_keypoints.drawing.faces import DrawStyle, draw_faces, face_crop
from facial_keypoints.drawing.filters import apply_filters
from facial_keypoints.export import Record
from facial_keypoints.face import Face
from facial_keypoints.landmarks.markup import PART_GROUPS, group_indices
from keypoints_captions.photos.jpeg import preview_jpeg
from keypoints_captions.photos.reader import PhotoError, read_photo

PREVIEW_SIDE = 1600  # pixels, the longer side of what is drawn on
THUMBNAIL_SIDE = 160  # pixels
_PREVIEW_QUALITY = 95  # of the JPEG; it is encoded once more after drawing


@dataclass(frozen=True)
class PhotoAnswer:
    """One photo with its faces.

    path, name: of the photo's file; the file may be gone later, the name is for showing.
    width, height: of the upright photo in pixels, which are those of `faces`.
    seconds: what finding the faces and their keypoints took, without reading the photo.
    preview: the photo as a JPEG of at most `PREVIEW_SIDE` pixels, without metadata.
    thumbnails: a (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3) uint8 RGB crop of each face.
    """

    path: Path
    name: str
    width: int
    height: int
    faces: tuple[Face, ...]
    seconds: float
    preview: bytes
    thumbnails: tuple[np.ndarray, ...]

    @property
    def record(self) -> Record:
        """What the command line's exports take."""
        return Record(file=self.name, width=self.width, height=self.height, faces=list(self.faces))

    def draw(self, style: DrawStyle, filters: Collection[str] = ()) -> np.ndarray:
        """The preview, (h, w, 3) uint8 RGB, with its faces dressed up, then drawn."""
        image = read_photo(self.preview)
        scale = image.shape[1] / self.width, image.shape[0] / self.height
        return _draw(image, [scaled(face, *scale) for face in self.faces], style, filters)

    def draw_full(self, style: DrawStyle, filters: Collection[str] = ()) -> np.ndarray:
        """The same on the photo itself, (height, width, 3) uint8 RGB.

        Raises:
            PhotoError: the photo's file is gone.
        """
        return _draw(self.photo(), self.faces, style, filters)

    def photo(self) -> np.ndarray:
        """The photo itself, (height, width, 3) uint8 RGB.

        Raises:
            PhotoError: the photo's file is gone.
        """
        if not self.path.exists():
            raise PhotoError("This photo has been deleted here meanwhile; open it again to go on.")
        return read_photo(self.path)


def answer_photo(
    find_faces: Callable[[np.ndarray], list[Face]], path: Path, name: str
) -> PhotoAnswer:
    """Reads a photo and finds its faces.

    Args:
        find_faces: a `FacialKeypoints`, or whatever takes (H, W, 3) uint8 RGB as it does.

    Raises:
        PhotoError: the photo cannot be read.
    """
    image = read_photo(path)
    start = time.perf_counter()
    faces = find_faces(image)
    seconds = time.perf_counter() - start
    height, width = image.shape[:2]
    return PhotoAnswer(
        path=path,
        name=name,
        width=width,
        height=height,
        faces=tuple(faces),
        seconds=seconds,
        preview=_preview(image),
        thumbnails=tuple(face_crop(image, face, THUMBNAIL_SIDE) for face in faces),
    )


def part_confidence(face: Face) -> dict[str, float]:
    """Group of `PART_GROUPS` -> mean confidence of its points, 0..1."""
    return {group: float(face.confidence[group_indices(group)].mean()) for group in PART_GROUPS}


def scaled(face: Face, across: float, down: float) -> Face:
    """The face in the pixels of its photo enlarged by these factors."""
    factors = np.array([across, down], np.float32)
    # Pixel centres are at whole numbers, so the photo's corner is at -0.5.
    box = np.concatenate([(face.box[:2] + 0.5) * factors - 0.5, face.box[2:] * factors])
    points = ((face.points + 0.5) * factors - 0.5).astype(np.float32)
    return replace(face, box=box.astype(np.float32), points=points)


def _draw(
    image: np.ndarray, faces: Sequence[Face], style: DrawStyle, filters: Collection[str]
) -> np.ndarray:
    if filters:
        image = apply_filters(image, faces, filters)
    return draw_faces(image, faces, style)


def _preview(image: np.ndarray) -> bytes:
    return preview_jpeg(image, PREVIEW_SIDE, _PREVIEW_QUALITY)
