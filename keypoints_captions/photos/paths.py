"""Paths of photos on the command line, and the names of their results."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from keypoints_captions.photos.reader import PHOTO_SUFFIXES


def find_photos(
    paths: Iterable[str | os.PathLike[str]], skip: Collection[Path | None] = ()
) -> list[Path]:
    """The photos that paths given by a user stand for, each once.

    Files come as given, whatever their name, and whether or not they exist: reading them will
    tell. Folders are searched with their subfolders for names ending in `PHOTO_SUFFIXES`, sorted;
    hidden files and folders are left out, and so are those in `skip`, where an earlier run's
    pictures lie.
    """
    found: dict[Path, None] = {}
    skipped = {os.path.realpath(folder) for folder in skip if folder is not None}
    for path in map(Path, paths):
        photos = _photos_under(path, skipped) if path.is_dir() else [path]
        found |= dict.fromkeys(photos)
    return list(found)


def _photos_under(folder: Path, skipped: set[str]) -> list[Path]:
    unreadable: list[Path] = []  # such folders go with the photos, to fail there and be reported
    photos = []
    walk = os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)))
    for parent, folders, names in walk:
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and os.path.realpath(os.path.join(parent, name)) not in skipped
        ]
        photos += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        ]
    return sorted(photos) + unreadable


def mirrored_names(photos: Sequence[Path], paths: Sequence[Path]) -> dict[Path, Path]:
    """Photo -> where its results go under any folder, without a suffix, no two the same.

    One folder given: the path within it. Several folders or files: the path within the folder
    that holds them all. Photos that differ in the suffix only keep it from the second one on, and
    names that would be the same on a file system that ignores case get a number.
    """
    within = names_within(paths)
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    for photo in photos:
        relative = within(photo)
        name, number = relative.with_suffix(""), 1
        while str(name).casefold() in taken:
            name = relative if number == 1 else Path(f"{relative}_{number}")
            number += 1
        taken.add(str(name).casefold())
        names[photo] = name
    return names


def names_within(paths: Sequence[Path]) -> Callable[[str | Path], Path]:
    """A function from a photo to its path within the folder given, or within the folder that holds
    all the folders and files given. On several drives of Windows, each is a folder: "C"."""
    tops = [os.path.abspath(path if path.is_dir() else path.parent) for path in paths]
    if len({os.path.splitdrive(top)[0].casefold() for top in tops}) > 1:
        return _within_drive
    common = os.path.commonpath(tops)
    return lambda photo: Path(os.path.relpath(os.path.abspath(photo), common))


def _within_drive(photo: str | Path) -> Path:
    drive, path = os.path.splitdrive(os.path.abspath(photo))
    return Path(drive.replace(":", "").strip("\\/"), path.lstrip("\\/"))
