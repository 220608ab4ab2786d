"""Benchmark of the live view in a browser, and of ten streams at once.

Part of `python -m train.evaluate live`; each measurement starts a page of its own.
"""

import argparse
import base64
import http.client
import importlib.util
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from keypoints_captions.photos.jpeg import encode_jpeg
from train.benchmark.fake_camera import (
    RATE,
    ROUTE,
    WATCH,
    WATCH_FOR,
    camera_arguments,
    film,
    lag,
    write_y4m,
)
from train.benchmark.running_app import (
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    START_LIMIT,
    app_process,
    process_memory,
)
from train.figures import Report

if TYPE_CHECKING:  # a dev requirement, and only part of this module needs it
    from playwright.sync_api import Page

WARM_UP = 10.0  # seconds in Chromium before it counts
STREAMS = 10
SETTLE = 30.0  # seconds of the streams before they count; a quarter of their time at most


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of these measurements; 0 leaves one out."""
    parser.add_argument(
        "--browser-seconds",
        type=float,
        default=20.0,
        help="in Chromium; default: %(default)s; 0 leaves it out",
    )
    parser.add_argument(
        "--stream-minutes",
        type=float,
        default=10.0,
        help=f"of {STREAMS} streams at once; default: %(default)s; 0 leaves it out",
    )


def check(options: argparse.Namespace) -> None:
    """Ends the program with a sentence if what the chosen measurements need is missing."""
    if options.browser_seconds <= 0:
        return
    missing = []
    if importlib.util.find_spec("playwright") is None:
        missing.append("Playwright (pip install -r requirements-dev.txt)")
    if CHROMIUM is None:
        missing.append("Chromium (on Debian: apt-get install chromium-headless-shell)")
    if missing:
        sys.exit(
            f"The live view is measured in a browser, for which {' and '.join(missing)} is "
            "missing. Install it, or leave this part out with --browser-seconds 0."
        )


def run(report: Report, options: argparse.Namespace) -> None:
    """Prints the figures, a table for the one camera and one for the many."""
    if options.browser_seconds > 0:
        with tempfile.TemporaryDirectory() as folder, app_process(Path(folder)) as (_, address):
            print_browser(report, in_browser(address, options.browser_seconds))
    if options.stream_minutes > 0:
        with tempfile.TemporaryDirectory() as folder, app_process(Path(folder)) as (pid, address):
            seconds = 60 * options.stream_minutes
            streams = many_streams(address, pid, seconds, STREAMS)
            print_streams(report, streams, options.stream_minutes)


def print_browser(report: Report, figures: "BrowserFigures") -> None:
    """One row for each figure."""
    updates, trip, lag = figures.updates, figures.round_trip, figures.lag
    with report.facts("live-browser", "live view in Chromium", data="astronaut.jpg") as fact:
        what = "overlay updates, server and browser on the same cores, one face"
        fact(what, f"{updates:.1f} a second", updates=updates)
        fact("round trip / server time", f"{trip:.0f} / {figures.server:.0f} ms", trip_ms=trip)
        fact("lag of the drawing in steady motion", f"{lag:.0f} ms", lag_ms=lag)


def print_streams(report: Report, figures: "StreamFigures", minutes: float) -> None:
    """One row for each figure."""
    slowest, fastest = min(figures.updates), max(figures.updates)
    streams, errors = len(figures.updates), len(figures.errors)
    title = f"{streams} streams at once, {minutes:g} min"
    memory = f"{figures.growth:.0f} of {figures.memory:.0f} MiB"
    with report.facts("live-streams", title, data="astronaut.jpg") as fact:
        each = f"{slowest:.1f} to {fastest:.1f} a second"
        fact("updates of each", each, updates=slowest, streams=streams, minutes=minutes)
        fact("errors", str(errors), errors=errors)
        fact("growth of the server's memory", memory)
    for error in figures.errors[:5]:
        print(error, file=sys.stderr)


@dataclass(frozen=True)
class BrowserFigures:
    """One face in Chromium, server and browser on the same cores.

    updates: answers drawn a second. round_trip, server: ms, means. lag: ms by which what is drawn
    trails the face in steady motion, in the frame on show.
    """

    updates: float
    round_trip: float
    server: float
    lag: float


def in_browser(address: str, seconds: float = 20.0) -> BrowserFigures:
    """Opens the live view of a running page in Chromium, with a moving face as its camera."""
    with _live_page(address) as page:
        page.wait_for_timeout(1000 * WARM_UP)
        # Dots lie around the points' middle; lines between them would shift it.
        page.locator(".live input[name=contours]").uncheck()
        read = "({...document.querySelector('.live').dataset})"
        samples = []
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            page.wait_for_timeout(1000)
            samples.append(page.evaluate(read))
        seen = page.evaluate(WATCH, {"count": 2 * ROUTE.frames, **WATCH_FOR})
    updates, trip, server = (
        float(np.mean([float(sample[name]) for sample in samples]))
        for name in ("rate", "roundTrip", "server")
    )
    return BrowserFigures(updates, trip, server, lag(seen, ROUTE))


@contextmanager
def _live_page(address: str) -> "Iterator[Page]":
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        video = write_y4m(Path(folder) / "face.y4m", film(ROUTE))
        arguments = CHROMIUM_ARGUMENTS + camera_arguments(video)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(1000 * START_LIMIT)
        page.goto(f"{address}?view=live&runs=server")
        page.locator("[data-live=begin]").click()
        page.locator(".gauges").first.wait_for()
        yield page
        browser.close()


@dataclass
class StreamFigures:
    """Streams at once on loopback. updates: answers a second of each stream. errors: what went
    wrong. growth: MiB by which the server's memory was at most above that after the warm-up.
    memory: MiB, the most it had."""

    updates: list[float]
    errors: list[str]
    growth: float
    memory: float


def many_streams(
    address: str, server_pid: int, seconds: float = 600.0, count: int = 10
) -> StreamFigures:
    """Runs streams that send as a page does: the next frame when the last was answered, and
    never more than the camera's frames a second."""
    frames = [_encoded(frame) for frame in film(ROUTE, every=3)]
    streams = [_Stream(address, frames[index:] + frames[:index]) for index in range(count)]
    started = time.monotonic()
    for stream in streams:
        stream.start()
    time.sleep(min(SETTLE, seconds / 4))  # memory settles: caches, threads, first garbage
    base = process_memory(server_pid)
    counted, before = time.monotonic(), [stream.answers for stream in streams]
    highest = base
    while time.monotonic() - started < seconds:
        time.sleep(1)
        highest = max(highest, process_memory(server_pid))
    spent = time.monotonic() - counted
    updates = [
        (stream.answers - first) / spent for stream, first in zip(streams, before, strict=True)
    ]
    for stream in streams:
        stream.end()
    errors = [error for stream in streams for error in stream.errors]
    return StreamFigures(updates, errors, highest - base, highest)


class _Stream(threading.Thread):
    """One page's side of the connection."""

    def __init__(self, address: str, images: list[str]):
        super().__init__(daemon=True)
        self.answers, self.errors = 0, list[str]()
        self._images, self._over = images, threading.Event()
        self._host = urlsplit(address).netloc
        self._line = http.client.HTTPConnection(self._host, timeout=30)
        self._line.request("GET", "/config")
        config = json.loads(self._line.getresponse().read())
        parts = config["components"]
        self._part = next(p["id"] for p in parts if p["props"].get("elem_id") == "live")

    def run(self) -> None:
        try:
            key = self._ask("open", {})["session"]
            for image in cycle(self._images):
                if self._over.is_set():
                    break
                sent = time.monotonic()
                frame = {"session": key, "image": image, "time": 1000 * sent}
                answer = self._ask("track", {**frame, "smoothing": 0.5, "filters": []})
                if "error" in answer or len(answer["faces"]) > 1:
                    self.errors.append(str(answer)[:200])
                else:
                    self.answers += 1
                self._over.wait(max(0.0, sent + 1 / RATE - time.monotonic()))
            self._ask("close", key)
        except Exception as error:  # whatever ended the stream counts
            self.errors.append(repr(error))

    def end(self) -> None:
        self._over.set()
        self.join()

    def _ask(self, function: str, data: Any) -> Any:
        message = {"data": data, "component_id": self._part, "fn_name": function}
        body = json.dumps({**message, "session_hash": str(id(self))})
        path, headers = "/gradio_api/component_server/", {"Content-Type": "application/json"}
        self._line.request("POST", path, body, headers)
        return json.loads(self._line.getresponse().read())


def _encoded(frame: np.ndarray) -> str:
    return base64.b64encode(encode_jpeg(frame, 75)).decode()
