"""The blind comparison: captions in an order that the sheet does not give away, and the count."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.caption_world import make_photos
from train.captioning.data import load_set
from train.captioning.words.blind import captions_of, count, main
from train.engine.options import UsageError


def records(path: Path, photos: str, said: str) -> Path:
    """A JSON file as `python -m captioning` writes it."""
    told = [
        {"file": str(photo.path), "captions": [{"text": f"{said} {number % 2 or said}"}]}
        for number, photo in enumerate(load_set(photos))
    ]
    path.write_text(json.dumps(told))
    return path


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    photos, output = make_photos(tmp_path), tmp_path / "blind"
    old, new = (records(tmp_path / f"{name}.json", photos, name) for name in ("old", "new"))
    arguments = ["--photos", photos, "--old", str(old), "--new", str(new), "--count", "6"]
    main(["draw", *arguments, "--output", str(output)])
    return output


def test_both_captions_stand_first_now_and_then(drawn: Path) -> None:
    key = json.loads((drawn / "key.json").read_text())
    assert len(key["captions A"]) == 6 and set(key["captions A"].values()) == {"old", "new"}
    assert Image.open(drawn / "sheet1.png").width > 5 * 224


def test_verdicts_are_counted_by_the_key(drawn: Path, capsys: pytest.CaptureFixture) -> None:
    first = json.loads((drawn / "key.json").read_text())["captions A"]
    lines = [f"{n} {'A' if name == 'new' else 'b'}" for n, name in first.items()]
    (drawn / "verdicts.txt").write_text("\n".join(["1 =", *lines[1:]]))
    assert count(drawn) == {"new": 5, "neither": 1}
    main(["count", "--output", str(drawn)])
    assert "better: new 5, old 0, neither 1" in capsys.readouterr().out


def test_a_missing_verdict_is_named(drawn: Path) -> None:
    with pytest.raises(UsageError, match="photo 1 wants A, B or =, not ''"):
        count(drawn)


def test_a_photo_without_a_caption_is_named(tmp_path: Path) -> None:
    photos = load_set(make_photos(tmp_path))
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    with pytest.raises(UsageError, match=r"no caption of photo0\.png and 7 others"):
        captions_of(empty, photos)
