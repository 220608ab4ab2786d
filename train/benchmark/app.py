"""Benchmark of the app's start, seconds and memory: `python -m train.evaluate app`."""

import argparse
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from gradio_client import Client, handle_file

from train.benchmark.running_app import free_port, process_memory
from train.figures import Report, add_card_argument

APP = Path(__file__).resolve().parents[2] / "app.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate app`."""
    parser.add_argument("--photo", type=Path, default=APP.parent / "assets/examples/astronaut.jpg")
    add_card_argument(parser, "facial_keypoints")


def run(options: argparse.Namespace) -> None:
    """Starts the app, asks it once, prints the figures as Markdown, and ends it."""
    report = Report(options.write_card)
    started = time.perf_counter()
    port = str(free_port())
    address = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(APP), "--port", port]
    app = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        page = _seconds_until_page(app, address, started)
        client = Client(address, verbose=False)
        client.predict(handle_file(options.photo), api_name="/keypoints")
        first = time.perf_counter() - started
        idle = process_memory(app.pid)
        asked = time.perf_counter()
        client.predict(handle_file(options.photo), api_name="/keypoints")
        again = time.perf_counter() - asked
        peak = process_memory(app.pid, "VmHWM")
        with report.facts("app", "app", data=options.photo.name) as fact:
            fact("start to the page's first answer", f"{page:.1f} s", page_seconds=page)
            fact("start to the first photo's keypoints", f"{first:.1f} s", photo_seconds=first)
            fact("the next photo through the API", f"{1000 * again:.0f} ms", api_ms=1000 * again)
            fact("memory after that", f"{idle:.0f} MiB", memory_mib=idle)
            fact("peak memory", f"{peak:.0f} MiB", peak_mib=peak)
    finally:
        app.terminate()
        app.wait(timeout=20)


def _seconds_until_page(app: subprocess.Popen, address: str, started: float) -> float:
    while app.poll() is None and time.perf_counter() - started < 120:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                answer.read()
                return time.perf_counter() - started
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the app did not answer at {address}")
