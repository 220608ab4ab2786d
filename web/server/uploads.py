"""Where visitors' files lie for some minutes, and that they do not lie there longer."""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_GRADIO = "GRADIO_TEMP_DIR"  # the environment variable by which Gradio is told its folder


def use_own_folders() -> list[Path]:
    """The folders of uploads and of what else this process writes for a while; call it before the
    page is built.

    They can be read by this user only, and are the same after a restart, so that what a killed
    process left behind is deleted too. Where GRADIO_TEMP_DIR is set, uploads lie there, and it
    is the only one.
    """
    if os.environ.get(_GRADIO):
        folders = [Path(os.environ[_GRADIO])]
    else:
        uploads, work = folders = [_own_folder() / name for name in ("uploads", "work")]
        os.environ[_GRADIO] = str(uploads)
        tempfile.tempdir = str(work)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def delete_regularly(folders: Sequence[Path], every: float, age: float) -> None:
    """Calls `delete_older` now and from then on, in a thread that ends with the process; seconds.

    Gradio deletes what it knows of; this is for the rest: uploads broken off, empty folders, what
    a process before this one left.
    """

    def repeat() -> None:
        while True:
            for folder in folders:
                delete_older(folder, age)
            time.sleep(every)

    threading.Thread(target=repeat, daemon=True, name="delete-uploads").start()


def delete_older(folder: Path, age: float) -> None:
    """Deletes files below the folder that nobody wrote for `age` seconds, and folders that are
    empty for as long."""
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


def _own_folder() -> Path:
    """A folder in the system's temporary one, with a name that stays, readable by this user."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir(), f"photo-page-{user}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if folder.is_symlink() or (isinstance(user, int) and status.st_uid != user):
            raise PermissionError(folder)
        folder.chmod(0o700)
    except OSError:  # somebody else took the name
        return Path(tempfile.mkdtemp(prefix="photo-page-"))
    return folder


def _changed(path: Path) -> float:
    """When it came here or was last written; infinity where it is gone."""
    try:
        return path.lstat().st_ctime
    except OSError:
        return float("inf")
