"""The sound of clips: odd rates, unknown kinds, damage."""

from pathlib import Path

import pytest

from facial_keypoints.video.codec import inspect_clip
from tests.clips import edited, numbered, pitch, read_sound, write_clip


@pytest.mark.parametrize("rate", [5_512, 22_254, 96_000])
def test_sound_at_a_rate_that_aac_does_not_have(tmp_path: Path, rate: int) -> None:
    source = write_clip(
        tmp_path / "in.avi", numbered(25), codec="mpeg4", sound="pcm_s16le", rate=rate
    )
    edited(inspect_clip(source), tmp_path / "out.mp4")
    sound, written = read_sound(tmp_path / "out.mp4")
    assert len(sound) / written == pytest.approx(1.0, abs=0.2)
    assert pitch(sound, written) == pytest.approx(440, abs=5)


def test_sound_that_nobody_can_decode_is_left_out(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mov", numbered(5), sound="pcm_s16le")
    source.write_bytes(source.read_bytes().replace(b"sowt", b"zzzz"))
    clip = inspect_clip(source)
    assert not clip.sound
    assert len(edited(clip, tmp_path / "out.mp4")[0]) == 5
    assert not len(read_sound(tmp_path / "out.mp4")[0])


def test_sound_that_is_cut_short_can_be_played(tmp_path: Path) -> None:
    pieces = {"movflags": "empty_moov", "frag_duration": "200000"}
    data = write_clip(tmp_path / "in.mp4", numbered(25), options=pieces).read_bytes()
    (tmp_path / "in.mp4").write_bytes(data[: data.rindex(b"mdat") + 500])
    edited(inspect_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    assert len(read_sound(tmp_path / "out.mp4")[0])


def test_the_end_of_sound_is_kept_where_it_has_no_time(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.wmv", numbered(25), codec="wmv2", sound="wmav2")
    edited(inspect_clip(source), tmp_path / "out.mp4")
    sound, rate = read_sound(tmp_path / "out.mp4")
    assert len(sound) / rate > 0.97
