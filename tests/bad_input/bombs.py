"""Small files that claim, or unpack to, far more than they are."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.bad_input.accepted import RGB, SUFFIX
from tests.bad_input.case import ANY_SIZE, DAMAGED, NO_PHOTO, TOO_LARGE, Case
from tests.picture_files import HEIGHT, WIDTH, encode, grey_tiff, png_header

_REFUSED = f"{TOO_LARGE}|{DAMAGED}"


def bombs() -> Iterator[Case]:
    """Every case of this module."""
    yield _bomb("PNG of 139 KB and 144 million pixels", "PNG", png(12_000, 12_000), TOO_LARGE)
    for width, height in ((10_000, 10_000), (8001, 8000), (1, 70_000_000), (2**31 - 1, 1)):
        yield _bomb(f"PNG that claims {width} × {height}", "PNG", png_header(width, height))
    yield from _claims()
    yield from _tiffs()
    yield from _chunks()
    yield from _jpegs()
    yield from _boxes()
    yield from _webps()


def png(width: int, height: int) -> bytes:
    """A whole palette PNG of one colour: a thousandth of its pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = zlib.compress(bytes((1 + width) * height), 9)
    chunks = _chunk(b"IHDR", head) + _chunk(b"PLTE", b"\x50\x90\x30")
    return b"\x89PNG\r\n\x1a\n" + chunks + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def claiming(file_format: str, width: int, height: int) -> bytes:
    """A small photo whose header claims another size."""
    pattern = {"GIF": "<HH", "BMP": "<ii", "JPEG": ">HH"}[file_format]
    upside = file_format == "JPEG"  # the height first
    data = bytearray(encode(RGB, file_format))
    at = data.index(struct.pack(pattern, *((HEIGHT, WIDTH) if upside else (WIDTH, HEIGHT))))
    struct.pack_into(pattern, data, at, *((height, width) if upside else (width, height)))
    return bytes(data)


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each costs a walk over all of the
    picture, and a few bytes."""
    data = encode(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def _claims() -> Iterator[Case]:
    for file_format, sides in {
        "GIF": [(9000, 9000), (65_535, 65_535), (65_535, 1000)],
        "JPEG": [(9000, 9000), (65_500, 65_500), (65_500, 1000)],
        "BMP": [(9000, 9000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (1, -70_000_000)],
    }.items():
        for width, height in sides:
            name = f"{file_format} that claims {width} × {height}"
            yield _bomb(name, file_format, claiming(file_format, width, height))
    for file_format in ("GIF", "JPEG", "BMP"):
        name = f"{file_format} that claims 4000 × 4000 and holds less"
        yield _either(name, file_format, claiming(file_format, 4000, 4000))
    frame = encode(Image.new("P", (4, 4)), "GIF").replace(b"\4\0\4\0\0", b"\xff\xff\xff\xff\0")
    yield _bomb("GIF whose picture is larger than itself", "GIF", frame)
    rle = struct.pack("<IiiHHIIiiII", 40, 8000, 8000, 1, 8, 1, 4, 0, 0, 256, 0) + bytes(1024)
    data = b"BM" + struct.pack("<IHHI", 14 + len(rle) + 4, 0, 0, 14 + len(rle)) + rle
    yield _either("BMP of run lengths, 8000 × 8000 in nothing", "BMP", data + b"\0\1\0\0")


def _tiffs() -> Iterator[Case]:
    tiled = grey_tiff(3, 8, bytes(3), tile_side=12_000)
    yield _bomb("TIFF of tiles of 144 million pixels", "TIFF", tiled)
    tiled = grey_tiff(3, 8, bytes(3), tile_side=2**31)
    yield _bomb("TIFF of tiles of 2 billion pixels a side", "TIFF", tiled)
    yield _bomb("TIFF that claims 70 million in a row", "TIFF", grey_tiff(70_000_000, 8, b"x"))
    yield _bomb("TIFF that claims 4 billion in a row", "TIFF", grey_tiff(2**32 - 1, 8, b"x"))
    yield _either("TIFF that claims 9 million in a row", "TIFF", grey_tiff(9_000_000, 8, b"x"))
    big = encode(Image.new("1", (9000, 9000)), "TIFF", compression="packbits")
    yield _bomb("TIFF of 81 million pixels", "TIFF", big, TOO_LARGE)
    yield _either("TIFF of 1023 bits", "TIFF", grey_tiff(9, 1023, bytes(99)))
    counts = struct.pack("<HHHII", 1, 256, 4, 2**32 - 1, 8)
    data = b"II*\0\x08\0\0\0" + counts + bytes(4)
    yield _bomb("TIFF of a width of 4 billion numbers", "TIFF", data, f"{_REFUSED}|{NO_PHOTO}")


def _chunks() -> Iterator[Case]:
    """PNGs whose descriptions unpack to 64 MB."""
    plain = encode(RGB, "PNG")
    much = zlib.compress(bytes(64 * 2**20))
    for kind, head in (
        (b"zTXt", b"Comment\0\0"),
        (b"iTXt", b"Comment\0\1\0\0\0"),
        (b"iCCP", b"profile\0\0"),
    ):
        data = plain[:33] + _chunk(kind, head + much) + plain[33:]
        yield _either(f"PNG whose {kind.decode()} unpacks to 64 MB", "PNG", data)
    many = b"".join(_chunk(b"tEXt", b"k\0" + bytes([65 + i % 26])) for i in range(20_000))
    yield _either("PNG of 20000 texts", "PNG", plain[:33] + many + plain[33:])
    empty = _chunk(b"IDAT", b"") * 20_000
    yield _either("PNG of 20000 empty parts", "PNG", plain[:33] + empty + plain[33:])


def _jpegs() -> Iterator[Case]:
    for scans in (200, 2000):
        data = jpeg_of_scans(1000, scans)
        yield _bomb(f"JPEG of {scans} scans", "JPEG", data, "scans|" + DAMAGED)
    usual = encode(RGB, "JPEG", progressive=True)
    yield Case("JPEG of the usual scans", "photo.jpg", usual, (WIDTH, HEIGHT))
    header = claiming("JPEG", 60_000, 60_000)
    start = header.index(b"\xff\xc0")
    second = encode(RGB, "JPEG")[:-2] + header[start : start + 19] + b"\xff\xd9"
    yield _either("JPEG that claims a larger size later", "JPEG", second)
    plain, segment = encode(RGB, "JPEG"), header[start : start + 19]
    twice = plain[:2] + segment + plain[2:]
    yield _bomb("JPEG that claims two sizes", "JPEG", twice, DAMAGED)


def _boxes() -> Iterator[Case]:
    """AVIF and HEIC whose size is changed where they tell it."""
    for file_format in ("AVIF", "HEIF"):
        data = encode(RGB, file_format)
        at = data.index(b"ispe") + 8
        for side in (9000, 60_000, 2**32 - 1):
            changed = data[:at] + struct.pack(">II", side, side) + data[at + 8 :]
            name = f"{file_format} that claims {side} × {side}"
            yield _bomb(name, file_format, changed, f"{_REFUSED}|{NO_PHOTO}")
        changed = data[:at] + struct.pack(">II", 4000, 4000) + data[at + 8 :]
        yield _either(f"{file_format} that claims 4000 × 4000", file_format, changed)


def _webps() -> Iterator[Case]:
    for side in (9000, 16_383):
        bits = (side - 1) | (side - 1) << 14
        body = b"VP8L" + struct.pack("<I", 30) + b"\x2f" + struct.pack("<I", bits) + bytes(25)
        data = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
        yield _bomb(f"WebP that claims {side} × {side}", "WEBP", data)
    canvas = (2**24 - 1).to_bytes(3, "little") * 2
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    data = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    yield _bomb("WebP of a canvas of 280 trillion pixels", "WEBP", data)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb(name: str, file_format: str, data: bytes, says: str = _REFUSED) -> Case:
    return Case(name, f"photo.{SUFFIX[file_format]}", data, None, None, says)


def _either(name: str, file_format: str, data: bytes) -> Case:
    """Harmless if it is read, so that a refusal and an answer are both right."""
    says = f"{_REFUSED}|{NO_PHOTO}|scans"
    return Case(name, f"photo.{SUFFIX[file_format]}", data, ANY_SIZE, None, says)
