"""Bulk runs on Ray Data: listing, the checkpoint, blocks and their files, wrong usage."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import captioning.bulk
import facial_keypoints.bulk
from facial_keypoints.export import FORMATS
from keypoints_captions.bulk.listing import InputError, list_photos, read_bytes
from keypoints_captions.bulk.parts import Parts
from keypoints_captions.bulk.run import Worker
from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.results.stamp import Stamp

ray = pytest.importorskip("ray", reason="no ray; it has wheels for Python 3.11 to 3.14 only")
COPIES = 3  # of each example photo


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """A folder of photos, one of which cannot be read."""
    folder = tmp_path_factory.mktemp("bulk") / "photos"
    folder.mkdir()
    for copy in range(COPIES):
        for photo in examples.glob("*.jpg"):
            shutil.copy(photo, folder / f"{copy}_{photo.name}")
    (folder / "broken.jpg").write_text("no photo")
    return folder


# --- listing -----------------------------------------------------------------------------------


def test_folders_lists_and_addresses_give_the_same_photos(photos: Path, tmp_path: Path) -> None:
    (photos / "notes.md").touch()
    (photos / ".hidden.jpg").touch()
    names = sorted(path.name for path in photos.glob("*.jpg") if path.name[0] != ".")
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{photos / name}\n\n" for name in names))
    by_folder, by_list, by_address = (
        list_photos([text]) for text in (str(photos), str(listed), photos.as_uri())
    )
    assert by_folder.equals(by_list) and len(by_folder) == len(names)
    assert by_folder["file"].to_pylist() == [str(photos / name) for name in names]
    assert by_address["file"].to_pylist() == [(photos / name).as_uri() for name in names]
    assert by_address["size"].equals(by_folder["size"])
    np.testing.assert_allclose(by_address["mtime"], by_folder["mtime"])
    assert len(list_photos([str(photos), str(photos / names[0]), str(listed)])) == len(names)
    for source in (str(photos / names[0]), (photos / names[0]).as_uri()):
        assert read_bytes(source) == (photos / names[0]).read_bytes()


@pytest.mark.parametrize("name", ["a photo.jpg", "100%.jpg", "#1.jpg", "what?.jpg", "größe.jpg"])
def test_an_address_leads_to_photos_of_any_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "my photos"
    folder.mkdir()
    (folder / name).write_bytes(b"photo")
    for address in (folder.as_uri(), f"{folder.as_uri()}/?option=1"):
        (row,) = list_photos([address]).to_pylist()
        assert row["file"] == f"{folder.as_uri()}/{name}"
        assert read_bytes(row["source"].decode()) == b"photo"
        assert row["source"].decode().endswith("?option=1") == ("?option=1" in address)


def test_lists_as_windows_and_odd_names_have_them(tmp_path: Path) -> None:
    names = ["first.jpg", "two\u2028lines.jpg"]
    listed = tmp_path / "list.txt"
    listed.write_bytes("\r\n".join(names).encode("utf-8-sig"))
    assert list_photos([str(listed)])["file"].to_pylist() == names


def test_what_cannot_be_listed_or_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        list_photos(["nowhere://photos"])
    with pytest.raises(InputError, match="no such file"):
        list_photos([str(tmp_path / "list.txt")])
    with pytest.raises(PhotoError, match="no such file"):
        read_bytes(str(tmp_path / "a.jpg"))
    with pytest.raises(PhotoError, match="no file"):
        read_bytes(str(tmp_path))


# --- the checkpoint ----------------------------------------------------------------------------


def record(path: Path, **answer: Any) -> dict[str, Any]:
    stamp = Stamp.of(path)
    return {"file": str(path), "size": stamp.size, "mtime": stamp.mtime, **answer}


def test_parts_know_what_is_done(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.jpg" for name in "abcde"]
    for path in paths:
        path.write_bytes(b"photo")
    parts = Parts(str(tmp_path / "out"), FORMATS.schema())
    parts.write([record(path, faces=[]) for path in paths[:3]])
    parts.write([record(paths[3], error="no"), record(paths[0], faces=[])])
    (tmp_path / "out" / "part-torn.parquet").write_bytes(b"PAR1 and no end")
    paths[1].write_bytes(b"changed")
    assert parts.settle(list_photos([str(tmp_path)])) == {str(paths[0]), str(paths[2])}
    assert parts.counts() == (2, 0)
    rows = parquet.read_table(tmp_path / "out").to_pylist()
    assert sorted(row["file"] for row in rows) == [str(paths[0]), str(paths[2])]
    assert not (tmp_path / "out" / "part-torn.parquet").exists()
    assert parts.settle(list_photos([str(paths[4])])) == set()
    assert parts.counts() == (2, 0)  # photos that are not asked for stay
    with pytest.raises(InputError, match="expected the columns"):
        Parts(str(tmp_path / "out"), pa.schema([("file", pa.string())])).settle(
            list_photos([str(tmp_path)])
        )


def test_what_a_killed_run_was_writing_disturbs_no_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(table: pa.Table, file: str, filesystem: Any, **rest: Any) -> None:
        with filesystem.open_output_stream(file) as stream:
            stream.write(b"PAR1 and no end")
        raise KeyboardInterrupt

    parts = Parts(str(tmp_path), FORMATS.schema())
    parts.write([record(tmp_path / "a.jpg", faces=[])])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(parquet, "write_table", killed)
        parts.write([record(tmp_path / "b.jpg", faces=[])])
    assert len(list(tmp_path.iterdir())) == 2
    assert parquet.read_table(tmp_path).num_rows == 1
    parts.settle(list_photos([]))
    assert len(list(tmp_path.iterdir())) == 1


class Sizes:
    """A stand-in for a model: the photos' sizes, and no answer to an empty one."""

    batch = 8

    def read(self, photo: bytes) -> int:
        if not photo:
            raise PhotoError("The file is empty.")
        return len(photo)

    def handle(self, photos: list[int]) -> list[dict[str, Any]]:
        return [{"width": size, "faces": []} for size in photos]


def test_a_block_becomes_a_file_with_errors_and_again_the_same_file(tmp_path: Path) -> None:
    for size in range(5):
        (tmp_path / f"{size}.jpg").write_bytes(b"x" * size)
    photos = list_photos([str(tmp_path), str(tmp_path / "missing.jpg")])
    parts = Parts(str(tmp_path / "out"), FORMATS.schema())
    worker = Worker(Sizes, parts)
    for _ in range(2):
        assert worker(photos).to_pylist() == [{"done": 6, "failed": 2}]
        (file,) = (tmp_path / "out").iterdir()
        rows = {Path(row["file"]).stem: row for row in parquet.read_table(file).to_pylist()}
        assert [rows[name]["width"] for name in "01234"] == [None, 1, 2, 3, 4]
        assert rows["0"]["error"] == "The file is empty."
        assert rows["missing"]["error"].startswith("There is no such file")
        assert rows["3"]["error"] is None and rows["3"]["size"] == 3
    assert parts.settle(photos) == {str(tmp_path / f"{size}.jpg") for size in range(1, 5)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["IN"], "--output"),
        (["EMPTY", "--output", "OUT"], "no photos in"),
        (["IN", "--output", "OUT", "--block", "0"], "1 or more"),
        (["IN", "--output", "OLD"], "--resume goes on"),
        (["nowhere://x", "--output", "OUT"], "cannot be listed"),
    ],
)
@pytest.mark.parametrize("command", [facial_keypoints.bulk, captioning.bulk])
def test_wrong_usage(
    command: Any,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    for name in ("empty", "old"):
        (tmp_path / name).mkdir()
    (tmp_path / "old" / "part-1.parquet").touch()
    names = {"IN": photos, "EMPTY": tmp_path / "empty", "OLD": tmp_path / "old"}
    names["OUT"] = tmp_path / "out"
    with pytest.raises(SystemExit) as leaving:
        command.main([str(names.get(part, part)) for part in arguments])
    assert leaving.value.code == 2 and said in capsys.readouterr().err
