"""How many files a folder holds; which may import which, `make lint` checks: see pyproject.toml."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LARGEST_FOLDER = 16


@pytest.mark.parametrize(
    "package", ["keypoints_captions", "facial_keypoints", "captioning", "web", "train"]
)
def test_folders_stay_small(package: str) -> None:
    folders = {file.parent for file in (ROOT / package).rglob("*.py")}
    assert folders
    for folder in folders:
        count = len(list(folder.glob("*.py")))
        assert count <= LARGEST_FOLDER, f"{folder.relative_to(ROOT)}: {count} files"
