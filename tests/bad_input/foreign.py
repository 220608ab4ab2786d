"""Files that are no photos, under names as if they were."""

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator

from PIL import Image

from tests.bad_input.accepted import RGB
from tests.bad_input.case import NO_PHOTO, Case
from tests.picture_files import encode, noise

_TEXTS = {
    "a letter": b"Dear Anna,\nhere is the photo you asked for.\n" * 5,
    "German": "Grüße aus Köln – schöne Ferien! ".encode() * 50,
    "with a byte order mark": b"\xef\xbb\xbfHello there, this is a text.\n",
    "a letter alone": b"x",
    "JSON": b'{"photo": 1}',
    "CSV": b"x,y\n1,2\n3,4\n",
    "Python": b"import os\nos.remove('/')\n",
    "a shell script": b"#!/bin/sh\nrm -rf /\n",
    "PHP": b"<?php system($_GET['c']); ?>",
    "a path": b"/etc/passwd",
    "an address": b"https://example.org/photo.jpg\n",
    "base64 of a photo": b"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ==",
    "an X bitmap": b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {0x00};\n",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "RTF": b"{\\rtf1\\ansi Hello}",
    "a million letters": b"a" * 1_000_000,
}
_DRAWINGS = {
    "plain": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "with a prologue": b'<?xml version="1.0"?>\n<!-- a --><svg width="9"></svg>',
    "with a script": b"<svg><script>alert(1)</script></svg>",
    "of a billion laughs": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "ha">'
    b'<!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>',
    "after spaces": b"  \n\t<svg width='9'></svg>",
}
_PAGES = {
    "a web page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "a web page without a type": b"<html><script>alert(1)</script></html>",
    "a web page in capitals": b"<!DOCTYPE HTML PUBLIC>\n<HTML></HTML>",
}
_PROGRAMS = {
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(200),
    "EXE": b"MZ\x90\0\3\0\0\0" + bytes(200),
    "Java": b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(50),
    "SQLite": b"SQLite format 3\0" + bytes(100),
    "an array": b"\x93NUMPY\1\0" + bytes(100),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    "RAR": b"Rar!\x1a\7\0" + bytes(50),
    "MP3": b"ID3\4\0\0" + bytes(500),
    "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    "AVI": b"RIFF\x24\0\0\0AVI LIST" + bytes(40),
    "Ogg": b"OggS" + bytes(100),
    "a font": b"\0\1\0\0\0\x0c\0\x80" + bytes(100),
    "a raw photo of Fuji": b"FUJIFILMCCD-RAW 0201" + bytes(300),
    "a raw photo of Sigma": b"FOVb" + bytes(300),
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "one byte": b"\xff",
    "noise": noise().tobytes(),
}
#: Of Pillow's other formats, those that it can write.
_OTHER_PICTURES = ["PPM", "ICO", "TGA", "PCX", "DDS", "SGI", "IM", "MSP", "SPIDER", "ICNS", "XBM"]


def foreign() -> Iterator[Case]:
    """Every case of this module."""
    yield _case("nothing", b"", "empty")
    for name, data in _TEXTS.items():
        yield _case(f"text: {name}", data, f"is text.*{NO_PHOTO}")
    yield _case("text in UTF-16", "Hello, a longer text".encode("utf-16"))
    yield _case("text in Latin-1", "Grüße aus Köln".encode("latin-1"))
    for name, data in _DRAWINGS.items():
        yield _case(f"SVG {name}", data, f"SVG.*{NO_PHOTO}")
    yield _case("SVG compressed", gzip.compress(_DRAWINGS["plain"]), f"GZIP.*{NO_PHOTO}")
    for name, data in _PAGES.items():
        yield _case(name, data, f"web page.*{NO_PHOTO}")
    yield from _documents()
    for name, data in _PROGRAMS.items():
        yield _case(name, data)
    yield _case("a pickle", pickle.dumps({"a": [1, 2, 3]}))
    yield from _videos()
    yield from _pictures()


def _documents() -> Iterator[Case]:
    pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
    yield _case("PDF", pdf, f"PDF.*{NO_PHOTO}")
    yield _case("PDF with a photo in it", pdf + encode(RGB, "JPEG"), f"PDF.*{NO_PHOTO}")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("photo.jpg", encode(RGB, "JPEG"))
        archive.writestr("zeros", bytes(1_000_000))
    yield _case("ZIP of a photo", stream.getvalue(), f"ZIP.*{NO_PHOTO}")
    yield _case("GZIP of a photo", gzip.compress(encode(RGB, "JPEG")), f"GZIP.*{NO_PHOTO}")
    yield _case("GZIP bomb", gzip.compress(bytes(5_000_000)), f"GZIP.*{NO_PHOTO}")
    yield _case("Photoshop", b"8BPS\0\1" + bytes(60), f"Photoshop.*{NO_PHOTO}")


def _videos() -> Iterator[Case]:
    for brand in (b"isom", b"mp42", b"qt  ", b"M4V ", b"3gp4", b"crx "):
        data = b"\0\0\0\x18ftyp" + brand + b"\0\0\2\0isomiso2" + bytes(100)
        yield _case(f"video of brand {brand.decode().strip()}", data, f"video.*{NO_PHOTO}")
    yield _case("Matroska", b"\x1aE\xdf\xa3" + bytes(100), f"video.*{NO_PHOTO}")


def _pictures() -> Iterator[Case]:
    yield _case("JPEG XL", b"\xff\x0a" + bytes(60), f"JPEG XL.*{NO_PHOTO}")
    box = b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60)
    yield _case("JPEG XL in a box", box, f"JPEG XL.*{NO_PHOTO}")
    yield _case("JPEG 2000", encode(RGB, "JPEG2000"), f"JPEG 2000.*{NO_PHOTO}")
    stream = encode(RGB, "JPEG2000", no_jp2=True)
    yield _case("JPEG 2000 without a box", stream, f"JPEG 2000.*{NO_PHOTO}")
    huge = b"\xff\x4f\xff\x51" + struct.pack(">HHII", 47, 0, 2**31, 2**31) + bytes(60)
    yield _case("JPEG 2000 of 2 billion pixels a side", huge, f"JPEG 2000.*{NO_PHOTO}")
    for file_format in _OTHER_PICTURES:
        mode = {"MSP": "1", "XBM": "1", "SPIDER": "F"}.get(file_format, "RGB")
        image = RGB.resize((64, 64)) if file_format == "ICNS" else RGB
        data = encode(image.convert(mode), file_format)
        yield _case(f"picture of the kind {file_format}", data)
    for mode, name in (("1", "PBM"), ("L", "PGM"), ("I", "PGM of 16 bits"), ("F", "PFM")):
        yield _case(f"picture of the kind {name}", encode(RGB.convert("L").convert(mode), "PPM"))
    bomb = b"P6 60000 60000 255\n" + bytes(100)
    yield _case("PPM of 3.6 billion pixels", bomb)
    yield _case("plain PPM", b"P3\n2 1\n255\n255 0 0 0 255 0\n", NO_PHOTO)
    yield _case("cursor", b"\0\0\2\0\1\0" + encode(Image.new("RGB", (8, 8)), "ICO")[6:])
    yield _case("windows metafile", b"\xd7\xcd\xc6\x9a" + bytes(100))


def _case(name: str, data: bytes, says: str = NO_PHOTO) -> Case:
    return Case(name, "holiday.jpg", data, None, None, says)
