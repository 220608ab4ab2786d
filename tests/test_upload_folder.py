"""Visitors' files are deleted, whoever forgot them."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from web.device import bundle
from web.device.bundle import write_bundles
from web.device.files import ASSETS
from web.own_folder import own_folder
from web.server.uploads import delete_older, delete_regularly, use_own_folders


@pytest.fixture
def folders_used(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Calls `use_own_folders` with these variables, as a new process would: what it gives, then the
    two settings that it makes, which end with the test."""

    def call(**environment: str) -> list[str]:
        own_folder.cache_clear()
        monkeypatch.setattr(tempfile, "tempdir", None)
        for name, value in {"GRADIO_TEMP_DIR": "", **environment}.items():
            monkeypatch.setenv(name, value)
        folders = use_own_folders()
        return [*map(str, folders), os.environ["GRADIO_TEMP_DIR"], tempfile.gettempdir()]

    yield call
    own_folder.cache_clear()


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
def test_the_own_folder_is_closed_to_others_and_stays_the_same(
    tmp_path: Path, folders_used: Callable[..., list[str]]
) -> None:
    first = folders_used(TMPDIR=str(tmp_path))
    assert folders_used(TMPDIR=str(tmp_path)) == first
    uploads, work, gradio, temporary = map(Path, first)
    assert (uploads, work) == (gradio, temporary)
    assert uploads.is_dir() and work.is_dir() and uploads.parent.parent == tmp_path
    assert uploads.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights are those of Unix")
def test_a_name_that_somebody_took_is_not_used(
    tmp_path: Path, folders_used: Callable[..., list[str]]
) -> None:
    taken, elsewhere = tmp_path / f"photo-page-{os.getuid()}", tmp_path / "elsewhere"
    elsewhere.mkdir()
    taken.symlink_to(elsewhere)
    uploads = Path(folders_used(TMPDIR=str(tmp_path))[0])
    assert taken not in uploads.parents and not list(elsewhere.iterdir())
    assert uploads.parent.stat().st_mode & 0o777 == 0o700
    # What a killed process left is found, and so deleted, by the next one.
    assert Path(folders_used(TMPDIR=str(tmp_path))[0]) == uploads


def test_a_folder_that_was_chosen_is_used(
    tmp_path: Path, folders_used: Callable[..., list[str]]
) -> None:
    chosen = str(tmp_path / "chosen")
    folder, gradio, temporary = folders_used(GRADIO_TEMP_DIR=chosen)
    assert folder == gradio == chosen and Path(chosen).is_dir() and temporary != chosen


def test_scripts_for_browsers_are_no_visitors_files(
    tmp_path: Path, folders_used: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(bundle.sys, "prefix", str(tmp_path / "file"))  # not to be written
    uploads, work, *_ = folders_used(TMPDIR=str(tmp_path))
    scripts = write_bundles(ASSETS, {"device/helper.js": ["device/helper.js"]})
    for folder in (uploads, work):
        delete_older(Path(folder), age=-60)  # an hour later
    assert scripts["device/helper.js"].is_file()
    folders_used(TMPDIR=str(tmp_path))  # after a restart they are the same, and no more of them
    assert write_bundles(ASSETS, {"device/helper.js": ["device/helper.js"]}) == scripts
