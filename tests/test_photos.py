"""Reading photos: every accepted kind comes out right, everything else as PhotoError."""

import io
import os
import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keypoints_captions.photos import reader as photos
from keypoints_captions.photos.jpeg import decode_jpeg
from keypoints_captions.photos.reader import PHOTO_SUFFIXES, PhotoError, read_photo
from tests.picture_files import (
    HEIGHT,
    QUADRANTS,
    WIDTH,
    animation,
    colour_profile,
    encode,
    grey_tiff,
    noise,
    png_header,
    quadrants,
)

RGB = Image.fromarray(quadrants())
RGBA = RGB.convert("RGBA")
PROFILE = colour_profile(b"RGB ", swap_red_green=True)

GOOD_FILES = {
    "jpeg": encode(RGB, "JPEG", quality=95),
    "progressive jpeg": encode(RGB, "JPEG", quality=95, progressive=True),
    "cmyk jpeg": encode(RGB.convert("CMYK"), "JPEG", quality=95),
    "png": encode(RGB, "PNG"),
    "palette png": encode(RGB.quantize(8), "PNG"),
    "rgba png": encode(RGBA, "PNG"),
    "webp": encode(RGB, "WEBP", quality=95),
    "lossless webp": encode(RGBA, "WEBP", lossless=True),
    "avif": encode(RGB, "AVIF", quality=95),
    "heic": encode(RGB, "HEIF", quality=95),
    "gif": encode(RGB, "GIF"),
    "bmp": encode(RGB, "BMP"),
    "tiff": encode(RGB, "TIFF"),
    "lzw tiff": encode(RGB, "TIFF", compression="tiff_lzw"),
    "jpeg tiff": encode(RGB, "TIFF", compression="jpeg"),
    "cmyk tiff": encode(RGB.convert("CMYK"), "TIFF"),
    "lab tiff": encode(Image.new("LAB", (1, 1)), "TIFF"),
    "mpo": encode(RGB, "MPO", save_all=True, append_images=[RGBA.convert("RGB")], quality=95),
    "animated gif": animation(quadrants(), "GIF"),
    "animated png": animation(quadrants(), "PNG"),
    "animated webp": animation(quadrants(), "WEBP"),
}


def assert_is_quadrants(image: np.ndarray, tolerance: int = 12) -> None:
    assert image.shape == (HEIGHT, WIDTH, 3) and image.dtype == np.uint8
    assert image.flags.c_contiguous
    for (y, x), colour in QUADRANTS.items():
        assert np.abs(image[y, x].astype(int) - colour).max() <= tolerance, (y, x, image[y, x])


@pytest.mark.parametrize("name", sorted(set(GOOD_FILES) - {"lab tiff"}))
def test_every_accepted_format(name: str, tmp_path: Path) -> None:
    data = GOOD_FILES[name]
    assert_is_quadrants(read_photo(data))
    path = tmp_path / "photo"  # the content decides, not the name
    path.write_bytes(data)
    np.testing.assert_array_equal(read_photo(path), read_photo(data))


@pytest.mark.parametrize("kind", [str, Path, bytes, bytearray, memoryview, io.BytesIO, Image.open])
def test_every_kind_of_source(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(GOOD_FILES["png"])
    source = kind(path) if kind in (str, Path, Image.open) else kind(GOOD_FILES["png"])
    np.testing.assert_array_equal(read_photo(source), quadrants())
    with open(path, "rb") as file:
        np.testing.assert_array_equal(read_photo(file), quadrants())


# EXIF 2.3, tag 0x0112: orientation -> where the stored photo's top left and top right corners
# are in the upright one, as (bottom?, right?).
CORNERS = {
    1: ((0, 0), (0, 1)),
    2: ((0, 1), (0, 0)),
    3: ((1, 1), (1, 0)),
    4: ((1, 0), (1, 1)),
    5: ((0, 0), (1, 0)),
    6: ((0, 1), (1, 1)),
    7: ((1, 1), (0, 1)),
    8: ((1, 0), (0, 0)),
}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", None])
@pytest.mark.parametrize("orientation", CORNERS)
def test_exif_orientation(orientation: int, file_format: str | None) -> None:
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stored[:16, :16, 0] = 255
    stored[:16, -16:, 1] = 255
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    if file_format is None:
        upright = read_photo(image)
    else:
        upright = read_photo(encode(image, file_format, exif=image.getexif().tobytes()))
    assert upright.shape == ((WIDTH, HEIGHT, 3) if orientation >= 5 else (HEIGHT, WIDTH, 3))
    for channel, (bottom, right) in enumerate(CORNERS[orientation]):
        corner = upright[-5 if bottom else 5, -5 if right else 5].astype(int)
        assert corner[channel] > 180 and corner[1 - channel] < 80


def test_orientation_in_several_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keypoints_captions.photos.pixels.STRIP_PIXELS", 7 * WIDTH)
    image = Image.fromarray(noise())
    image.getexif()[0x0112] = 6
    np.testing.assert_array_equal(read_photo(image), np.rot90(noise(), -1))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_nonsense_orientation_is_ignored(value: int) -> None:
    image = RGB.copy()
    image.getexif()[0x0112] = value
    np.testing.assert_array_equal(read_photo(image), quadrants())


def test_damaged_exif_is_ignored() -> None:
    assert_is_quadrants(read_photo(encode(RGB, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff")))


# --- transparency and modes -----------------------------------------------------------------


def red_with_alpha(alpha: int) -> Image.Image:
    return Image.new("RGBA", (4, 4), (200, 0, 0, alpha))


@pytest.mark.parametrize("alpha, expected", [(255, (200, 0, 0)), (0, (255, 255, 255))])
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_alpha_over_white(alpha: int, expected: tuple[int, int, int], file_format: str) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    image = read_photo(encode(red_with_alpha(alpha), file_format, **options))
    np.testing.assert_array_equal(image, np.full((4, 4, 3), expected))


def test_half_alpha_is_half_white() -> None:
    assert read_photo(red_with_alpha(128))[0, 0].tolist() == [227, 127, 127]
    assert read_photo(np.asarray(red_with_alpha(128)))[0, 0].tolist() == [227, 127, 127]
    assert read_photo(red_with_alpha(128).convert("RGBa"))[0, 0].tolist() == [227, 127, 127]


def test_transparent_colour_of_png_and_gif() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    for data in (encode(palette, "PNG", transparency=0), encode(palette, "GIF", transparency=0)):
        assert read_photo(data)[0].tolist() == [[255, 255, 255], [200, 0, 0]]
    grey = Image.fromarray(np.array([[7, 100]], np.uint8))
    assert read_photo(encode(grey, "PNG", transparency=7))[0, :, 0].tolist() == [255, 100]
    deep = Image.fromarray(np.array([[1000, 0x8000]], np.uint16))
    assert read_photo(encode(deep, "PNG", transparency=1000))[0, :, 0].tolist() == [255, 128]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_every_pillow_mode(mode: str) -> None:
    if mode == "La":
        image = Image.new("LA", (WIDTH, HEIGHT), (255, 255)).convert("La")
    elif mode == "PA":
        image = Image.new("P", (WIDTH, HEIGHT), 255).convert("PA")
    else:
        image = Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)).convert(mode)
    pixels = read_photo(image)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert pixels.min() >= 250 or mode == "PA"


def test_lab_tiff() -> None:
    lab = Image.new("LAB", (2, 2), (255, 128, 128))  # L* = 100, a* = b* = 0: white
    assert read_photo(encode(lab, "TIFF")).min() >= 250


# --- deep greys -----------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", None])
def test_16_bit_grey_is_scaled_not_clipped(file_format: str | None) -> None:
    values = np.array([[0, 255, 0x4000, 0x8000, 0xFFFF]], np.uint16)
    image = Image.fromarray(values)
    pixels = read_photo(image if file_format is None else encode(image, file_format))
    assert pixels[0, :, 0].tolist() == [0, 1, 64, 128, 255]
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_16_bit_tiff_variants() -> None:
    values = np.array([[0, 1000, 0xFFFF]], np.uint16)
    big = Image.frombytes("I;16B", (3, 1), values.astype(">u2").tobytes())
    assert read_photo(encode(big, "TIFF"))[0, :, 0].tolist() == [0, 4, 255]
    inverted = grey_tiff(3, 16, values.tobytes(), white_is_zero=True)
    assert read_photo(inverted)[0, :, 0].tolist() == [255, 251, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_colour(suffix: str) -> None:
    bgr = np.full((2, 2, 3), (0xFFFF, 0, 0x8000), np.uint16)
    assert read_photo(cv2.imencode(suffix, bgr)[1].tobytes())[0, 0].tolist() == [128, 0, 255]


def test_float_colour_tiff_is_named_in_the_refusal() -> None:
    data = cv2.imencode(".tif", np.zeros((2, 2, 3), np.float32))[1].tobytes()
    with pytest.raises(PhotoError, match="colour 8 or 16 bits"):
        read_photo(data)


def test_12_bit_tiff() -> None:
    data = grey_tiff(2, 12, bytes([0x80, 0x0F, 0xFF]))
    assert read_photo(data)[0, :, 0].tolist() == [128, 255]


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 64.0, 255.0], [0, 64, 255]),
        ([0.0, 256.0, 65535.0], [0, 1, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, np.nan, 1.0], [0, 0, 255]),
        ([np.nan, np.inf, 1.0], [0, 255, 255]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),
        ([-5.0, -5.0, -5.0], [0, 0, 0]),
    ],
)
def test_float_tiff(values: list[float], expected: list[int]) -> None:
    data = encode(Image.fromarray(np.array([values], np.float32)), "TIFF")
    assert read_photo(data)[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    "values, expected", [([0, 100, 255], [0, 100, 255]), ([-100, 0, 100000], [0, 0, 255])]
)
def test_32_bit_integers(values: list[int], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.int32))
    assert read_photo(image)[0, :, 0].tolist() == expected
    assert read_photo(encode(image, "TIFF"))[0, :, 0].tolist() == expected


# --- colour profiles ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_profile_is_applied(mode: str) -> None:
    image = Image.new("RGB", (4, 4), (250, 0, 0)).convert(mode)
    pixel = read_photo(encode(image, "PNG", icc_profile=PROFILE))[0, 0].astype(int)
    assert pixel[1] > 200 and pixel[0] < 60  # the profile's red is green


def test_srgb_unfit_and_broken_profiles_change_nothing() -> None:
    srgb = colour_profile(b"RGB ", swap_red_green=True, name="sRGB look-alike")
    for profile in (srgb, colour_profile(b"GRAY"), PROFILE[:200], b"nonsense"):
        data = encode(RGB, "PNG", icc_profile=profile)
        np.testing.assert_array_equal(read_photo(data), quadrants())


@pytest.mark.parametrize("profile", [colour_profile(b"GRAY"), PROFILE])
def test_grey_photo_with_a_profile(profile: bytes) -> None:
    pixels = read_photo(encode(Image.new("L", (4, 4), 128), "JPEG", icc_profile=profile))
    assert pixels.shape == (4, 4, 3)
    assert np.abs(pixels.astype(int) - 128).max() <= 3


# --- arrays ---------------------------------------------------------------------------------


def test_rgb_array_is_not_copied() -> None:
    array = noise()
    assert read_photo(array) is array or np.shares_memory(read_photo(array), array)


def test_other_arrays() -> None:
    grey = noise()[..., 0]
    np.testing.assert_array_equal(read_photo(grey), np.stack([grey] * 3, axis=-1))
    turned = np.rot90(noise())
    assert read_photo(turned).flags.c_contiguous
    np.testing.assert_array_equal(read_photo(turned), turned)


@pytest.mark.parametrize(
    "array, said",
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), bool), "bool"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4), np.uint16), "uint16"),
        (np.zeros((3, 40, 40), np.uint8), "last axis"),
        (np.zeros((4, 4, 1), np.uint8), r"\(4, 4, 1\)"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((), np.uint8), r"\(\)"),
        (np.zeros((0, 4, 3), np.uint8), "0 pixels"),
        (np.zeros((4, 0), np.uint8), "0 × 4"),
        (np.array([["a"]]), "<U1"),
        (np.array([[None]]), "object"),
    ],
)
def test_unfit_arrays(array: np.ndarray, said: str) -> None:
    with pytest.raises(PhotoError, match=said):
        read_photo(array)


# --- bad files ------------------------------------------------------------------------------

FTYP_VIDEO = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100)

BAD_FILES = {
    "empty": (b"", "empty"),
    "text": (b"Dear Anna,\nhere is the photo you asked for.\n" * 5, "is text"),
    "unicode text": ("Grüße aus Köln – schöne Ferien! ".encode() * 50, "is text"),
    "json": (b'{"photo": 1}', "is text"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
    "svg with prologue": (b'<?xml version="1.0"?>\n<!-- a --><svg width="9"></svg>', "SVG"),
    "html": (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF"),
    "zip": (b"PK\x03\x04" + bytes(60), "ZIP"),
    "psd": (b"8BPS\0\1" + bytes(60), "Photoshop"),
    "mp4": (FTYP_VIDEO, "video"),
    "jpeg xl": (b"\xff\x0a" + bytes(60), "JPEG XL"),
    "jpeg 2000": (encode(RGB, "JPEG2000"), "JPEG 2000"),
    "ppm": (encode(RGB, "PPM"), "not a photo"),
    "ico": (encode(RGB, "ICO"), "not a photo"),
    "zeros": (bytes(5000), "not a photo"),
    "one byte": (b"\xff", "not a photo"),
    "noise": (noise().tobytes(), "not a photo"),
    "jpeg magic": (b"\xff\xd8\xff", "damaged"),
    "png magic": (b"\x89PNG\r\n\x1a\n", "damaged"),
    "gif magic": (b"GIF89a", "damaged"),
    "tiff magic": (b"II*\0", "damaged"),
    "bmp magic": (b"BM", "damaged"),
    "png without pixels": (png_header(10, 10), "damaged"),
    "png of no width": (png_header(0, 10), "damaged|0 × 10"),
    "huge png": (png_header(100_000, 100_000), "too many pixels"),
    "large png": (png_header(10_000, 10_000), "100 million"),
    "just too large png": (png_header(8001, 8000), "64 million"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(name: str, tmp_path: Path) -> None:
    data, said = BAD_FILES[name]
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    for source in (path, data, io.BytesIO(data)):
        with pytest.raises(PhotoError, match=said) as caught:
            read_photo(source)
        message = str(caught.value)
        assert message.endswith(".") and "\n" not in message and len(message) < 250


LONG_FILES = {
    file_format: encode(noise(200, 150), file_format, **options)
    for file_format, options in {
        "JPEG": {},
        "PNG": {},
        "WEBP": {},
        "AVIF": {},
        "HEIF": {},
        "GIF": {},
        "BMP": {},
        "TIFF": {},
        "JPEG2000": {},
    }.items()
} | {"LZW": encode(noise(200, 150), "TIFF", compression="tiff_lzw")}


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("file_format", LONG_FILES)
def test_truncated_file(file_format: str, share: float) -> None:
    data = LONG_FILES[file_format]
    with pytest.raises(PhotoError):
        read_photo(data[: int(len(data) * share)])


@pytest.mark.parametrize("name, said", [("", "folder"), ("missing.jpg", "no such file")])
def test_paths_that_are_no_files(name: str, said: str, tmp_path: Path) -> None:
    for path in (tmp_path / name, str(tmp_path / name)):
        with pytest.raises(PhotoError, match=said):
            read_photo(path)


def test_a_folder_without_rights_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PhotoError, match="folder may not be read"):
        read_photo(tmp_path)


def test_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/zero"):
        with pytest.raises(PhotoError, match="pipe or a device"):
            read_photo(path)


def test_odd_paths(tmp_path: Path) -> None:
    for path, said in [("a\0b.jpg", "null"), ("x" * 5000, "cannot be opened")]:
        with pytest.raises(PhotoError, match=said):
            read_photo(path)
    with pytest.raises(PhotoError, match="web address"):
        read_photo("https://example.org/photo.jpg")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with pytest.raises(PhotoError, match="cannot be opened"):
        read_photo(loop)


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"file": 1}, object()])
def test_sources_of_another_type(source: Any) -> None:
    with pytest.raises(PhotoError, match=type(source).__name__):
        read_photo(source)


def test_files_that_do_not_read() -> None:
    closed = io.BytesIO(GOOD_FILES["png"])
    closed.close()
    with pytest.raises(PhotoError, match="cannot be read"):
        read_photo(closed)
    with pytest.raises(PhotoError, match="'rb'"):
        read_photo(io.StringIO("text"))  # type: ignore[arg-type]


def test_a_disk_that_fails_in_mid_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if size is None or not 0 <= size < 2**20:  # the header is read in pieces
                raise OSError(5, "Input/output error")
            return super().read(size)

    (tmp_path / "a.jpg").write_bytes(GOOD_FILES["jpeg"])
    monkeypatch.setattr(
        "builtins.open", lambda path, mode: Failing((tmp_path / "a.jpg").read_bytes())
    )
    with pytest.raises(PhotoError, match="Input/output error"):
        read_photo(tmp_path / "a.jpg")


# --- limits ---------------------------------------------------------------------------------


def claiming(file_format: str, width: int, height: int) -> bytes:
    """A small file whose header claims the size."""
    small = {"GIF": "<HH", "BMP": "<ii", "JPEG": ">HH"}
    data = bytearray(encode(RGB, file_format))
    order = (HEIGHT, WIDTH) if file_format == "JPEG" else (WIDTH, HEIGHT)
    at = data.index(struct.pack(small[file_format], *order))
    new = (height, width) if file_format == "JPEG" else (width, height)
    struct.pack_into(small[file_format], data, at, *new)
    return bytes(data)


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "JPEG"])
@pytest.mark.parametrize("side", [9_000, 40_000])
def test_pixel_limit_is_checked_on_the_header(
    file_format: str, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: Any) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(photos, "upright_rgb", decoded)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PhotoError, match="pixels"):
            read_photo(claiming(file_format, side, side))


def test_pixel_limit_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "MAX_PIXELS", WIDTH * HEIGHT)
    assert read_photo(RGB).shape == (HEIGHT, WIDTH, 3)
    monkeypatch.setattr(photos, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    for source in (RGB, quadrants(), GOOD_FILES["jpeg"], GOOD_FILES["heic"], GOOD_FILES["tiff"]):
        with pytest.raises(PhotoError, match=f"{WIDTH} × {HEIGHT}"):
            read_photo(source)


def test_tiff_with_huge_tiles() -> None:
    tiled = grey_tiff(3, 8, bytes(3), tile_side=12_000)
    assert Image.open(io.BytesIO(tiled)).size == (3, 1)
    with pytest.raises(PhotoError, match="12000 × 12000"):
        read_photo(tiled)


def test_byte_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = GOOD_FILES["bmp"]
    path = tmp_path / "photo.bmp"
    path.write_bytes(data)
    monkeypatch.setattr(photos, "MAX_BYTES", len(data))
    assert_is_quadrants(read_photo(path))
    monkeypatch.setattr(photos, "MAX_BYTES", len(data) - 1)
    for source in (path, data, io.BytesIO(data)):
        with pytest.raises(PhotoError, match="MiB"):
            read_photo(source)


def test_a_50_megapixel_photo_is_within_the_limits() -> None:
    assert photos.MAX_PIXELS >= 8736 * 5856
    assert photos.MAX_BYTES >= 8736 * 5856 * 3


def test_no_second_copy_is_made() -> None:
    data = encode(Image.new("RGB", (4000, 3000), (9, 9, 9)), "PNG")
    for orientation in (1, 6):
        image = Image.open(io.BytesIO(data))
        image.getexif()[0x0112] = orientation
        image.load()
        tracemalloc.start()
        pixels = read_photo(image)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < pixels.nbytes + 12 * 2**20


@pytest.mark.parametrize("max_side, expected", [(400, 400), (399, 400), (401, 800), (1, 100)])
def test_max_side_hint(max_side: int, expected: int) -> None:
    data = encode(Image.new("RGB", (800, 600)), "JPEG")
    assert max(read_photo(data, max_side=max_side).shape) == expected
    assert max(read_photo(data).shape) == 800


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("shrink", [1, 2, 4, 8])
def test_jpegs_are_decoded_as_by_pillow(shrink: int, subsampling: int) -> None:
    for progressive in (False, True):
        data = encode(
            noise(211, 157), "JPEG", subsampling=subsampling, progressive=progressive, quality=80
        )
        image = Image.open(io.BytesIO(data))
        image.draft(None, (211 // shrink, 157 // shrink))
        expected = np.asarray(image)
        pixels = decode_jpeg(data, shrink)
        assert pixels is not None
        np.testing.assert_array_equal(pixels, expected)
        np.testing.assert_array_equal(read_photo(data, max_side=211 // shrink), expected)


def test_a_tiny_jpeg_made_smaller() -> None:
    for side in range(1, 20):
        for height in (2, side):
            data = encode(Image.new("RGB", (side, height), (250, 250, 250)), "JPEG")
            for max_side in range(-1, 5):
                pixels = read_photo(data, max_side=max_side)
                assert pixels.min() > 245
                assert min(side, max_side) <= max(pixels.shape[:2]) <= max(side, height)


def test_what_no_jpeg_decoder_reads_gives_nothing() -> None:
    assert decode_jpeg(b"\xff\xd8\xff") is None
    assert decode_jpeg(b"") is None


def test_suffixes_are_lower_case() -> None:
    assert all(s.startswith(".") and s == s.lower() for s in PHOTO_SUFFIXES)
    assert {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".gif", ".bmp", ".tif"} <= set(
        PHOTO_SUFFIXES
    )


def test_a_progressive_jpeg_whose_colours_have_no_area() -> None:
    data = bytearray(GOOD_FILES["progressive jpeg"])
    header = data.index(b"\xff\xc2")  # length, precision, height, width and 3 components follow
    data[header + 11 : header + 20 : 3] = bytes(3)  # how often each is sampled
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(bytes(data))


# --- fuzzing --------------------------------------------------------------------------------


def read_or_refuse(data: bytes) -> None:
    """The whole promise: pixels, or PhotoError with a sentence; nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photos, "MAX_PIXELS", 200_000)  # keeps mutated headers fast
        try:
            image = read_photo(data)
        except PhotoError as error:
            assert str(error).endswith(".")
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_fuzz_random_bytes(data: bytes) -> None:
    read_or_refuse(data)


@given(st.sampled_from(sorted(GOOD_FILES)), st.data())
@settings(max_examples=400, deadline=None)
def test_fuzz_mutated_files(name: str, draw: st.DataObject) -> None:
    data = bytearray(GOOD_FILES[name])
    near_start = st.integers(0, min(200, len(data) - 1))
    anywhere = st.integers(0, len(data) - 1)
    for at, value in draw.draw(
        st.lists(st.tuples(near_start | anywhere, st.integers(0, 255)), min_size=1, max_size=8)
    ):
        data[at] = value
    if draw.draw(st.booleans()):
        cut, end = sorted(draw.draw(st.tuples(anywhere, anywhere)))
        del data[cut:end]
    read_or_refuse(bytes(data))
