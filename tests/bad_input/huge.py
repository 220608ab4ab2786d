"""Photos at the limits of what is accepted: as many pixels as their kind may have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Huge:
    """A square photo, to be made on demand.

    side: pixels; about the most that is accepted. mode: the one it is stored in.
    """

    name: str
    file_format: str
    side: int
    mode: str = "RGB"
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Makes the file; takes more memory than reading it."""
        image = _IMAGES.get(self.mode, _colours)(self.side)
        image = image if image.mode == self.mode else image.convert(self.mode)
        image.save(path, self.file_format, **self.options)


HUGE = (
    Huge("JPEG", "JPEG", 8000),
    Huge("JPEG, turned by EXIF", "JPEG", 8000, options={"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0"
         b"\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}),
    Huge("JPEG, CMYK", "JPEG", 8000, "CMYK"),
    Huge("JPEG, progressive", "JPEG", 8000, options={"progressive": True}),
    Huge("JPEG, progressive, full colour", "JPEG", 6900, options={"progressive": True,
         "subsampling": 0}),
    Huge("JPEG, progressive, CMYK", "JPEG", 6300, "CMYK", {"progressive": True}),
    Huge("PNG", "PNG", 8000, options={"compress_level": 1}),
    Huge("PNG with alpha", "PNG", 8000, "RGBA", {"compress_level": 1}),
    Huge("PNG, 16 bit", "PNG", 8000, "I;16", {"compress_level": 1}),
    Huge("WebP", "WEBP", 5400, options={"method": 0}),
    Huge("WebP, lossless", "WEBP", 5400, "RGBA", {"lossless": True, "method": 0}),
    Huge("AVIF", "AVIF", 7000, options={"speed": 10}),
    Huge("HEIC", "HEIF", 7400, options={"quality": 30}),
    Huge("GIF", "GIF", 8000, "P"),
    Huge("BMP", "BMP", 8000),
    Huge("TIFF, deflate", "TIFF", 8000, options={"compression": "tiff_adobe_deflate"}),
    Huge("TIFF, float", "TIFF", 8000, "F", {"compression": "tiff_adobe_deflate"}),
)  # fmt: skip


def _colours(side: int) -> Image.Image:
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[: side // 2, :, 0] = 200
    pixels[:, : side // 2, 1] = 180
    return Image.fromarray(pixels)


_IMAGES: dict[str, Callable[[int], Image.Image]] = {
    "I;16": lambda side: Image.fromarray(np.full((side, side), 700, np.uint16)),
    "F": lambda side: Image.fromarray(np.full((side, side), 0.5, np.float32)),
}
