"""Cost of decoding a photo, from its header: memory and passes over the pixels.

Decoders hold more than the pixels. The figures are bytes a pixel at the peak, Pillow's own four
included, as `python -m tests.bad_input --huge` measures them.
"""

import re
from typing import NamedTuple

from PIL import Image, JpegImagePlugin

MAX_DECODING = 480_000_000  # bytes while one photo is decoded
#: Of each format; all others need Pillow's pixels and the result, 4 + 3.
_BYTES_A_PIXEL = {"AVIF": 9.6, "HEIF": 8.6, "WEBP": 16.2}
_USUAL = 7.0

MAX_SCANS = 100  # of a JPEG; a progressive one has about ten, and each takes as long as the first
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")  # not those within a scan's data
_SCAN, _END = 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # headers with the picture's size


def most_pixels(image: Image.Image, scans: int) -> int:
    """The largest number of pixels of such a photo under `MAX_DECODING`.

    image: just opened, not decoded. scans: of a JPEG, by `jpeg_structure`; 1 for all others.
    """
    cost = _BYTES_A_PIXEL.get(image.format or "", _USUAL)
    if scans > 1 and isinstance(image, JpegImagePlugin.JpegImageFile):
        # The coefficients of the whole picture are kept until the last scan, two bytes each
        cost = max(cost, 4 + 2 * _samples_a_pixel(image))
    return int(MAX_DECODING / cost)


class JpegStructure(NamedTuple):
    """Facts from a JPEG's markers, up to its first picture.

    scans: how many times its data goes over the picture; counting ends above `MAX_SCANS`.
    sizes: width and height in each of its frame headers; a good file has one.
    ends: whether it ends as a JPEG does, and is not cut short.
    """

    scans: int
    sizes: tuple[tuple[int, int], ...]
    ends: bool


def jpeg_structure(data: bytes) -> JpegStructure:
    """Reads the markers only of a JPEG file."""
    scans, sizes, at, ends = 0, [], 2, False
    while scans <= MAX_SCANS and (marker := _MARKER.search(data, at)):
        kind, at = marker[1][0], marker.end()
        if kind == _END:
            ends = True
            break
        scans += kind == _SCAN
        if kind in _FRAMES:
            sizes.append((_number(data, at + 5), _number(data, at + 3)))
        at += _number(data, at)  # the length of what the marker is about
    return JpegStructure(scans, tuple(sizes), ends)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _samples_a_pixel(image: JpegImagePlugin.JpegImageFile) -> float:
    """Values that the JPEG stores for a pixel: 3 for colour, 1.5 with colour at half the size."""
    areas = [across * down for _, across, down, _ in image.layer]
    return sum(areas) / (max(areas, default=0) or 1)  # damaged ones have no area at all
