"""Visitors' files: the limit of their size, their folders, and the deletion of old ones."""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from facial_keypoints.video.codec import MAX_BYTES as MAX_CLIP_BYTES
from keypoints_captions.photos.reader import MAX_BYTES as MAX_PHOTO_BYTES
from web.own_folder import own_folder

#: Bytes of the largest file that is accepted; photos and clips have limits of their own.
MAX_UPLOAD = max(MAX_PHOTO_BYTES, MAX_CLIP_BYTES)
_GRADIO = "GRADIO_TEMP_DIR"  # environment variable: Gradio's folder for uploads


def use_own_folders() -> list[Path]:
    """Creates the folders of uploads and of temporary files and makes them the process's default;
    call it before the page is built.

    Only this user can read them. They are the same after a restart, so that files of a killed
    process are deleted too. Where GRADIO_TEMP_DIR is set, it is the only folder.
    """
    if os.environ.get(_GRADIO):
        folders = [Path(os.environ[_GRADIO])]
    else:
        uploads, work = folders = [own_folder() / name for name in ("uploads", "work")]
        os.environ[_GRADIO] = str(uploads)
        tempfile.tempdir = str(work)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def delete_regularly(folders: Sequence[Path], every: float, age: float) -> None:
    """Calls `delete_older` every so many seconds, in a thread that ends with the process.

    Gradio deletes the files that it knows of; this deletes the others: broken uploads, empty
    folders, files of an earlier process.
    """

    def repeat() -> None:
        while True:
            for folder in folders:
                delete_older(folder, age)
            time.sleep(every)

    threading.Thread(target=repeat, daemon=True, name="delete-uploads").start()


def delete_older(folder: Path, age: float) -> None:
    """Deletes files below the folder, and empty folders, that did not change for `age` seconds."""
    latest = time.time() - age
    for parent, folders, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent, name)
            if _changed(path) < latest:
                path.unlink(missing_ok=True)
        for name in folders:
            path = Path(parent, name)
            if _changed(path) < latest:
                try:
                    path.rmdir()
                except OSError:  # not empty, or gone already
                    continue


def _changed(path: Path) -> float:
    """Time of its last change; infinity where it is deleted."""
    try:
        return path.lstat().st_ctime
    except OSError:
        return float("inf")
