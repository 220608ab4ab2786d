"""The page's own folder: for visitors' files, and for scripts where nothing else can be written."""

import os
import tempfile
from functools import cache
from pathlib import Path


@cache
def own_folder() -> Path:
    """A folder in the system's temporary folder, readable by this user only.

    It is the same after a restart, so that what a killed process left is found again. It is
    found once: later the page's temporary files lie inside it (`use_own_folders`).
    """
    place = Path(tempfile.gettempdir())
    name = f"photo-page-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    folder = place / name
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(folder):
            raise PermissionError(folder)
        folder.chmod(0o700)
    except OSError:  # the name belongs to another user
        earlier = sorted(filter(_is_ours, place.glob(f"{name}-*")))
        return earlier[0] if earlier else Path(tempfile.mkdtemp(prefix=f"{name}-"))
    return folder


def _is_ours(folder: Path) -> bool:
    ours = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
    return ours and folder.is_dir() and not folder.is_symlink()
