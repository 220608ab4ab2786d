"""Files that are photos, however odd: every format, mode, turn, profile and shape."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

from tests.bad_input.case import Case
from tests.picture_files import (
    HEIGHT,
    WIDTH,
    animation,
    colour_profile,
    encode,
    grey_tiff,
    noise,
    quadrants,
)

RGB = Image.fromarray(quadrants())
GREY = RGB.convert("L")
SIZE = (WIDTH, HEIGHT)
SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "HEIF": "heic"}
SUFFIX |= {"GIF": "gif", "BMP": "bmp", "TIFF": "tif", "MPO": "mpo"}
_MODES = {
    "JPEG": ["L", "RGB", "CMYK", "YCbCr"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "WEBP": ["L", "RGB", "RGBA", "P"],
    "AVIF": ["L", "RGB", "RGBA"],
    "HEIF": ["L", "LA", "RGB", "RGBA"],
    "GIF": ["1", "L", "P", "RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB"],
}
_COMPRESSIONS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"]
#: EXIF orientation -> how an upright photo is turned to be stored so.
_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def accepted() -> Iterator[Case]:
    """Every case of this module."""
    yield from modes()
    yield from variants()
    yield from deep()
    yield from orientations()
    yield from profiles()
    yield from metadata()
    yield from shapes()
    yield from animations()
    yield from mislabelled()


def modes() -> Iterator[Case]:
    """Each format in each colour mode it can hold."""
    for file_format, names in _MODES.items():
        for mode in names:
            data = encode(_in_mode(mode), file_format)
            known = mode != "1" and (file_format, mode) != ("WEBP", "P")  # dots, smeared
            yield _good(f"{file_format} {mode}", file_format, data, mode if known else None)


def variants() -> Iterator[Case]:
    """Each format with its options."""
    for quality in (1, 30, 75, 100):
        for subsampling in (0, 1, 2):
            data = encode(RGB, "JPEG", quality=quality, subsampling=subsampling)
            name = f"JPEG quality {quality} subsampling {subsampling}"
            yield _good(name, "JPEG", data, None if quality == 1 else "RGB")
    for mode in ("L", "RGB", "CMYK"):
        data = encode(_in_mode(mode), "JPEG", progressive=True, optimize=True)
        yield _good(f"JPEG progressive {mode}", "JPEG", data, mode)
    yield _good("JPEG with restart markers", "JPEG", encode(RGB, "JPEG", restart_marker_blocks=3))
    yield _good("MPO", "MPO", encode(RGB, "MPO", save_all=True, append_images=[RGB, RGB]))
    for compression in _COMPRESSIONS:
        for mode in ("L", "RGB", "CMYK", "RGBA"):
            data = encode(_in_mode(mode), "TIFF", compression=compression)
            yield _good(f"TIFF {compression} {mode}", "TIFF", data, mode)
    yield _good("TIFF jpeg", "TIFF", encode(RGB, "TIFF", compression="jpeg"))
    for compression in ("group3", "group4", "tiff_ccitt"):
        data = encode(_in_mode("1"), "TIFF", compression=compression)
        yield _good(f"TIFF {compression}", "TIFF", data, None)
    yield _good("TIFF big-endian", "TIFF", encode(Image.new("I;16B", SIZE), "TIFF"), None)
    for level in (0, 1, 9):
        yield _good(f"PNG level {level}", "PNG", encode(RGB, "PNG", compress_level=level))
    for bits in (1, 2, 4, 8):
        few = RGB.quantize(2**bits)
        data, name = encode(few, "PNG", bits=bits), f"PNG palette {bits} bits"
        yield Case(name, "drawing.png", data, SIZE, np.asarray(few.convert("RGB")))
    yield _good("WebP lossless", "WEBP", encode(RGB, "WEBP", lossless=True))
    yield _good("WebP quality 1", "WEBP", encode(RGB, "WEBP", quality=1), None)
    for subsampling in ("4:0:0", "4:2:0", "4:2:2", "4:4:4"):
        data = encode(RGB, "AVIF", subsampling=subsampling)
        yield _good(f"AVIF {subsampling}", "AVIF", data, "L" if "0:0" in subsampling else "RGB")
    yield _good("GIF not interlaced", "GIF", encode(RGB, "GIF", interlace=0))
    yield _good("GIF transparent", "GIF", encode(RGB.quantize(8), "GIF", transparency=0), None)


def deep() -> Iterator[Case]:
    """More than eight bits, numbers that are no colours, and several pages."""
    ramp = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    odd = ramp.copy()
    odd[0, :3] = np.nan, np.inf, -np.inf
    arrays = {
        "16 bit": (ramp * 65535).astype(np.uint16),
        "32 bit integers": (ramp * 1e6).astype(np.int32),
        "float 0 to 1": ramp,
        "float 0 to 255": ramp * 255,
        "float -1 to 1": ramp * 2 - 1,
        "float with nan and infinity": odd,
        "float of nan only": np.full_like(ramp, np.nan),
        "float of one value": np.full_like(ramp, -5),
    }
    for name, array in arrays.items():
        yield _good(f"TIFF {name}", "TIFF", encode(Image.fromarray(array), "TIFF"), None)
    yield _good("PNG 16 bit", "PNG", encode(Image.fromarray(arrays["16 bit"]), "PNG"), None)
    twelve = grey_tiff(2, 12, bytes([0x80, 0x0F, 0xFF]))
    yield Case("TIFF 12 bit", "scan.tif", twelve, (2, 1))
    for count in (2, 60):
        data = encode(RGB, "TIFF", save_all=True, append_images=[GREY] * (count - 1))
        yield _good(f"TIFF of {count} pages", "TIFF", data)


def orientations() -> Iterator[Case]:
    """EXIF's eight, in each format that has it, and some that EXIF does not know."""
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"):
        for orientation, stored in _STORED.items():
            image = RGB if stored is None else RGB.transpose(stored)
            data = encode(image, file_format, exif=_exif(orientation))
            yield _good(f"{file_format} orientation {orientation}", file_format, data)
    for orientation in (0, 9, 65535):
        data = encode(RGB, "JPEG", exif=_exif(orientation))
        yield _good(f"JPEG orientation {orientation}", "JPEG", data)


def profiles() -> Iterator[Case]:
    """Colour profiles: fitting, of another kind, cut short, no profile at all, long."""
    swapped = colour_profile(b"RGB ", swap_red_green=True)
    kinds = {
        "sRGB": (colour_profile(b"RGB ", name="sRGB"), "RGB"),
        "fitting": (swapped, None),
        "for grey": (colour_profile(b"GRAY"), "RGB"),
        "cut short": (swapped[:200], "RGB"),
        "of noise": (noise().tobytes()[:500], "RGB"),
        "of one byte": (b"x", "RGB"),
        "of a megabyte": (swapped + bytes(1_000_000), None),
    }
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        for kind, (profile, mode) in kinds.items():
            data = encode(RGB, file_format, icc_profile=profile)
            yield _good(f"{file_format} profile {kind}", file_format, data, mode)
    for mode in ("L", "CMYK", "P", "RGBA"):
        file_format = "TIFF" if mode == "CMYK" else "PNG"
        data = encode(_in_mode(mode), file_format, icc_profile=swapped)
        yield _good(f"{file_format} {mode} with a profile for RGB", file_format, data, None)


def metadata() -> Iterator[Case]:
    """Long, odd and broken descriptions around good pixels."""
    exif = {
        "EXIF of 60 kilobytes": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + bytes(60_000),
        "EXIF cut short": b"Exif\0\0MM\0*\xff\xff",
        "EXIF of noise": b"Exif\0\0" + noise().tobytes()[:5000],
        "EXIF that points to itself": b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0",
        "EXIF with GPS": _gps(),
        "orientation as text": _exif_entry(2, b"6\0\0\0"),
        "orientation of no length": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0" + bytes(12),
    }
    for name, block in exif.items():
        yield _good(f"JPEG {name}", "JPEG", encode(RGB, "JPEG", exif=block))
        yield _good(f"WebP {name}", "WEBP", encode(RGB, "WEBP", exif=block))
    plain = encode(RGB, "JPEG")
    for name, marker in (("comments", b"\xfe"), ("unknown segments", b"\xef")):
        segment = b"\xff" + marker + b"\x40\x00" + bytes(0x3FFE)
        yield _good(f"JPEG with 300 {name}", "JPEG", plain[:2] + segment * 300 + plain[2:])
    yield _good("JPEG with data behind it", "JPEG", plain + noise().tobytes())
    text = PngImagePlugin.PngInfo()
    for number in range(200):
        text.add_text(f"key {number}", "value " * 50)
    yield _good("PNG with 200 texts", "PNG", encode(RGB, "PNG", pnginfo=text))
    yield _good("PNG with data behind it", "PNG", encode(RGB, "PNG") + bytes(1000))


def shapes() -> Iterator[Case]:
    """From one pixel to long lines."""
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        longest = 16_000 if file_format == "WEBP" else 30_000
        for size in ((1, 1), (2, 1), (1, 2), (3, 3), (17, 5), (1, longest), (longest, 1)):
            data = encode(Image.new("RGB", size, (200, 90, 10)), file_format)
            name = f"{file_format} {size[0]} × {size[1]}"
            picture = np.full((size[1], size[0], 3), (200, 90, 10))
            yield Case(name, f"line.{SUFFIX[file_format]}", data, size, picture)


def animations() -> Iterator[Case]:
    """Several pictures in a file: the first counts."""
    for file_format in ("GIF", "PNG", "WEBP", "AVIF"):
        yield _good(f"{file_format} animated", file_format, animation(quadrants(), file_format))
    frames = [Image.new("RGB", (8, 8), (i % 256, i // 256, 7)) for i in range(300)]
    for file_format in ("GIF", "PNG", "WEBP"):
        data = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
        name = f"{file_format} of 300 frames"
        yield Case(name, f"dance.{SUFFIX[file_format]}", data, (8, 8))


def mislabelled() -> Iterator[Case]:
    """Photos under another format's name, no name's end, and names that mean something else."""
    formats = ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF"]
    for index, file_format in enumerate(formats):
        data = encode(RGB, file_format)
        other = SUFFIX[formats[(index + 3) % len(formats)]]
        for file_name in (f"photo.{other}", "photo", "photo.txt", "photo.svg", "photo.exe"):
            name = f"{file_format} named {file_name}"
            yield Case(name, file_name, data, SIZE, quadrants())


def _good(name: str, file_format: str, data: bytes, mode: str | None = "RGB") -> Case:
    """A case that shows the quadrants as that mode can; nothing known where it is None."""
    exact = RGB if mode in (None, "LAB", "CMYK") else _in_mode(mode).convert("RGB")
    picture = None if mode is None else np.asarray(exact)
    return Case(name, f"photo.{SUFFIX[file_format]}", data, SIZE, picture)


def _in_mode(mode: str) -> Image.Image:
    if mode == "LAB":
        from PIL import ImageCms

        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.applyTransform(RGB, ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))
    return RGB.convert(mode)


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _exif_entry(kind: int, value: bytes) -> bytes:
    """EXIF with an orientation of another type than the short integer it should be."""
    return b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1" + bytes([kind, 0, 2, 0, 0, 0]) + value + bytes(4)


def _gps() -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return exif.tobytes()
