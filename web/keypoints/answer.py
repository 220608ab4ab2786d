"""The answer for one photo: its faces, and a preview that they are drawn on.

Other drawings, filters and exports need no second run of the CNN. The server keeps an answer as
long as its page is open, so it stores a JPEG of a screen's size and small crops, not the pixels.
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
from keypoints_captions.photos.jpeg import encode_jpeg, shrunk
from keypoints_captions.photos.reader import PhotoError, read_photo

PREVIEW_SIDE = 1600  # pixels, the longer side of what is drawn on
THUMBNAIL_SIDE = 160  # pixels
_PREVIEW_QUALITY = 95  # of the JPEG; later drawings are encoded a second time


@dataclass(frozen=True)
class PhotoAnswer:
    """One photo with its faces.

    path, name: of the photo's file; the file may be deleted later, the name is for display.
    width, height: of the upright photo in pixels, which are those of `faces`.
    seconds: time for faces and keypoints, without reading the photo.
    preview: the photo as a JPEG of at most `PREVIEW_SIDE` pixels, without metadata.
    thumbnails: a (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3) uint8 RGB crop of each face.
    pixels: the preview before it was encoded, (h, w, 3) uint8 RGB, for the first drawing.
    choices: what was chosen for the first drawing.
    """

    path: Path
    name: str
    width: int
    height: int
    faces: tuple[Face, ...]
    seconds: float
    preview: bytes
    thumbnails: tuple[np.ndarray, ...]
    pixels: np.ndarray | None = None
    choices: tuple[list[str], ...] = ()

    @property
    def record(self) -> Record:
        """Input of the command line's exports."""
        return Record(file=self.name, width=self.width, height=self.height, faces=list(self.faces))

    def draw(self, style: DrawStyle, filters: Collection[str] = ()) -> np.ndarray:
        """The preview, (h, w, 3) uint8 RGB, with filters and drawing on its faces."""
        image = read_photo(self.preview) if self.pixels is None else self.pixels
        scale = image.shape[1] / self.width, image.shape[0] / self.height
        return _draw(image, [scaled(face, *scale) for face in self.faces], style, filters)

    def stored(self) -> "PhotoAnswer":
        """The same without `pixels`, for as long as the page is open."""
        return replace(self, pixels=None)

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
        return _read(self.path)


def answer_photo(
    find_faces: Callable[[np.ndarray], list[Face]], path: Path, name: str
) -> PhotoAnswer:
    """Reads a photo and finds its faces.

    Args:
        find_faces: a `FacialKeypoints`, or any function from (H, W, 3) uint8 RGB to faces.

    Raises:
        PhotoError: the photo cannot be read.
    """
    image = _read(path)
    start = time.perf_counter()
    faces = find_faces(image)
    seconds = time.perf_counter() - start
    height, width = image.shape[:2]
    preview = shrunk(image, PREVIEW_SIDE)
    return PhotoAnswer(
        path=path,
        name=name,
        width=width,
        height=height,
        faces=tuple(faces),
        seconds=seconds,
        preview=encode_jpeg(preview, _PREVIEW_QUALITY),
        thumbnails=tuple(face_crop(image, face, THUMBNAIL_SIDE) for face in faces),
        pixels=preview,
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


def _read(path: Path) -> np.ndarray:
    if not path.exists():  # it was uploaded a while ago
        raise PhotoError("This photo has been deleted on the server; open it again.")
    return read_photo(path)


def _draw(
    image: np.ndarray, faces: Sequence[Face], style: DrawStyle, filters: Collection[str]
) -> np.ndarray:
    if filters:
        image = apply_filters(image, faces, filters)
    return draw_faces(image, faces, style)
