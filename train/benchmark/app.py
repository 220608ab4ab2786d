"""Seconds and memory of the app's start: `python -m train.evaluate app`."""

import argparse
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from gradio_client import Client, handle_file

from train.benchmark.running_app import process_memory

APP = Path(__file__).resolve().parents[2] / "app.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate app`."""
    parser.add_argument("--port", type=int, default=7879)
    parser.add_argument("--photo", type=Path, default=APP.parent / "assets/examples/astronaut.jpg")


def run(options: argparse.Namespace) -> None:
    """Starts the app, asks it once, prints the figures as Markdown, and ends it."""
    started = time.perf_counter()
    address = f"http://127.0.0.1:{options.port}/"
    command = [sys.executable, str(APP), "--port", str(options.port)]
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
        print("| app | |\n|---|---|")
        print(f"| start to the page's first answer | {page:.1f} s |")
        print(f"| start to the first photo's keypoints | {first:.1f} s |")
        print(f"| the next photo through the API | {1000 * again:.0f} ms |")
        print(f"| memory after that | {idle:.0f} MiB |")
        print(f"| peak memory | {process_memory(app.pid, 'VmHWM'):.0f} MiB |")
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
    raise RuntimeError(f"the app did not answer at {address}; is the port taken?")
