"""How much memory reading a photo takes, in a process of its own (Linux)."""

import re
import subprocess
import sys
from pathlib import Path

from train.benchmark.running_app import ROOT

_READ = """
import sys
from keypoints_captions.photos.reader import PhotoError, read_photo
from tests.bad_input.memory import of_this_process, reset_peak
reset_peak()
before = of_this_process("VmRSS")
for name in sys.stdin.read().split("\\n"):
    try:
        print("read", *read_photo(name).shape, end=" ")
    except PhotoError as error:
        print("refused", end=" ")
print(of_this_process("VmHWM") - before)
"""
_CLEAR = Path("/proc/self/clear_refs")


def peak_of_reading(*paths: Path) -> tuple[str, float]:
    """What became of the last of these files, "read …" or "refused", and the most memory in MB
    that reading all of them, one after the other, took above what the process had before."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _READ],
        cwd=ROOT,
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
    )
    result, peak = run.stdout.rsplit(" ", 1)
    return result[max(result.rfind("read"), result.rfind("refused")) :], float(peak)


def of_this_process(entry: str) -> float:
    """VmRSS (now) or VmHWM (the most since `reset_peak`), in MB."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{entry}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def reset_peak() -> None:
    """From here on, VmHWM counts anew."""
    _CLEAR.write_text("5")
