"""The photo reader: safe decoding of files, bytes and PIL images.

Uploads and folders hold everything: rotated phones, CMYK scans, 16-bit greys, animations, files
cut short, text with a .jpg name, pictures of a few kilobytes that unpack to gigabytes. Either
`read_photo` gives upright 8-bit RGB, or it raises `PhotoError` with a sentence for the user.
"""

import io
import os
import stat
import warnings
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from keypoints_captions.photos.decoding_cost import MAX_SCANS, jpeg_structure, most_pixels
from keypoints_captions.photos.jpeg import decode_jpeg
from keypoints_captions.photos.pixels import STRIP_PIXELS, over_white, upright_rgb

MAX_PIXELS = 64_000_000  # a 50-megapixel photo passes; fewer of some kinds, see decoding_cost.py
MAX_BYTES = 256 * 2**20  # of the file: a 50-megapixel photo stored without compression passes

#: File name endings, in lower case, by which folders are searched for photos.
# fmt: off
PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".heic", ".heif",
    ".hif", ".gif", ".bmp", ".dib", ".tif", ".tiff",
})
# fmt: on

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF")
_ACCEPTED = "a photo can be JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF"
_ACCEPTED_ARRAYS = (
    "an array must be uint8 of shape (height, width, 3) RGB, (height, width, 4) RGBA or "
    "(height, width) grey"
)
_PHOTO_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
_TIFF_STARTS = (b"II*\x00", b"MM\x00*")
_OTHER_STARTS = {  # first bytes, in lower case -> what the file is
    b"%pdf": "a PDF document",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"pk\x03\x04": "a ZIP archive or an office document",
    b"8bps": "a Photoshop document",
    b"\x1f\x8b": "a GZIP archive",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x00\x00\x00\x0cjxl ": "a JPEG XL picture",
    b"\x00\x00\x00\x0cjp  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51".lower(): "a JPEG 2000 picture",
    b"\x1aE\xdf\xa3".lower(): "a video",
}
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323

PhotoSource = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray
)

pillow_heif.register_heif_opener()


def ignore_pillow_warnings() -> None:
    """Hides Pillow's warnings in this process; call it in `main`.

    Pillow warns about odd metadata, which does not change the pixels, and about pictures above its
    own size limit, which is higher than the one here.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")


class PhotoError(ValueError):
    """The photo cannot be used; the message is one sentence: what came and what is accepted."""


def read_photo(source: PhotoSource, *, max_side: int | None = None) -> np.ndarray:
    """Read a photo as a person would see it.

    Rotated by its EXIF orientation, transparency over white, first frame of an animation (the
    current one of a PIL image), colour profile converted to sRGB, deep greys scaled to 8 bits.

    Args:
        source: a path, the file's bytes, a binary file, a PIL image, or an array: (H, W, 3) uint8
            RGB, (H, W, 4) uint8 RGBA with straight alpha, or (H, W) uint8 grey.
        max_side: if given, a JPEG may come back at 1/2, 1/4 or 1/8 of its size, which decodes
            several times faster, as long as its longer side stays at or above this many pixels.
            Coordinates found in such a photo are not those of the full one: leave it out where
            they matter.

    Returns:
        (height, width, 3) uint8 RGB, C-contiguous. An array that is so already comes back as it
        is, not copied: do not write into it.

    Raises:
        PhotoError: the source is no photo, is damaged, or is above MAX_PIXELS or MAX_BYTES.
    """
    if isinstance(source, np.ndarray):
        return _from_array(np.asarray(source))
    if isinstance(source, Image.Image):
        _check_size(*source.size)
        return _pixels(source, "picture")
    if isinstance(source, str | os.PathLike):
        with _open_file(source) as file:
            return _decode(file, max_side)
    if isinstance(source, bytes | bytearray | memoryview):
        _check_bytes(len(source) if isinstance(source, bytes | bytearray) else source.nbytes)
        return _decode(io.BytesIO(source), max_side)
    if hasattr(source, "read"):
        return _decode(io.BytesIO(_read_bytes(source)), max_side)
    raise PhotoError(
        f"This is a {type(source).__name__}; expected a path, bytes, a binary file, a PIL image or "
        "a numpy array."
    )


def _from_array(array: np.ndarray) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if array.dtype != np.uint8 or channels not in (1, 3, 4) or array.shape[2:] == (1,):
        hint = ""
        if array.dtype.kind == "f":
            hint = "; bring floats to 0..255 and cast them"
        elif array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; move the channels to the last axis"
        raise PhotoError(
            f"This is a {array.dtype} array of shape {array.shape}; {_ACCEPTED_ARRAYS}{hint}."
        )
    height, width = array.shape[:2]
    _check_size(width, height)
    if channels == 3:
        return np.ascontiguousarray(array)
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = array[top : top + rows]
        rgb[top : top + rows] = over_white(strip) if channels == 4 else strip[..., None]
    return rgb


def _open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file of acceptable size; a pipe or device would block or never end."""
    if str(path).startswith(("http://", "https://", "data:")):
        raise PhotoError("This is a web address; save the photo and give the path of the file.")
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            if not os.access(path, os.R_OK | os.X_OK):  # met in a search for photos
                raise PhotoError("The folder may not be read; check its permissions.")
            raise PhotoError("This is a folder; give the path of a photo.")
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError("This is a pipe or a device; give the path of a photo.")
        _check_bytes(status.st_size)
        return open(path, "rb")
    except FileNotFoundError:
        raise PhotoError("There is no such file; check the path.") from None
    except PermissionError:
        raise PhotoError("The file may not be read; check its permissions.") from None
    except OSError as error:
        raise PhotoError(f"The file cannot be opened: {error.strerror or error}.") from error
    except PhotoError:
        raise
    except ValueError:  # from os.stat itself
        raise PhotoError("The path holds a null character, which no file name can.") from None


def _read_bytes(file: BinaryIO) -> bytes:
    try:
        data = file.read(MAX_BYTES + 1)
    except Exception as error:  # a closed file, a broken connection, a failing disk
        raise PhotoError(f"The file cannot be read: {error}.") from error
    if not isinstance(data, bytes):
        raise PhotoError(
            f"The file gives {type(data).__name__} where bytes are expected; open it in mode 'rb'."
        )
    _check_bytes(len(data))
    return data


def _decode(file: BinaryIO, max_side: int | None) -> np.ndarray:
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(f"The photo has far too many pixels; {_pixel_limit()}.") from None
    except UnidentifiedImageError:
        raise PhotoError(_what_came(file)) from None
    except Exception as error:  # damaged headers raise anything from KeyError to struct.error
        raise PhotoError(_damaged("photo")) from error
    with image:
        _check_size(*image.size)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            return _decode_jpeg(image, file, max_side)
        _check_cost(image, 1)
        return _pixels(image, f"{image.format} file")


def _decode_jpeg(
    image: JpegImagePlugin.JpegImageFile, file: BinaryIO, max_side: int | None
) -> np.ndarray:
    file.seek(0)
    try:
        data = file.read()
    except OSError as error:
        raise PhotoError(f"The file cannot be read: {error}.") from error
    scans, sizes, ends = jpeg_structure(data)
    if scans > MAX_SCANS:
        raise PhotoError(
            f"The JPEG is made of more than {MAX_SCANS} scans, which no camera does; save it again."
        )
    if sizes != (image.size,):  # Pillow and the decoder it uses may go by different ones
        raise PhotoError(_damaged("JPEG file"))
    _check_cost(image, scans)
    longest = max(image.size)
    if max_side is not None:
        scale = max(1, max_side) / longest
        image.draft(None, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    stored = None
    if ends and image.mode == "RGB":
        shrink = next(s for s in (1, 2, 4, 8) if -(-longest // s) == max(image.size))
        stored = decode_jpeg(data, shrink)
        if stored is not None and stored.shape[1::-1] != image.size:  # a few pixels, made smaller
            stored = None
    return _pixels(image, f"{image.format} file", stored)


def _pixels(image: Image.Image, what: str, stored: np.ndarray | None = None) -> np.ndarray:
    try:
        if isinstance(image, TiffImagePlugin.TiffImageFile):  # decoded whole, whatever the photo's
            tags = image.tag_v2
            _check_size(tags.get(_TIFF_TILE_WIDTH, 1), tags.get(_TIFF_TILE_LENGTH, 1))
        return upright_rgb(image, stored)
    except PhotoError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(f"The photo has far too many pixels; {_pixel_limit()}.") from None
    except MemoryError:
        raise PhotoError(f"The {what} does not fit in memory; give a smaller photo.") from None
    except Exception as error:  # decoders raise anything from OSError to IndexError
        raise PhotoError(_damaged(what)) from error


def _check_bytes(size: int) -> None:
    if size == 0:
        raise PhotoError(f"The file is empty; {_ACCEPTED}.")
    if size > MAX_BYTES:
        raise PhotoError(
            f"The file has {size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB are accepted."
        )


def _check_cost(image: Image.Image, scans: int) -> None:
    """Refuses what passes as to its size but would take too much memory."""
    most = most_pixels(image, scans)
    if image.width * image.height > most:
        raise PhotoError(
            f"The photo has {image.width * image.height / 1e6:.0f} million pixels; of a "
            f"{image.format} file of this kind, at most {most / 1e6:.0f} million are accepted."
        )


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"The photo is {width} × {height} pixels; it must have at least one.")
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"The photo has {width} × {height} = {width * height / 1e6:.0f} million pixels; "
            f"{_pixel_limit()}."
        )


def _pixel_limit() -> str:
    return f"at most {MAX_PIXELS / 1e6:.0f} million are accepted"


def _damaged(what: str) -> str:
    return f"The {what} is damaged or cut short and cannot be decoded; save or send it again."


def _what_came(file: BinaryIO) -> str:
    """The sentence for a file that Pillow does not recognise, from its first bytes."""
    file.seek(0)
    head = file.read(1024)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:300].lower()
    if head.startswith(_PHOTO_STARTS):
        return f"The photo is damaged, or of a kind that cannot be decoded; {_ACCEPTED}."
    if head.startswith(_TIFF_STARTS):
        return (
            "The TIFF is damaged, or of a kind that cannot be decoded; grey may be 1 to 16 bits or "
            "32-bit float, colour 8 or 16 bits a channel."
        )
    if start.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in head.lower():
        return f"The file is an SVG drawing; {_ACCEPTED}."
    for magic, name in _OTHER_STARTS.items():
        if start.startswith(magic):
            return f"The file is {name}; {_ACCEPTED}."
    if head[4:8] == b"ftyp":
        return f"The file is a video or a photo of an unsupported kind; {_ACCEPTED}."
    if _is_text(head.removeprefix(b"\xef\xbb\xbf")):
        return f"The file is text; {_ACCEPTED}."
    return f"The file is not a photo; {_ACCEPTED}."


def _is_text(head: bytes) -> bool:
    """Whether it is UTF-8; a character may be cut in two at the end."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start >= len(head) - 3 else ""
    return bool(text) and all(c.isprintable() or c.isspace() for c in text)
