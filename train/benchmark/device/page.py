"""Benchmark of the live view on the visitor's own device: start, rate, traffic, memory.

    python -m train.evaluate device

A page of its own is started, and Chromium with a moving face as its camera, on the same cores.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from train.benchmark import live_browser
from train.benchmark.device.relay import Relay, relaying
from train.benchmark.fake_camera import RATE, ROUTE, camera_arguments, film, write_y4m
from train.benchmark.moving_face import Place, render, with_noise
from train.benchmark.running_app import (
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    START_LIMIT,
    app_process,
    process_memory,
)
from train.figures import AddRow, Report, add_card_argument
from web.device.files import device_files

if TYPE_CHECKING:  # a dev requirement
    from playwright.sync_api import Browser, BrowserContext, Page

_WARM_UP = 6.0  # seconds with faces in view before rates count
_SETTLE = 60.0  # seconds before the tab's memory counts; a tenth of a shorter run
#: JavaScript: starts the camera as soon as that can be done, and keeps when a face is drawn.
_FIRST_FACE = """
const look = () => {
  const begin = document.querySelector("[data-live=begin]:enabled");
  if (begin && document.querySelector(".live").dataset.state === "idle") begin.click();
  if (document.querySelector(".live-faces .gauges")) window.firstFace = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; 0 leaves a part out."""
    add = parser.add_argument
    add("--address", help="of a page that runs already; default: one that is started")
    add(
        "--visits", type=int, default=3, help="first visits, each with an empty cache (%(default)s)"
    )
    add("--seconds", type=float, default=10.0, help="for each rate (%(default)s)")
    add("--minutes", type=float, default=10.0, help="over which memory is watched (%(default)s)")
    add_card_argument(parser, "facial_keypoints")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card)
    options.browser_seconds = 1
    live_browser.check(options)
    if device_files().missing:
        raise SystemExit(device_files().missing)
    with (
        _page(options.address) as address,
        report.facts("live-device", "live on the visitor's device", data="astronaut.jpg") as fact,
    ):
        with relaying(address) as (relayed, relay), _browser(film(ROUTE)) as browser:
            if options.visits > 0:
                _print_visits(fact, browser, f"{relayed}?view=live", relay, options.visits)
            if options.seconds > 0:
                _print_rates(fact, browser, f"{relayed}?view=live", relay, options.seconds, 1)
            if options.minutes > 0:
                _print_memory(fact, browser, f"{relayed}?view=live", 60 * options.minutes)
        if options.seconds > 0:
            with relaying(address) as (relayed, relay), _browser(four_faces()) as browser:
                _print_rates(fact, browser, f"{relayed}?view=live", relay, options.seconds, 4)


@contextmanager
def _page(address: str | None) -> Iterator[str]:
    """The address of that page, or of one that runs until the end of the `with`."""
    if address:
        yield address
        return
    with tempfile.TemporaryDirectory() as folder, app_process(Path(folder)) as (_, started):
        yield started


def four_faces() -> Iterator[np.ndarray]:
    """Two seconds of four faces that sway, (480, 640, 3) uint8 RGB each."""
    for index in range(2 * RATE):
        turn = 2 * np.pi * index / (2 * RATE)
        places = [
            Place(x + 12 * np.sin(turn), y + 6 * np.cos(turn), 70, 4 * np.sin(turn))
            for x, y in ((120, 150), (330, 130), (530, 170), (320, 350))
        ]
        frame = render(places, [False, True, False, True])
        yield with_noise(frame, np.random.default_rng(index))


@contextmanager
def _browser(frames: Iterable[np.ndarray]) -> "Iterator[Browser]":
    """Chromium with a camera that shows the frames again and again."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        arguments = [
            *CHROMIUM_ARGUMENTS,
            *camera_arguments(write_y4m(Path(folder) / "y4m", frames)),
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def _opened(context: "BrowserContext", address: str) -> "Page":
    """The page once it has drawn its first face."""
    page = context.new_page()
    page.set_default_timeout(1000 * START_LIMIT)
    page.add_init_script(_FIRST_FACE)
    page.goto(address)
    page.wait_for_function("window.firstFace > 0")
    return page


def _print_visits(fact: AddRow, browser: "Browser", address: str, relay: Relay, count: int) -> None:
    """From the address to the first face drawn, and what is fetched for it."""
    first: list[float] = []
    again: list[float] = []
    sizes: list[tuple[int, int]] = []
    for _ in range(count):
        context = browser.new_context(permissions=["camera"])
        received = []
        for seconds in (first, again):
            relay.forget()
            page = _opened(context, address)
            seconds.append(page.evaluate("window.firstFace") / 1000)
            page.wait_for_timeout(1000)
            device = [name for name in relay.requests if "/device/" in name]
            received.append((relay.received, len(device)))
            page.close()
        sizes.append((received[0][0], received[1][1]))
        context.close()
    name = f"first visit to first face drawn, median of {count}"
    fact(name, f"{median(first):.2f} s", first_visit_seconds=median(first))
    fact("second visit to first face drawn", f"{median(again):.2f} s")
    fetched = median(size for size, _ in sizes) / 1e6
    name = "fetched at the first visit, the whole page, as sent"
    fact(name, f"{fetched:.2f} MB", fetched_mb=fetched)
    fact("requests for engine, networks, scripts at the second", str(max(n for _, n in sizes)))


def _print_rates(
    fact: AddRow, browser: "Browser", address: str, relay: Relay, seconds: float, faces: int
) -> None:
    """Updates a second, the time from frame to drawing, and what was sent meanwhile."""
    context = browser.new_context(permissions=["camera"])
    page = _opened(context, address)
    page.wait_for_function(f"document.querySelectorAll('.live-faces .gauges').length >= {faces}")
    page.wait_for_timeout(1000 * _WARM_UP)
    relay.forget()
    rates, frames = [], []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        page.wait_for_timeout(1000)
        shown = page.evaluate("({...document.querySelector('.live').dataset})")
        rates.append(float(shown["rate"]))
        frames.append(float(shown["frame"]))
    pictures = [request for request in relay.requests if not request.startswith("GET ")]
    name, rate = "one face" if faces == 1 else f"{faces} faces", float(np.mean(rates))
    fact(f"updates a second, {name}", f"{rate:.1f}", **{f"updates_{faces}": rate})
    fact(f"frame to drawing, {name}, median", f"{median(frames):.0f} ms")
    fact(f"requests that hold a picture meanwhile, {name}", str(len(pictures)))
    fact(f"sent by the page meanwhile, {name}", f"{relay.sent} bytes")
    context.close()


def _print_memory(fact: AddRow, browser: "Browser", address: str, seconds: float) -> None:
    """Growth of the renderer process that shows the page."""
    context = browser.new_context(permissions=["camera"])
    page = _opened(context, address)
    page.wait_for_timeout(1000 * min(_SETTLE, seconds / 10))
    begun = _tab_memory()
    most = begun
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        page.wait_for_timeout(min(5000, 100 * seconds))
        most = max(most, _tab_memory())
    name = f"memory of the tab, now and {seconds / 60:g} minutes later"
    fact(name, f"{begun:.0f}, {_tab_memory():.0f} MiB")
    fact("most that it grew meanwhile", f"{most - begun:.0f} MiB")
    context.close()


def _tab_memory() -> float:
    """MiB of the largest renderer process on this machine that this one started (Linux)."""
    renderers = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            if b"--type=renderer" in command and _is_below(int(entry.name)):
                renderers.append(process_memory(int(entry.name)))
        except (OSError, ValueError, IndexError):  # it has ended
            continue
    return max(renderers)


def _is_below(process: int) -> bool:
    """Whether the process was started by this one, or by one that was."""
    while process > 1:
        if process == os.getpid():
            return True
        status = Path(f"/proc/{process}/status").read_text()
        process = int(status.partition("PPid:")[2].split()[0])
    return False
