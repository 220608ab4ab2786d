"""Conversion of any decoded PIL image to upright 8-bit sRGB.

The image is converted in strips of rows, each written straight to its place in the result, so
that beside PIL's own pixels and the result only one strip is ever held.
"""

import io
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

STRIP_PIXELS = 1_000_000  # pixels converted at a time: a few megabytes of working memory

#: Modes with more than eight bits for a grey value.
DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})

_EXIF_ORIENTATION = 0x0112
_TIFF_BITS_PER_SAMPLE, _TIFF_PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0


def upright_rgb(image: Image.Image, stored: np.ndarray | None = None) -> np.ndarray:
    """The pixels as a person would see them.

    EXIF orientation is applied, transparency is laid over white, an embedded colour profile is
    converted to sRGB, and deep grey values are scaled into 0..255 (see `_grey_range`).

    Args:
        image: any mode Pillow decodes; its current frame is taken and loaded.
        stored: the pixels of an RGB image, as `upright_rgb` returns them but neither turned nor
            converted, where something else has decoded them: the image is then not loaded.

    Returns:
        (height, width, 3) uint8 RGB, C-contiguous.

    Raises:
        Whatever Pillow raises on damaged data: there is no single base class for it.
    """
    if stored is None:
        image.load()
    orientation = _orientation(image)
    if stored is not None and orientation == 1 and _has_srgb(image):
        return stored
    width, height = image.size
    shape = (width, height, 3) if orientation >= 5 else (height, width, 3)
    upright = np.empty(shape, np.uint8)
    as_stored = _stored_view(upright, orientation)
    convert = _grey_converter(image) if image.mode in DEEP_MODES else _colour_converter(image)
    for strip, top in _strips(image, stored):
        as_stored[top : top + strip.height] = convert(strip)
    return upright


def over_white(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 RGBA with straight alpha -> (H, W, 3) uint8 RGB over white."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha
    blended += 255 * (255 - alpha)
    blended += 127
    blended //= 255
    return blended.astype(np.uint8)


def _strips(
    image: Image.Image, stored: np.ndarray | None = None
) -> Iterator[tuple[Image.Image, int]]:
    """(strip, its first row) from top to bottom; stored: as of `upright_rgb`."""
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        if stored is None:
            yield image.crop((0, top, image.width, min(image.height, top + rows))), top
        else:
            yield Image.fromarray(stored[top : top + rows]), top


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1..8; 1 where it is absent or the EXIF block is damaged."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged metadata raises anything; the pixels are still good
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _stored_view(upright: np.ndarray, orientation: int) -> np.ndarray:
    """A view of the upright array with rows and columns as the file stores them.

    The values are those of EXIF 2.3's orientation tag: 6, say, is a photo to be turned 90°
    clockwise, so what is written through this view lands turned that way.
    """
    views: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }
    return views[orientation](upright)


def _has_srgb(image: Image.Image) -> bool:
    """Whether the colours of this RGB image need no conversion."""
    return _colour_transform(image, transparent=False)[1] is None


def _colour_converter(image: Image.Image) -> Callable[[Image.Image], np.ndarray]:
    """Strip of this 8-bit (or 1-bit, or palette) image -> (h, w, 3) uint8 sRGB."""
    transparent = image.has_transparency_data
    mode, transform = _colour_transform(image, transparent)

    def convert(strip: Image.Image) -> np.ndarray:
        if strip.mode == "La":  # Pillow converts premultiplied grey to LA only
            strip = strip.convert("LA")
        if strip.mode != mode:
            strip = strip.convert(mode)
        if transform is not None:
            strip = ImageCms.applyTransform(strip, transform) or strip
        return over_white(np.asarray(strip)) if transparent else np.asarray(strip)

    return convert


def _colour_transform(
    image: Image.Image, transparent: bool
) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode to bring strips to, and the transform that takes that mode to sRGB.

    None where the image has no profile, an sRGB one (nothing to do) or one that does not fit its
    pixels (widespread, and every viewer ignores it).
    """
    plain = "RGBA" if transparent else "RGB"
    if image.mode == "LAB":  # CIELAB TIFF; Pillow converts it by a profile only
        return "LAB", ImageCms.buildTransform(_profile("LAB"), _profile("sRGB"), "LAB", "RGB")
    data = image.info.get("icc_profile")
    if not isinstance(data, bytes) or not data:
        return plain, None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return plain, None
        space = profile.profile.xcolor_space.strip()
        if space == "RGB":
            mode = plain
        elif (space, image.mode) in (("GRAY", "L"), ("CMYK", "CMYK")) and not transparent:
            mode = image.mode
        else:
            return plain, None
        return mode, ImageCms.buildTransform(profile, _profile("sRGB"), mode, plain)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return plain, None


def _profile(space: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    """Made where it is needed only: that takes a quarter of a millisecond, and most photos have no
    profile to convert from."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space))


def _grey_converter(image: Image.Image) -> Callable[[Image.Image], np.ndarray]:
    """Strip of this deep grey image -> (h, w, 1) uint8, which broadcasts over the channels."""
    low, high = _grey_range(image)
    scale = 255 / (high - low) if high > low else 0.0
    transparent = image.info.get("transparency")
    inverted = _tiff_tag(image, _TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO

    def convert(strip: Image.Image) -> np.ndarray:
        values = np.asarray(strip)
        scaled = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
        grey = ((scaled - low) * scale + 0.5).clip(0, 255).astype(np.uint8)
        if inverted:
            grey = 255 - grey
        if isinstance(transparent, int):  # PNG: the one grey value that is see-through
            grey[values == transparent] = 255
        return grey[..., None]

    return convert


def _grey_range(image: Image.Image) -> tuple[float, float]:
    """The values that become black and white.

    16-bit (and 12-bit TIFF) pictures use their whole range, so that the result does not depend on
    the darkest and brightest pixel. 32-bit integers and floats carry no such range: 0..1 (floats),
    0..255 and 0..65535 are recognised, anything else is stretched from its least to its greatest
    finite value.
    """
    if image.mode not in ("I", "F"):
        return 0, 4095 if _tiff_tag(image, _TIFF_BITS_PER_SAMPLE) == (12,) else 65535
    low, high = np.inf, -np.inf
    for strip, _ in _strips(image):
        values = np.asarray(strip)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:  # not one finite value
        return 0, 1
    for top in (1, 255, 65535) if image.mode == "F" else (255, 65535):
        if low >= 0 and high <= top:
            return 0, top
    return low, high


def _tiff_tag(image: Image.Image, tag: int) -> object:
    return image.tag_v2.get(tag) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
