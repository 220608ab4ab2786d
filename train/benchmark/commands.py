"""Benchmark of the command lines on many photos: `python -m train.evaluate commands`.

Photos a second and processor time a photo, of this tree, of another one (an earlier commit in a
`git worktree`) and of Ray, each run from a process of its own and in turns; memory while photos go
through; and runs that are killed and gone on with.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from keypoints_captions.photos.paths import find_photos
from train.benchmark.running_app import ROOT

COMMANDS = {"keypoints": "facial_keypoints", "captions": "captioning"}


class Cost(NamedTuple):
    """Of one run: seconds by the clock, processor seconds of it and all its children."""

    seconds: float
    cpu: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate commands`."""
    parser.add_argument("--photos", type=Path, help="a folder of them")
    parser.add_argument("--count", type=int, default=200, help="of them; default: %(default)s")
    parser.add_argument("--command", choices=COMMANDS, action="append", help="default: both")
    parser.add_argument(
        "--against", type=Path, nargs="+", default=[], help="folders of other commits"
    )
    parser.add_argument("--ray", action="store_true", help="the bulk commands, too")
    parser.add_argument("--rounds", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--memory", type=int, metavar="PHOTOS", help="tiny ones, made here")
    parser.add_argument("--kills", type=int, metavar="TIMES", help="then the run is gone on with")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    names = options.command or list(COMMANDS)
    with tempfile.TemporaryDirectory() as folder:
        if options.photos is not None:
            photos = [str(path) for path in find_photos([options.photos])[: options.count]]
            for name in names:
                _compare(name, photos, options, Path(folder))
            if options.kills:
                _kill(photos, options.kills, Path(folder))
        if options.memory:
            _watch_memory(options.memory, Path(folder))


def _compare(name: str, photos: list[str], options: argparse.Namespace, folder: Path) -> None:
    program = COMMANDS[name]
    ways = {tree.name: (tree.resolve(), [program]) for tree in options.against}
    ways["this"] = (ROOT, [program])
    if options.ray:
        ways["ray"] = (ROOT, [f"{program}.bulk"])
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    starts: dict[str, list[Cost]] = {way: [] for way in ways}  # with one photo
    for _ in range(options.rounds):
        for way, (tree, command) in ways.items():
            for found, given in ((starts, photos[:1]), (costs, photos)):
                listed = folder / "list.txt"
                listed.write_text("".join(f"{os.path.abspath(photo)}\n" for photo in given))
                inputs = [str(listed)] if way == "ray" else given
                output = folder / ("ray" if way == "ray" else "out.json")
                found[way].append(_timed(tree, [*command, *inputs, "--output", str(output)]))
                shutil.rmtree(folder / "ray", ignore_errors=True)
    print(
        f"\n| {name}, {len(photos)} photos | photos a second | after the start | "
        "processor time a photo |\n|---|---|---|---|"
    )
    more = len(photos) - 1
    for way in ways:
        whole, cpu = min(costs[way]).seconds, min(cost.cpu for cost in costs[way])
        start, first = min(starts[way]).seconds, min(cost.cpu for cost in starts[way])
        rates = f"{len(photos) / whole:.2f} | {more / (whole - start):.2f}"
        # Ray's processes are nobody's children when they end, so that theirs is not known
        spent = "" if way == "ray" else f"{1000 * (cpu - first) / more:.0f} ms"
        print(f"| {way} | {rates} | {spent} |")


def _timed(tree: Path, arguments: list[str]) -> Cost:
    """One run of a module, its start included."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *arguments, "--device", "cpu"], cwd=tree, capture_output=True
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode()[-2000:])
    after = os.times()
    spent = after.children_user + after.children_system
    cpu = spent - before.children_user - before.children_system
    return Cost(time.perf_counter() - start, cpu)


def _kill(photos: list[str], times: int, folder: Path) -> None:
    """Kills the command so many times at random moments, lets it end, and counts."""
    draw = random.Random(0)
    lines: list[int] = []
    output = folder / "killed.jsonl"
    arguments = [*photos, "--format", "jsonl", "--output", str(output), "--resume"]
    command = [sys.executable, "-m", "facial_keypoints", *arguments]
    for _ in range(times):
        before = _lines(output)
        goal = before + draw.randrange(0, max(1, len(photos) // (times + 2)))
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and (_lines(output) <= goal):
                time.sleep(draw.random() / 20)
            process.kill()
        lines.append(_lines(output))
    subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    found = Counter(json.loads(line)["file"] for line in output.read_text().splitlines())
    lost = len(set(photos) - found.keys())
    twice = sum(count > 1 for count in found.values())
    print(
        f"\nkilled {times} times, at {lines} of {len(photos)} records: {lost} lost, {twice} twice"
    )


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _watch_memory(count: int, folder: Path) -> None:
    """Resident memory of the keypoint command as tiny photos go through, at each tenth of them."""
    photo = folder / "tiny" / "0.png"
    photo.parent.mkdir()
    Image.new("RGB", (24, 16), (90, 120, 60)).save(photo)
    for number in range(1, count):
        os.link(photo, photo.with_name(f"{number}.png"))
    for form in ("json", "jsonl"):
        output = folder / f"tiny.{form}"
        command = [sys.executable, "-m", "facial_keypoints", str(photo.parent), "--format", form]
        seen: list[int] = []
        with subprocess.Popen(
            [*command, "--output", str(output)], cwd=ROOT, stderr=subprocess.DEVNULL
        ) as process:
            status = Path(f"/proc/{process.pid}/statm")
            while process.poll() is None:
                pages = status.read_text().split()
                partial = next(folder.glob(f".tiny.{form}*"), output)
                if len(pages) > 1 and _lines(partial) > len(seen) * count / 10:
                    seen.append(int(pages[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20)
                time.sleep(0.2)
        print(f"\nmemory in MiB at each tenth of {count} photos, --format {form}: {seen}")
