"""Results that survive: JSON lines and Parquet, killed at any moment and gone on with."""

import argparse
import builtins
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from facial_keypoints.export import FORMATS as KEYPOINT_FORMATS
from facial_keypoints.export import Record
from keypoints_captions.results import journal as journal_module
from keypoints_captions.results import parquet as parquet_module
from keypoints_captions.results.formats import Entry, Formats, json_list
from keypoints_captions.results.journal import Journal, ResultsError
from keypoints_captions.results.output import Results
from keypoints_captions.results.parquet import journal_of, with_stamp
from keypoints_captions.results.stamp import Stamp
from tests.synthetic_faces import make_face

ROOT = Path(__file__).parent.parent
FORMATS: Formats[Entry] = Formats(
    texts={"json": json_list(json.dumps)},
    entry=lambda entry: entry,
    answer="faces",
    schema=lambda: with_stamp([("faces", pa.list_(pa.int64()))]),
)
KEPT = ["jsonl", "parquet"]


def make_photos(folder: Path, count: int = 6) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    photos = [folder / f"{number:03}.jpg" for number in range(count)]
    for photo in photos:
        photo.write_bytes(b"photo")
    return photos


def results(output: Path | None, photos: list[Path], resume: bool = True, form: str = "") -> Any:
    form = form or ("parquet" if output and output.suffix == ".parquet" else "jsonl")
    return Results(argparse.ArgumentParser(), FORMATS, form, output, photos, resume)


def add_all(into: Results[Entry], fail: str = "") -> list[str]:
    """Gives every remaining photo a record; returns their names."""
    with into.adding() as add:
        for path in into.remaining:
            answer = {"error": "no"} if path.stem == fail else {"faces": [int(path.stem)]}
            add({"file": str(path), **answer}, Stamp.of(path))
    return [path.name for path in into.remaining]


def read(output: Path) -> list[Entry]:
    if output.suffix == ".parquet":
        return parquet.read_table(output).to_pylist()
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.fixture(params=KEPT)
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"out.{request.param}"


def test_each_record_is_there_at_once(output: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in")
    growing = journal_of(output) if output.suffix == ".parquet" else output
    into = results(output, photos)
    with into.adding() as add:
        for number, path in enumerate(photos, 1):
            add({"file": str(path), "faces": [number]}, Stamp.of(path))
            assert len(read(growing)) == number
    entries = read(output)
    assert [entry["faces"] for entry in entries] == [[n] for n in range(1, 7)]
    assert {(e["size"], e["mtime"]) for e in entries} == {
        (5, photo.stat().st_mtime) for photo in photos
    }
    assert list(tmp_path.glob("out*")) == [output]


def test_resume_does_what_is_missing_new_changed_or_failed(output: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in")
    assert len(add_all(results(output, photos[:5]), fail="003")) == 5
    photos[1].write_bytes(b"another photo")
    os.utime(photos[2], (1, 1))
    photos[4].unlink()  # not asked for again: its record stays
    del photos[4]
    assert add_all(results(output, photos)) == ["001.jpg", "002.jpg", "003.jpg", "005.jpg"]
    entries = {Path(entry["file"]).name: entry for entry in read(output)}
    assert len(read(output)) == len(entries) == 6
    assert entries["001.jpg"]["size"] == 13 and entries["002.jpg"]["mtime"] == 1
    assert not entries["003.jpg"].get("error")
    assert add_all(results(output, photos)) == []
    assert len(read(output)) == 6


def test_a_photo_is_known_by_any_of_its_paths(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = make_photos(tmp_path / "in")
    add_all(results(output, photos))
    monkeypatch.chdir(tmp_path / "in")
    assert results(output, [Path("000.jpg"), Path("../in/001.jpg")]).remaining == []


def test_half_a_last_line_is_repaired(tmp_path: Path) -> None:
    output, photos = tmp_path / "out.jsonl", make_photos(tmp_path / "in")
    add_all(results(output, photos))
    whole = output.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in (last, last + 1, len(whole) - 1):
        output.write_bytes(whole[:cut])
        assert add_all(results(output, photos)) == ["005.jpg"]
        assert output.read_bytes() == whole


def test_a_run_ended_between_its_last_steps_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Parquet file is there, and the journal it was made from is, too."""
    output, photos = tmp_path / "out.parquet", make_photos(tmp_path / "in")
    add_all(results(output, photos[:3]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        add_all(results(output, photos))
    assert journal_of(output).exists() and len(read(output)) == 6
    assert add_all(results(output, photos)) == []
    assert Counter(Path(e["file"]).name for e in read(output)) == {p.name: 1 for p in photos}
    assert not journal_of(output).exists()


def test_windows_replaces_no_open_file(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[IO[Any]] = []
    really_open = open

    def noted_open(*arguments: Any, **ways: Any) -> IO[Any]:
        opened.append(really_open(*arguments, **ways))
        return opened[-1]

    def replace(source: Path, target: Path) -> None:
        held = {os.path.realpath(file.name) for file in opened if not file.closed}
        if {os.path.realpath(source), os.path.realpath(target)} & held:
            raise PermissionError(13, "The process cannot access the file")
        os.rename(source, target)

    monkeypatch.setattr(journal_module, "fcntl", None)
    monkeypatch.setattr(builtins, "open", noted_open)
    monkeypatch.setattr(os, "replace", replace)
    photos = make_photos(tmp_path / "in")
    add_all(results(output, photos), fail="002")
    assert add_all(results(output, photos)) == ["002.jpg"]
    assert sorted(row["file"] for row in read(output)) == [str(path) for path in photos]


def test_a_failing_run_keeps_what_it_had(output: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in")
    into = results(output, photos)
    with pytest.raises(OSError, match="full"), into.adding() as add:
        add({"file": str(photos[0]), "faces": [0]}, Stamp.of(photos[0]))
        raise OSError("disk full")
    assert add_all(results(output, photos)) == [path.name for path in photos[1:]]
    assert len(read(output)) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"file": "a.jpg", "captions": []}\n', 'expected a record with "file" and "faces"'),
        (b"my notes\nof a year\n", "line 1: expected a record"),
    ],
)
def test_other_files_are_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    output = tmp_path / "notes"
    output.write_bytes(content)
    for form, resume, words in [
        ("jsonl", True, said),
        ("jsonl", False, "--resume goes on with them"),
        ("parquet", True, "expected a Parquet file"),
    ]:
        with pytest.raises(SystemExit) as leaving:
            results(output, make_photos(tmp_path / "in"), resume, form)
        assert leaving.value.code == 2 and words in capsys.readouterr().err
        assert output.read_bytes() == content


def test_parquet_goes_to_files_only(capsys: pytest.CaptureFixture[str]) -> None:
    for output in (None, Path(os.devnull)):
        with pytest.raises(SystemExit):
            results(output, [Path("a.jpg")], form="parquet")
        assert "needs --output FILE" in capsys.readouterr().err


def test_parquet_of_other_columns_is_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.parquet"
    parquet.write_table(pa.table({"file": ["a"], "captions": ["b"]}), output)
    with pytest.raises(SystemExit):
        results(output, make_photos(tmp_path / "in"))
    assert "expected the columns file, faces, error" in capsys.readouterr().err


def test_two_runs_do_not_write_to_one_file(output: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in")
    first = results(output, photos)
    with pytest.raises(SystemExit):
        results(output, photos)
    add_all(first)
    add_all(results(output, [*photos, *make_photos(tmp_path / "more", 1)]))
    assert len(read(output)) == 7


def test_the_lock_holds_after_lines_were_dropped(tmp_path: Path) -> None:
    output, photos = tmp_path / "out.jsonl", make_photos(tmp_path / "in")
    add_all(results(output, photos), fail="002")
    journal = Journal(output, "faces")
    assert len(journal.resume(photos)) == 5
    with pytest.raises(ResultsError, match="another run"):
        Journal(output, "faces")
    journal.close()


def test_missing_pyarrow_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SystemExit):
        results(tmp_path / "out.parquet", make_photos(tmp_path / "in"))
    assert 'pip install "keypoints-captions[bulk]"' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        results(None, [], form="parquet")
    assert "needs --output FILE" in capsys.readouterr().err


def test_names_that_are_no_utf8_survive(output: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    photo = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff.jpg"))
    photo.write_bytes(b"photo")
    into = results(output, [photo])
    with into.adding() as add:
        add({"file": str(photo), "faces": [1]}, Stamp.of(photo))
    if output.suffix == ".parquet":
        assert read(output)[0]["file"].endswith(r"/\xff.jpg")
    else:
        assert read(output)[0]["file"] == str(photo)


def test_parquet_has_the_values_of_json(tmp_path: Path) -> None:
    records = [
        Record(file="a.jpg", width=9, height=8, faces=[make_face(), make_face(width=33.3)]),
        Record(file="b.jpg", width=9, height=8, faces=[]),
        Record(file="c.jpg", error="The file is empty."),
    ]
    entries = [KEYPOINT_FORMATS.entry(record) for record in records]
    parquet_module._write(tmp_path / "a.parquet", KEYPOINT_FORMATS.schema(), entries)
    found = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    for row in found:
        assert [row.pop(name) for name in ("size", "mtime")] == [None, None]
        assert [face.pop("crop") for face in row["faces"] or []] == [None] * len(row["faces"] or [])
    assert [{k: v for k, v in row.items() if v is not None} for row in found] == entries


def test_text_replaces_the_file_at_the_end_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, photos = tmp_path / "out.json", make_photos(tmp_path / "in")
    output.write_text("old")
    into = results(output, photos, resume=False, form="json")
    with into.adding() as add:
        add({"file": "a", "faces": []}, Stamp(None, None))
        assert output.read_text() == "old"
    assert json.loads(output.read_text()) == [{"file": "a", "faces": []}]
    with results(None, photos, resume=False).adding() as add:
        add({"file": "a", "faces": []}, Stamp(None, None))
        assert capsys.readouterr().out == '{"file": "a", "faces": []}\n'


# --- killed ------------------------------------------------------------------------------------

COMMAND = """
import argparse, signal, sys, time
from pathlib import Path
from keypoints_captions.command_line import exit_with
from keypoints_captions.photo_run import process_photos
from keypoints_captions.photos.paths import find_photos
from keypoints_captions.results.output import Results
from keypoints_captions.results.formats import Formats
from keypoints_captions.results.parquet import with_stamp

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind a shell

def schema():
    import pyarrow
    return with_stamp([("faces", pyarrow.list_(pyarrow.int64()))])

FORMATS = Formats({}, lambda entry: entry, "faces", schema)

def handle(batch):
    time.sleep(0.002)
    return batch

def main():
    form, output, photos = sys.argv[1], Path(sys.argv[2]), find_photos([sys.argv[3]])
    results = Results(argparse.ArgumentParser(), FORMATS, form, output, photos, True)
    with results.adding() as add:
        keep = lambda o, stamp: add({"file": str(o.path), "faces": [int(o.result)]}, stamp)
        return process_photos(
            results.remaining, lambda path: path.stem, handle, keep, workers=1
        ).exit_code

exit_with(main)
"""


def started(output: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, output.suffix[1:], str(output), str(folder)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )


def killed_at(output: Path, folder: Path, sizes: Iterator[int]) -> None:
    """Starts the command and kills it once its file has grown by so many bytes."""
    growing = journal_of(output) if output.suffix == ".parquet" else output
    goal = next(sizes) + (growing.stat().st_size if growing.exists() else 0)
    with started(output, folder) as process:
        while process.poll() is None and (not growing.exists() or growing.stat().st_size < goal):
            time.sleep(0.0005)
        process.kill()


def test_killed_at_random_moments_every_photo_comes_once(output: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in", 300)
    draw = random.Random(output.suffix)
    sizes = iter(lambda: draw.randrange(1, 6000), None)
    for _ in range(3):
        killed_at(output, tmp_path / "in", sizes)
        growing = journal_of(output) if output.suffix == ".parquet" else output
        with open(growing, "ab") as file:  # as if the power had gone, too
            file.write(b'{"file": "' if draw.random() < 0.5 else b"")
    assert 3 <= growing.read_bytes().count(b"\n") < len(photos)
    with started(output, tmp_path / "in") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    entries = read(output)
    assert Counter(entry["file"] for entry in entries) == Counter(map(str, photos))
    assert all(entry["faces"] == [int(Path(entry["file"]).stem)] for entry in entries)


def test_ctrl_c_writes_what_is_done_and_leaves_with_130(output: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in", 2000)
    growing = journal_of(output) if output.suffix == ".parquet" else output
    with started(output, tmp_path / "in") as process:
        while not growing.exists() or growing.stat().st_size < 1000:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Interrupted" in errors and b"Traceback" not in errors
    names = [Path(entry["file"]).name for entry in read(output)]
    assert names == [photo.name for photo in photos[: len(names)]] and 5 < len(names) < 2000
