"""One photo, both tabs: what goes over, and the line that tells what both made of it."""

import os
from pathlib import Path

import gradio as gr
import pytest

from web.components import PhotoInput, Upload
from web.photo_transfer import alt_text_line, photo_to_carry, same_photo


def test_the_line_is_text_not_markup() -> None:
    html = alt_text_line('A "<b>" on a table.')
    assert "<b>" not in html and 'data-copy="A &quot;&lt;b&gt;&quot; on a table."' in html


def test_the_same_photo_in_two_places(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one.jpg", "two.jpg", "other.jpg"))
    one.write_bytes(b"a photo")
    two.write_bytes(b"a photo")
    other.write_bytes(b"b photo")
    os.utime(other, ns=(one.stat().st_atime_ns, one.stat().st_mtime_ns))
    assert same_photo(one, two) and not same_photo(one, other)
    two.unlink()
    assert not same_photo(one, two)


def test_a_photo_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(gr.Error, match="open it again"):
        photo_to_carry(None)
    with pytest.raises(gr.Error, match="deleted"):
        photo_to_carry(tmp_path / "gone.jpg", "gone.jpg")


def test_a_photo_keeps_the_name_that_its_owner_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "3f2a.jpg"
    path.write_bytes(b"a photo")
    shown = PhotoInput().postprocess(photo_to_carry(path, "holiday.jpg"))
    assert shown is not None and shown.orig_name == "holiday.jpg"
    assert PhotoInput().preprocess(shown) == Upload(path, "holiday.jpg")
