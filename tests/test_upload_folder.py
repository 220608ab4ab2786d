"""Visitors' files are deleted, whoever forgot them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from train.benchmark.running_app import ROOT
from web.server.uploads import delete_older, delete_regularly

SHOW = """
import os, tempfile
from web.server.uploads import use_own_folders
print(*use_own_folders(), os.environ["GRADIO_TEMP_DIR"], tempfile.gettempdir(), sep="\\n")
"""


def folders_used(**environment: str) -> list[str]:
    """What `use_own_folders` gives in a process of its own, then the two settings it makes."""
    rest = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}
    run = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env={**rest, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def test_old_files_and_empty_folders_go(tmp_path: Path) -> None:
    for name in ("a/photo.jpg", "b/c/photo.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"photo")
    time.sleep(0.3)
    (tmp_path / "b" / "new.jpg").write_bytes(b"photo")
    delete_older(tmp_path, 0.25)
    assert {path.name for path in tmp_path.rglob("*.jpg")} == {"new.jpg"}
    time.sleep(0.3)
    delete_older(tmp_path, 0.25)  # a folder counts from when its last file went
    assert not list(tmp_path.rglob("*.jpg"))
    time.sleep(0.3)
    delete_older(tmp_path, 0.25)
    assert tmp_path.is_dir() and not list(tmp_path.iterdir())


def test_a_link_goes_and_what_it_points_to_stays(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "kept.jpg").write_bytes(b"photo")
    (inside / "folder").symlink_to(outside)
    (inside / "file.jpg").symlink_to(outside / "kept.jpg")
    time.sleep(0.2)
    delete_older(inside, 0.1)
    assert (outside / "kept.jpg").exists() and not (inside / "file.jpg").is_symlink()


def test_it_is_done_again_and_again(tmp_path: Path) -> None:
    delete_regularly([tmp_path], every=0.05, age=0.1)
    for name in ("first.jpg", "second.jpg"):
        path = tmp_path / name
        path.write_bytes(b"photo")
        deadline = time.monotonic() + 20
        while path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not path.exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights are those of Unix")
def test_the_own_folder_is_closed_to_others_and_stays_the_same(tmp_path: Path) -> None:
    first = folders_used(TMPDIR=str(tmp_path))
    assert folders_used(TMPDIR=str(tmp_path)) == first
    uploads, work, gradio, temporary = map(Path, first)
    assert (uploads, work) == (gradio, temporary)
    assert uploads.is_dir() and work.is_dir() and uploads.parent.parent == tmp_path
    assert uploads.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights are those of Unix")
def test_a_name_that_somebody_took_is_not_used(tmp_path: Path) -> None:
    taken, elsewhere = tmp_path / f"photo-page-{os.getuid()}", tmp_path / "elsewhere"
    elsewhere.mkdir()
    taken.symlink_to(elsewhere)
    uploads = Path(folders_used(TMPDIR=str(tmp_path))[0])
    assert taken not in uploads.parents and not list(elsewhere.iterdir())
    assert uploads.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_was_chosen_is_used(tmp_path: Path) -> None:
    chosen = str(tmp_path / "chosen")
    folder, gradio, temporary = folders_used(GRADIO_TEMP_DIR=chosen)
    assert folder == gradio == chosen and Path(chosen).is_dir() and temporary != chosen
