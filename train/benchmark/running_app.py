"""Starting the page as a user does, for tests, screenshots and benchmarks."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Debian's browser; Playwright's own is not downloaded. None where there is none. The headless
#: shell is the same engine without a desktop's windows, and opens the page with half the work.
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, _BROWSERS)), None)
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM_ARGUMENTS += ["--disable-component-update", "--disable-sync", "--no-first-run"]
CHROMIUM_ARGUMENTS += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
START_LIMIT = 180  # seconds; a few where nothing else runs


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_app(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """`python app.py` from another folder, its output in `folder`/log and uploads beside it.

    variables: of the environment, besides those of this process.
    """
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "uploads"), **variables}
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def app_process(folder: Path) -> Iterator[tuple[int, str]]:
    """The process id and the address of a page that runs until the end of the `with`."""
    app = start_app(folder, "--port", str(free_port()))
    try:
        yield app.pid, printed_address(app, folder / "log")
    finally:
        app.terminate()
        try:
            app.wait(timeout=20)
        except subprocess.TimeoutExpired:
            app.kill()


def process_memory(process: int, entry: str = "VmRSS") -> float:
    """An entry of a process's status in MiB: VmRSS is now, VmHWM the most so far (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{entry}:")[2].split()[0]) / 1024


def printed_address(app: subprocess.Popen[bytes], log: Path) -> str:
    """The address that a page prints in its log as soon as it is up.

    Raises:
        RuntimeError: it ended before, or took longer than `START_LIMIT`.
    """
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and app.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("Open http"):
                return line.split()[1]
        time.sleep(0.1)
    raise RuntimeError(f"the page did not start:\n{log.read_text()}")
