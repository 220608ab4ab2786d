"""What both command lines share, with stand-ins for the models."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from keypoints_captions import batches
from keypoints_captions.batches import Outcome
from keypoints_captions.command_line import (
    add_photo_arguments,
    check_output_file,
    exit_with,
    make_results_folder,
)
from keypoints_captions.photo_run import Run, process_photos
from keypoints_captions.photos.paths import find_photos
from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.results.output import write_result

ROOT = Path(__file__).parent.parent


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


# --- finding photos ---------------------------------------------------------------------------


def test_folders_are_searched_sorted_and_by_suffix(tmp_path: Path) -> None:
    wanted = touch(tmp_path, "a/b/deep.HEIC", "a/c.webp", "b.JPG", "z.png")
    touch(tmp_path, "notes.txt", "a/x.json", "noname", ".hidden.jpg", ".cache/thumb.jpg", "jpg")
    assert find_photos([tmp_path]) == wanted


def test_files_come_as_given_and_once(tmp_path: Path) -> None:
    b, a = touch(tmp_path, "b.txt", "a.jpg")
    missing = tmp_path / "missing.jpg"
    assert find_photos([b, missing, a, str(a), tmp_path]) == [b, missing, a]


def test_the_folder_of_earlier_results_is_skipped(tmp_path: Path) -> None:
    photo, _ = touch(tmp_path, "photo.jpg", "overlays/photo.jpg")
    assert find_photos([tmp_path], skip=[tmp_path / "overlays", None]) == [photo]
    assert len(find_photos([tmp_path], skip=[tmp_path])) == 2  # given by name, so meant


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (photo,) = touch(tmp_path, "a/photo.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert find_photos([tmp_path]) == [photo]


# --- processing -------------------------------------------------------------------------------

PATHS = [Path(f"{n}.jpg") for n in range(10)]


def read_number(path: Path) -> int:
    return int(path.stem)


def double(numbers: list[int]) -> list[int]:
    return [2 * number for number in numbers]


class Kept(list[Outcome[Path, int]]):
    """Takes outcomes and tells their results."""

    def __call__(self, outcome: Outcome[Path, int], stamp: object) -> None:
        self.append(outcome)

    def results(self) -> list[int | None]:
        return [outcome.result for outcome in self]


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_results_come_in_order(batch_size: int, capsys: pytest.CaptureFixture[str]) -> None:
    def slow_read(path: Path) -> int:
        time.sleep(0.01 * (read_number(path) % 3))
        return read_number(path)

    kept = Kept()
    run = process_photos(PATHS, slow_read, double, kept, batch_size=batch_size)
    assert kept.results() == [2 * n for n in range(10)]
    assert [outcome.path for outcome in kept] == PATHS
    assert run.exit_code == 0 and not run.interrupted
    out, err = capsys.readouterr()
    assert out == "" and "10/10" in err and "photos/s" in err and "left" in err


def test_no_paths_are_no_error() -> None:
    assert process_photos([], read_number, double, Kept()) == Run()


@pytest.mark.parametrize("batch_size", [1, 4])
def test_unreadable_photos_stop_nothing(
    batch_size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(path: Path) -> int:
        if path.stem in "049":
            raise PhotoError("The file is empty.") if path.stem != "4" else MemoryError("4 GB")
        return read_number(path)

    kept = Kept()
    run = process_photos(PATHS, read, double, kept, batch_size=batch_size)
    assert kept.results() == [None, 2, 4, 6, None, 10, 12, 14, 16, None]
    assert kept[0].error == "The file is empty."
    assert "MemoryError: 4 GB" in str(kept[4].error)
    assert run.exit_code == 1
    err = capsys.readouterr().err
    assert "0.jpg: The file is empty." in err and "9.jpg: The file is empty." in err


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_failing_model_takes_no_other_photo_along(batch_size: int) -> None:
    def handle(numbers: list[int]) -> list[int]:
        if 5 in numbers:
            raise RuntimeError("cannot do 5")
        return double(numbers)

    kept = Kept()
    run = process_photos(PATHS, read_number, handle, kept, batch_size=batch_size)
    assert kept.results() == [None if n == 5 else 2 * n for n in range(10)]
    assert "RuntimeError: cannot do 5" in str(kept[5].error) and run.exit_code == 1


def test_a_wrong_number_of_results_is_an_error_of_the_photos() -> None:
    kept = Kept()
    process_photos(PATHS, read_number, lambda numbers: numbers[1:], kept, batch_size=5)
    assert all("expected 1 results, got 0" in str(outcome.error) for outcome in kept)


def test_photos_are_read_ahead_but_not_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "READERS", 2)
    read: list[int] = []
    second_read = threading.Event()

    def note(path: Path) -> int:
        read.append(read_number(path))
        if len(read) > 1:
            second_read.set()
        return read_number(path)

    most_ahead = 0

    def handle(numbers: list[int]) -> list[int]:
        nonlocal most_ahead
        assert second_read.wait(5)  # the next one is read while this one is handled
        time.sleep(0.005)
        most_ahead = max(most_ahead, max(read) - numbers[0])
        return numbers

    assert process_photos(PATHS, note, handle, Kept(), workers=1).exit_code == 0
    assert 1 <= most_ahead <= 5  # two batches of one in hand or next, two readers and the one taken


def test_ctrl_c_keeps_what_was_finished(capsys: pytest.CaptureFixture[str]) -> None:
    def handle(numbers: list[int]) -> list[int]:
        if numbers == [3]:
            raise KeyboardInterrupt
        return double(numbers)

    kept = Kept()
    run = process_photos(PATHS, read_number, handle, kept, workers=1)
    assert kept.results() == [0, 2, 4] and run.interrupted and run.exit_code == 130
    assert "3 of 10 photos were finished" in capsys.readouterr().err


# --- output -----------------------------------------------------------------------------------


def test_writing_to_a_file_or_standard_output(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = "Köln \udcff\n"
    output = tmp_path / "new" / "folder" / "out.json"
    write_result(text, output)
    assert output.read_bytes() == b"K\xc3\xb6ln \xff\n"
    write_result(text, None)
    assert capfdbinary.readouterr().out == output.read_bytes()


def test_arguments_and_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = argparse.ArgumentParser()
    add_photo_arguments(parser, ["json", "csv"])
    options = parser.parse_args(["a.jpg", "folder"])
    assert options.paths == [Path("a.jpg"), Path("folder")]
    assert options.format == "json" and options.output is None
    (photo, blocker) = touch(tmp_path, "photo.JPG", "file")
    with contextlib.suppress(FileExistsError):  # where capitals do not count, it is one already
        (tmp_path / "photo.jpg").hardlink_to(photo)
    check_output_file(parser, tmp_path / "made" / "out.json", [photo])
    assert (tmp_path / "made").is_dir()
    for output, said in [
        (tmp_path, "is a folder"),
        (tmp_path / "made" / ".." / "photo.JPG", "overwrite a photo"),
        (tmp_path / "photo.jpg", "overwrite a photo"),
        (blocker / "out.json", "cannot be made"),
    ]:
        with pytest.raises(SystemExit) as caught:
            check_output_file(parser, output, [photo])
        assert caught.value.code == 2 and said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        stems = {photo: Path("photo")}
        make_results_folder(parser, "--overlay", tmp_path, stems, lambda f, s: f / f"{s}.jpg")
    assert f"--overlay {tmp_path} would overwrite {photo}" in capsys.readouterr().err
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as /dev is to most users
    check_output_file(parser, Path(os.devnull), [photo])


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize(
    "main, code",
    [
        (lambda: 0, 0),
        (lambda: 1, 1),
        (raising(KeyboardInterrupt()), 130),
        (raising(OSError(28, "No space left on device")), 1),
    ],
)
def test_exit_codes(main: Callable[[], int], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        exit_with(main)
    assert caught.value.code == code
    assert "Traceback" not in capsys.readouterr().err


def test_closed_streams_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def main() -> int:
        write_result("result", None)
        return process_photos([Path("a.jpg")], str, list, lambda *_: None).exit_code

    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with pytest.raises(SystemExit) as caught:
        exit_with(main)
    assert caught.value.code == 0


def start(script: str, *arguments: str, unbuffered: bool = False) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1" if unbuffered else ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


LONG_OUTPUT = """
from keypoints_captions.command_line import exit_with
from keypoints_captions.results.output import write_result
exit_with(lambda: write_result("photo\\n" * 1_000_000, None) or 0)
"""


@pytest.mark.parametrize("unbuffered", [False, True])
def test_long_output_reaches_a_slow_reader(unbuffered: bool) -> None:
    with start(LONG_OUTPUT, unbuffered=unbuffered) as process:
        assert process.stdout is not None
        time.sleep(0.1)
        assert len(process.stdout.read()) == 6_000_000
        assert process.wait(10) == 0


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_closed_pipe_is_no_traceback(unbuffered: bool) -> None:
    with start(LONG_OUTPUT, unbuffered=unbuffered) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(6) == b"photo\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 141


def test_a_real_ctrl_c(tmp_path: Path) -> None:
    script = """
import signal, sys, time
from pathlib import Path
from keypoints_captions.command_line import exit_with
from keypoints_captions.photo_run import process_photos
from keypoints_captions.results.output import write_result

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind a shell

def handle(batch):
    if batch == ["2"]:
        Path(sys.argv[1], "ready").touch()
        time.sleep(1)
    return batch

def main():
    kept = []
    paths = [Path(str(n)) for n in range(100)]
    run = process_photos(paths, str, handle, lambda outcome, _: kept.append(outcome), workers=1)
    write_result(" ".join(outcome.result for outcome in kept), Path(sys.argv[1], "out"))
    return run.exit_code

exit_with(main)
"""
    with start(script, str(tmp_path)) as process:
        deadline = time.monotonic() + 20
        while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None and b"Traceback" not in process.stderr.read()
    # The photo in hand is finished, and the one that was waiting behind it
    assert (tmp_path / "out").read_text().split() in (["0", "1", "2"], ["0", "1", "2", "3"])
