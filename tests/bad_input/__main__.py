"""`python -m tests.bad_input [--huge]`: the corpus through the photo reader, as Markdown."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from keypoints_captions.photos.reader import read_photo
from tests.bad_input.case import problem
from tests.bad_input.corpus import corpus
from tests.bad_input.huge import HUGE
from tests.bad_input.memory import peak_of_reading


def main() -> int:
    """Prints the figures; returns 1 if a case went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.bad_input", description=__doc__)
    parser.add_argument("--huge", action="store_true", help="also photos at the limits of size")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = _corpus(Path(folder))
        if options.huge:
            wrong += _huge(Path(folder))
    return 1 if wrong else 0


def _corpus(folder: Path) -> int:
    cases = corpus()
    wrong, slowest = 0, 0.0
    paths = []
    for index, case in enumerate(cases):
        started = time.perf_counter()
        said = problem(case, read_photo)
        slowest = max(slowest, time.perf_counter() - started)
        if said is not None:
            wrong += 1
            print(f"{case.name}: {said}", file=sys.stderr)
        paths.append(folder / f"{index}{Path(case.file_name).suffix}")
        paths[-1].write_bytes(case.data)
    _, peak = peak_of_reading(*paths)
    print("| bad input | |\n|---|---|")
    print(f"| cases | {len(cases)} |")
    print(f"| that must be read | {sum(case.says is None for case in cases)} |")
    print(f"| that must be refused | {sum(case.size is None for case in cases)} |")
    print(f"| with a wrong answer, no plain sentence, or a crash | {wrong} |")
    print(f"| slowest | {slowest:.1f} s |")
    print(f"| most memory above idle | {peak:.0f} MB |")
    return wrong


def _huge(folder: Path) -> int:
    wrong = 0
    print("\n| huge photo | million pixels | most memory above idle | |\n|---|---|---|---|")
    for huge in HUGE:
        path = folder / "huge"
        huge.write(path)
        result, peak = peak_of_reading(path)
        wrong += not result.startswith("read")
        print(f"| {huge.name} | {huge.side**2 / 1e6:.0f} | {peak:.0f} MB | {result} |", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
