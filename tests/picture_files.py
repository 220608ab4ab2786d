"""Small generated picture files in many formats, and colour profiles, for the tests."""

import io
import struct
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48

#: Quadrant -> its colour: top left, top right, bottom left, bottom right.
QUADRANTS = {(12, 16): (220, 40, 30), (12, 48): (40, 180, 60)} | {
    (36, 16): (30, 60, 200),
    (36, 48): (240, 240, 240),
}

#: How pillow_heif saves a phone's photo without taking half a second for it.
HEIC: dict[str, Any] = {"quality": 95, "enc_params": {"preset": "ultrafast"}}


def quadrants() -> np.ndarray:
    """(48, 64, 3) uint8 RGB of four flat colours: any turn or channel swap shows."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for (y, x), colour in QUADRANTS.items():
        image[y - 12 : y + 12, x - 16 : x + 16] = colour
    return image


def noise(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(height, width, 3) uint8 RGB that does not compress: data all through the file."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image: Image.Image | np.ndarray, file_format: str, **options: Any) -> bytes:
    """The bytes of the picture in the format, by its name in Pillow."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def animation(image: np.ndarray, file_format: str) -> bytes:
    """Two frames: the picture, then black."""
    black = Image.new("RGB", (image.shape[1], image.shape[0]))
    return encode(image, file_format, save_all=True, append_images=[black], duration=100)


def grey_tiff(
    width: int, bits: int, pixels: bytes, *, white_is_zero: bool = False, tile_side: int = 0
) -> bytes:
    """A one-row, uncompressed, little-endian TIFF of kinds that Pillow does not write."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: 0 if white_is_zero else 1}
    tags |= {273: 8, 277: 1, 278: 1, 279: len(pixels)}
    if tile_side:
        tags = {k: v for k, v in tags.items() if k not in (273, 278, 279)}
        tags |= {322: tile_side, 323: tile_side, 324: 8, 325: len(pixels)}
    ifd = struct.pack("<H", len(tags))
    for tag, value in tags.items():
        ifd += struct.pack("<HHII", tag, 4, 1, value)
    start = 8 + len(pixels) + len(pixels) % 2
    return b"II*\0" + struct.pack("<I", start) + pixels.ljust(start - 8, b"\0") + ifd + bytes(4)


def png_header(width: int, height: int) -> bytes:
    """A PNG of 60 bytes that claims a size; its pixels are missing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + head + struct.pack(">I", crc32(head))
    chunks += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + chunks


def colour_profile(space: bytes, *, swap_red_green: bool = False, name: str = "test") -> bytes:
    """A version 2 ICC display profile with sRGB's primaries and gamma 2.2.

    Args:
        space: b"RGB " or b"GRAY".
        swap_red_green: exchange these primaries, which no conversion can leave unseen.
    """

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    white = (0.9642, 1.0, 0.8249)
    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    if swap_red_green:
        red, green = green, red
    gamma = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(2.2 * 256))
    text = name.encode() + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": description + bytes(-len(description) % 4), b"wtpt": xyz(*white)}
    if space == b"RGB ":
        tags |= {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma)
    else:
        tags[b"kTRC"] = gamma
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for signature, value in tags.items():
        table += signature + struct.pack(">II", start + len(data), len(value))
        data += value
    head = struct.pack(">I4xI4s4s4s", start + len(data), 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">3i", *(round(v * 65536) for v in white))
    return head.ljust(128, b"\0") + table + data
