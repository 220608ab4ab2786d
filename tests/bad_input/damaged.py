"""Photos cut short, with bytes changed, and with a header that says something else."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.bad_input.accepted import RGB, SIZE, SUFFIX
from tests.bad_input.case import ANY_SIZE, DAMAGED, NO_PHOTO, TOO_LARGE, Case
from tests.picture_files import animation, encode, noise, png_header, quadrants

_SIDE = (120, 90)
#: Noise does not compress, so that there is data all through the file.
_FILES = {
    "JPEG": {},
    "PNG": {},
    "WEBP": {},
    "AVIF": {},
    "HEIF": {},
    "GIF": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
}
_SHARES = (0.0005, 0.002, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
_REFUSED = f"{DAMAGED}|{NO_PHOTO}|{TOO_LARGE}|empty"


def damaged() -> Iterator[Case]:
    """Every case of this module."""
    whole = {name: encode(noise(*_SIDE), name, **options) for name, options in _FILES.items()}
    for file_format, data in whole.items():
        yield from _cut(file_format, data)
        yield from _changed(file_format, data)
    yield from _animations()
    yield from _headers()


def _cut(file_format: str, data: bytes) -> Iterator[Case]:
    for share in _SHARES:
        part = data[: max(1, int(len(data) * share))]
        yield _refused(f"{file_format} cut at {share:.2%}", file_format, part)
    for missing in (1, 2, 12):  # so little may be missing that nothing is
        name = f"{file_format} without its last {missing} bytes"
        yield _either(name, file_format, data[:-missing])
    yield _refused(f"{file_format} without its first 16 bytes", file_format, data[16:])


def _changed(file_format: str, data: bytes) -> Iterator[Case]:
    for seed in range(8):
        random = np.random.default_rng(seed)
        bytes_ = np.frombuffer(data, np.uint8).copy()
        places = random.integers(0, len(bytes_), 2**seed)
        bytes_[places] = random.integers(0, 256, len(places))
        name = f"{file_format} with {len(places)} bytes changed"
        yield _either(name, file_format, bytes_.tobytes())
    for start in (0.02, 0.3, 0.7):
        for fill in (b"\0", b"\xff"):
            at, length = int(len(data) * start), len(data) // 8
            part = data[:at] + fill * length + data[at + length :]
            what = f"{length} bytes of {fill.hex()} at {start:.0%}"
            yield _either(f"{file_format} with {what}", file_format, part)
    for start in (0.1, 0.5):
        at, length = int(len(data) * start), len(data) // 8
        name = f"{file_format} with a hole at {start:.0%}"
        yield _either(name, file_format, data[:at] + data[at + length :])
    yield _either(f"{file_format} twice", file_format, data + data)


def _animations() -> Iterator[Case]:
    for file_format in ("GIF", "PNG", "WEBP"):
        data = animation(quadrants(), file_format)
        for share in (0.1, 0.5, 0.9):
            name = f"animated {file_format} cut at {share:.0%}"
            part = data[: int(len(data) * share)]
            yield Case(name, f"dance.{SUFFIX[file_format]}", part, SIZE, None, _REFUSED)


def _headers() -> Iterator[Case]:
    """First bytes of a format, and little or nothing behind them."""
    starts = {
        "JPEG": b"\xff\xd8\xff",
        "PNG": b"\x89PNG\r\n\x1a\n",
        "GIF": b"GIF89a",
        "BMP": b"BM",
        "TIFF": b"II*\0",
        "WEBP": b"RIFF\x20\0\0\0WEBPVP8 ",
        "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
        "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    }
    for file_format, start in starts.items():
        for name, rest in (
            ("", b""),
            (" and zeros", bytes(500)),
            (" and noise", noise().tobytes()),
        ):
            yield _refused(f"{file_format}'s first bytes{name}", file_format, start + rest)
    yield _refused("PNG without pixels", "PNG", png_header(10, 10))
    for size in ((0, 10), (10, 0), (0, 0)):
        yield _refused(f"PNG of {size[0]} × {size[1]}", "PNG", png_header(*size), " × |damaged")
    loop = b"II*\0\x08\0\0\0\0\0\x08\0\0\0"  # a directory that is followed by itself
    yield _refused("TIFF whose directory follows itself", "TIFF", loop)
    far = b"II*\0\xff\xff\xff\x7f" + bytes(50)
    yield _refused("TIFF whose directory is outside", "TIFF", far)
    entries = b"II*\0\x08\0\0\0\xff\xff" + bytes(2000)
    yield _refused("TIFF of 65535 empty entries", "TIFF", entries)
    tiff = encode(RGB, "TIFF")
    yield _either("TIFF with its entries doubled", "TIFF", tiff + tiff[8:])
    small = encode(Image.new("P", (4, 4)), "GIF")
    yield _either(
        "GIF whose picture lies outside", "GIF", small.replace(b",\0\0\0\0", b",\xff\xff\0\0")
    )


def _refused(name: str, file_format: str, data: bytes, says: str = _REFUSED) -> Case:
    return Case(name, f"photo.{SUFFIX[file_format]}", data, None, None, says)


def _either(name: str, file_format: str, data: bytes) -> Case:
    """Damaged so that both are right: a refusal, or a photo of any size."""
    return Case(name, f"photo.{SUFFIX[file_format]}", data, ANY_SIZE, None, _REFUSED)
