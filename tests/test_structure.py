"""The order of the house: who may import whom, and how many files a folder holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Package -> the packages of this project that it may import.
ALLOWED = {
    "keypoints_captions": {"keypoints_captions"},
    "facial_keypoints": {"keypoints_captions", "facial_keypoints"},
    "captioning": {"keypoints_captions", "captioning"},
    "web": {"keypoints_captions", "facial_keypoints", "captioning", "web"},
    "train": {"keypoints_captions", "facial_keypoints", "captioning", "train"},
}
LARGEST_FOLDER = 16


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_down_only(package: str) -> None:
    own = {*ALLOWED, "tests", "app"}
    for file in (ROOT / package).rglob("*.py"):
        allowed = ALLOWED[package]
        if file.is_relative_to(ROOT / "train" / "benchmark"):
            allowed = allowed | {"web"}
        for module in imports(file):
            top = module.partition(".")[0]
            assert top not in own or top in allowed, f"{file.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("package", ["keypoints_captions", "facial_keypoints", "captioning"])
def test_the_libraries_do_not_know_the_web(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        for module in imports(file):
            top = module.partition(".")[0]
            assert top not in {"gradio", "starlette", "uvicorn", "fastapi"}, file.relative_to(ROOT)


def test_folders_stay_small() -> None:
    for package in ALLOWED:
        for folder in {file.parent for file in (ROOT / package).rglob("*.py")}:
            count = len(list(folder.glob("*.py")))
            assert count <= LARGEST_FOLDER, f"{folder.relative_to(ROOT)}: {count} files"
