"""What visitors' browsers fetch to find faces themselves: engine, networks, scripts.

Three groups, each with an address of its own that changes with the contents, so that browsers may
keep every file for good: new scripts do not fetch the networks anew.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from keypoints_captions.files import shipped
from web.device.bundle import write_bundles
from web.device.compression import compressed_size, digest
from web.device.engine import PROCESSOR_FILES, engine_files
from web.device.examples import PHOTOS

ASSETS = Path(__file__).resolve().parents[2] / "assets"
#: The networks and what is to be known about them; `python -m train.export` writes them.
PRECISE_FILE = "facial_keypoints.onnx"
MODEL_FILES: tuple[str, ...] = ("face_detector.onnx", PRECISE_FILE, "constants.json")
#: The same in 8 bits, for cameras; weights of one's own may come without.
QUICK_FILE = "facial_keypoints_int8.onnx"
#: Name of a script that browsers fetch -> modules of assets/ that it is made of, with those that
#: they import.
PAGE_SCRIPT = "page.js"
_BUNDLES = {
    PAGE_SCRIPT: ("live/live.js", "device/photo/keep.js", "device/photo/photo.js"),
    "device/worker.js": ("device/worker.js",),
    "device/helper.js": ("device/helper.js",),
}
#: Of assets/, and what is handed out of them besides.
_PICTURES = (
    "filters/*.png",
    *(f"examples/{name}" for name in PHOTOS),
)


@dataclass(frozen=True)
class Group:
    """Files that are handed out together.

    name: of the group. files: path below the group's address -> the file.
    """

    name: str
    files: Mapping[str, Path]

    @cached_property
    def version(self) -> str:
        """Of names and contents, hexadecimal."""
        facts = "".join(f"{name} {digest(file)}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    @property
    def address(self) -> str:
        """Relative to the page, with a slash at its end."""
        return f"device/{self.name}/{self.version}/"


@dataclass(frozen=True)
class DeviceFiles:
    """The three groups, and why they are not enough, if they are not."""

    engine: Group
    models: Group
    scripts: Group

    @property
    def groups(self) -> dict[str, Group]:
        """By name."""
        return {group.name: group for group in (self.engine, self.models, self.scripts)}

    @property
    def missing(self) -> str:
        """A sentence on what keeps faces from being found in the browser; empty where nothing
        does."""
        if not set(PROCESSOR_FILES) <= self.engine.files.keys():
            return (
                "The engine that runs the networks in the browser is not installed on this "
                "server (python -m web.device installs it)."
            )
        lacking = [name for name in MODEL_FILES if name not in self.models.files]
        if lacking:
            names = " and no ".join(lacking)
            return f"The weights here have no {names} for browsers (see python -m train.export)."
        return ""

    @property
    def megabytes(self) -> int:
        """What a browser fetches before it finds a face of its camera, compressed, in whole
        megabytes."""
        networks = dict(self.models.files)
        if QUICK_FILE in networks:
            networks.pop(PRECISE_FILE, None)
        engine = [file for name, file in self.engine.files.items() if name in PROCESSOR_FILES]
        return round(sum(map(compressed_size, [*engine, *networks.values()])) / 1e6)

    def describe(self) -> dict[str, str | int]:
        """For the page's scripts: each group's address, `missing` and `megabytes`."""
        return {
            **{name: group.address for name, group in self.groups.items()},
            "missing": self.missing,
            "megabytes": self.megabytes,
        }


def device_files(weights: str | os.PathLike[str] | None = None) -> DeviceFiles:
    """What there is now.

    weights: a folder; the project's own by default. Weights of the Hugging Face Hub are not looked
        for: there are no networks for browsers then.
    """
    folder = shipped("weights") if weights is None else Path(weights)
    names = (*MODEL_FILES, QUICK_FILE)
    models = {name: folder / name for name in names if _is_current(folder / name)}
    scripts = write_bundles(ASSETS, _BUNDLES) | {
        file.relative_to(ASSETS).as_posix(): file
        for pattern in _PICTURES
        for file in sorted(ASSETS.glob(pattern))
    }
    return DeviceFiles(
        Group("engine", engine_files()), Group("models", models), Group("scripts", scripts)
    )


def _is_current(file: Path) -> bool:
    """Whether the file is there and, if it is a network, was made of the weights beside it."""
    if not file.is_file() or file.suffix != ".onnx":
        return file.is_file()
    try:
        pair = file.with_name(f"{file.stem.removesuffix('_int8')}.json")
        facts = json.loads(pair.read_text(encoding="utf-8"))
        return bool(facts["onnx"][file.stem]["sha256"] == digest(file))
    except (OSError, ValueError, KeyError, TypeError):
        return False
