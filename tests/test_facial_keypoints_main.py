"""`python -m facial_keypoints`, with a stand-in for the trained pipeline."""

import csv
import io
import json
import ntpath
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facial_keypoints import __main__ as command
from facial_keypoints import photo_files
from facial_keypoints.export import read_pts
from facial_keypoints.face import Face
from keypoints_captions.photos import paths as photo_paths
from keypoints_captions.photos.paths import mirrored_names
from keypoints_captions.weights import WeightsError
from tests.synthetic_faces import make_face

Run = Callable[..., tuple[int, str, str]]


def stand_in(images: list[np.ndarray]) -> list[list[Face]]:
    """On each photo as many faces as the first pixel's red says."""
    return [stand_in_faces(image) for image in images]


def stand_in_faces(image: np.ndarray) -> list[Face]:
    count = int(image[0, 0, 0])
    if count == 99:
        raise RuntimeError("model failed")
    return [make_face(at=(20.0 + index, 20.0), width=20.0) for index in range(count)]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, run_main: Run) -> Run:
    monkeypatch.setattr(command.FacialKeypoints, "load", lambda *_, **__: stand_in)
    return partial(run_main, command.main)


def save_photo(path: Path, faces: int = 1, size: tuple[int, int] = (48, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (faces, 200, 200)).save(path, "PNG")
    return path


def test_json_to_standard_output(run: Run, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "a.png", faces=2)
    code, out, err = run(photo)
    assert code == 0 and "1/1" in err
    (entry,) = json.loads(out)
    assert entry.keys() == {"file", "width", "height", "faces"}
    assert (entry["file"], entry["width"], entry["height"]) == (str(photo), 48, 40)
    assert len(entry["faces"]) == 2 and len(entry["faces"][0]["points"]) == 68


def test_a_folder_with_bad_files_is_finished(run: Run, tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "good.png")
    save_photo(tmp_path / "in" / "sub" / "none.png", faces=0)
    save_photo(tmp_path / "in" / "fails.png", faces=99)
    (tmp_path / "in" / "text.jpg").write_text("hello")
    missing = tmp_path / "missing.jpg"
    code, out, err = run(tmp_path / "in", missing, "--output", tmp_path / "new" / "out.json")
    assert code == 1 and out == ""
    entries = json.loads((tmp_path / "new" / "out.json").read_text())
    by_name = {Path(entry["file"]).name: entry for entry in entries}
    assert list(by_name) == ["fails.png", "good.png", "none.png", "text.jpg", "missing.jpg"]
    assert len(by_name["good.png"]["faces"]) == 1 and by_name["none.png"]["faces"] == []
    errors = {name: entry["error"] for name, entry in by_name.items() if "error" in entry}
    assert errors.keys() == {"fails.png", "text.jpg", "missing.jpg"}
    assert "model failed" in errors["fails.png"] and "is text" in errors["text.jpg"]
    for name, error in errors.items():
        assert f"{by_name[name]['file']}: {error}" in err


def test_csv(run: Run, tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png", faces=2)
    save_photo(tmp_path / "b.png", faces=0)
    code, out, _ = run(tmp_path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and [row["face"] for row in rows] == ["0", "1", ""]


def test_pts_of_one_face_to_standard_output(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(save_photo(tmp_path / "a.png"), "--format", "pts")
    (tmp_path / "a.pts").write_text(out)
    expected = stand_in_faces(np.ones((1, 1, 3), np.uint8))[0].points
    assert code == 0
    np.testing.assert_allclose(read_pts(tmp_path / "a.pts"), expected, atol=2e-3)


def test_pts_of_many_faces_into_a_folder(run: Run, tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "a.png", faces=2)
    save_photo(tmp_path / "in" / "sub" / "a.png")
    save_photo(tmp_path / "in" / "none.png", faces=0)
    code, out, _ = run(tmp_path / "in", "--format", "pts", "--output", tmp_path / "out")
    assert code == 0 and out == ""
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in tmp_path.glob("out/**/*.*"))
    assert written == ["a_0.pts", "a_1.pts", "sub/a_0.pts"]
    assert read_pts(tmp_path / "out" / "a_1.pts").shape == (68, 2)


def test_pts_to_standard_output_needs_exactly_one_face(run: Run, tmp_path: Path) -> None:
    code, out, err = run(save_photo(tmp_path / "two.png", faces=2), "--format", "pts")
    assert code == 2 and out == "" and "2 faces" in err and "--output FOLDER" in err
    code, out, err = run(save_photo(tmp_path / "none.png", faces=0), "--format", "pts")
    assert code == 0 and out == "" and "no face found" in err


def test_overlays_mirror_the_folders(run: Run, tmp_path: Path) -> None:
    for name in ("a.png", "sub/a.png", "sub/a.PNG", "sub/deep/a.b.png"):
        save_photo(tmp_path / "in" / name)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"")
    code, _, _ = run(tmp_path / "in", "--overlay", tmp_path / "in" / "overlays")
    assert code == 1
    found = tmp_path.glob("in/overlays/**/*.*")
    written = sorted(str(path.relative_to(tmp_path / "in" / "overlays")) for path in found)
    assert written == ["a.jpg", "sub/a.jpg", "sub/a.png.jpg", "sub/deep/a.b.jpg"]
    with Image.open(tmp_path / "in" / "overlays" / "a.jpg") as overlay:
        pixels = np.asarray(overlay)
    assert overlay.format == "JPEG" and overlay.size == (48, 40)
    assert np.abs(pixels.astype(int) - (1, 200, 200)).max() > 60  # something is drawn
    _, out, _ = run(tmp_path / "in", "--overlay", tmp_path / "in" / "overlays")
    assert len(json.loads(out)) == 5  # the overlays are not photos of the next run


def test_a_failed_overlay_is_that_photos_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("No space left on device")

    save_photo(tmp_path / "a.png")
    monkeypatch.setattr(photo_files, "draw_faces", fail)
    code, out, err = run(tmp_path / "a.png", "--overlay", tmp_path / "overlays")
    assert code == 1 and "No space left" in json.loads(out)[0]["error"] and "No space left" in err


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "required: PATH"),
        (["EMPTY"], "no photos in"),
        (["A", "--format", "xml"], "invalid choice"),
        (["A", "--detector", "none"], "invalid choice"),
        (["A", "--output", "EMPTY"], "is a folder"),
        (["A", "--output", "A"], "would overwrite a photo"),
        (["A", "--output", "A/out.json"], "cannot be made"),
        (["A", "--overlay", "A"], "cannot be made"),
        (["J", "--overlay", "PHOTOS"], "would overwrite"),
        (["PHOTOS", "--overlay", "PHOTOS"], "would overwrite"),
        (["PHOTOS", "--format", "pts"], "needs --output FOLDER"),
        (["A", "--format", "pts", "--output", "A"], "is no folder"),
        (["A", "--format", "pts", "--output", "face.pts"], "is no folder"),
    ],
)
def test_wrong_usage(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    photo, jpeg = save_photo(tmp_path / "p" / "a.png"), save_photo(tmp_path / "p" / "j.jpg")
    (tmp_path / "empty").mkdir()
    before = photo.read_bytes(), jpeg.read_bytes()
    names = {"A": photo, "J": jpeg, "EMPTY": tmp_path / "empty", "PHOTOS": tmp_path / "p"}
    given = [str(names.get(a, names["A"] / "out.json" if a[:2] == "A/" else a)) for a in arguments]
    code, out, err = run(*given)
    assert code == 2 and out == "" and said in err
    assert before == (photo.read_bytes(), jpeg.read_bytes())


def test_missing_weights_are_a_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> None:
        raise WeightsError("Expected a.safetensors, but it is missing.")

    monkeypatch.setattr(command.FacialKeypoints, "load", load)
    code, out, err = run(save_photo(tmp_path / "a.png"))
    assert code == 1 and out == "" and "it is missing" in err and "Traceback" not in err


def test_mirrored_names_of_several_paths(tmp_path: Path) -> None:
    a, b = save_photo(tmp_path / "x" / "p.png"), save_photo(tmp_path / "y" / "p.png")
    names = mirrored_names([a, b], [tmp_path / "x", tmp_path / "y"])
    assert [str(name) for name in names.values()] == ["x/p", "y/p"]
    assert str(mirrored_names([a], [a])[a]) == "p"
    many = [Path("p.png"), Path("p.jpg"), Path("P.JPG"), Path("p.jpg.gif")]
    stems = [str(name).casefold() for name in mirrored_names(many, many).values()]
    assert len(set(stems)) == len(many)


def test_mirrored_names_of_several_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_paths, "os", SimpleNamespace(path=ntpath))  # as on Windows
    photos = [Path("C:/x/p.png"), Path("D:/p.png")]
    names = mirrored_names(photos, photos)
    assert [name.parts for name in names.values()] == [("C", "x\\p"), ("D", "p")]
    assert [str(name) for name in mirrored_names(photos[:1], photos[:1]).values()] == ["p"]
