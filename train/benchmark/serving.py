"""Benchmark of the page under load: `python -m train.evaluate serving`.

Starts the page on the loopback address and sends real clients to it, which run on the same cores.
"""

import argparse
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keypoints_captions.cores import usable_cores
from train.benchmark.load_clients import ENDPOINTS, Load, Tally, make_photos, run_clients
from train.benchmark.model_throughput import Throughput, measure_throughput
from train.benchmark.running_app import ROOT, app_process, process_memory
from train.figures import Report, add_card_argument

TABS = {"captions": ("captions",), "keypoints": ("keypoints",), "mixed": tuple(ENDPOINTS)}
READY_LIMIT = 300  # seconds until the models are loaded
SETTLE = 5.0  # seconds after the load, before the memory is looked at


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate serving`."""
    parser.add_argument("--clients", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=5.0, help="default: %(default)s")
    parser.add_argument("--tab", choices=TABS, default="captions", help="default: %(default)s")
    parser.add_argument(
        "--uploads", action="store_true", help="each request sends a photo never sent before"
    )
    parser.add_argument(
        "--model-seconds",
        type=float,
        default=20.0,
        help="for which each model runs by itself before; 0 leaves that out (%(default)s)",
    )
    add_card_argument(parser, "captioning")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples = sorted((ROOT / "assets" / "examples").glob("*.jpg"))
        photos = make_photos(examples, folder, 40)
        alone = None
        if options.model_seconds:
            alone = measure_throughput(photos, options.model_seconds)
        with app_process(folder) as (process, address):
            wait_until_ready(address)
            tabs = TABS[options.tab]
            warm_up = Load(address, 2, 5.0, tabs, tuple(photos), options.uploads)
            run_clients(warm_up)
            load = Load(
                address, options.clients, 60 * options.minutes, tabs, tuple(photos), options.uploads
            )
            with watched(process) as server:
                tally = run_clients(load)
                time.sleep(SETTLE)
    print_figures(report, load, tally, server, alone)


@dataclass
class Server:
    """Memory and processor time of the page's process.

    memory: MiB, once a second. cpu_seconds: while watched.
    """

    memory: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0


@contextmanager
def watched(process: int) -> Iterator[Server]:
    """Looks at a process until the end of the `with`."""
    server, ended = Server([process_memory(process)]), threading.Event()

    def look() -> None:
        while not ended.wait(1.0):
            server.memory.append(process_memory(process))

    watcher = threading.Thread(target=look)
    before = _cpu_seconds(process)
    watcher.start()
    try:
        yield server
        server.cpu_seconds = _cpu_seconds(process) - before
    finally:
        ended.set()
        watcher.join()


def wait_until_ready(address: str) -> None:
    """Until the page says that its models are loaded.

    Raises:
        RuntimeError: it does not, or takes too long.
    """
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}health", timeout=10):
                return
        except urllib.error.HTTPError as answer:
            if b'"failed"' in answer.read():
                raise RuntimeError("a model cannot be loaded") from None
        except OSError:  # not in time
            continue
        time.sleep(0.2)
    raise RuntimeError(f"the page was not ready after {READY_LIMIT} seconds")


def print_figures(
    report: Report, load: Load, tally: Tally, server: Server, alone: Throughput | None
) -> None:
    """A table of two columns."""
    answered = len(tally.latencies)
    rate = answered / tally.seconds
    sent = "photos never seen" if load.uploads else "one photo each"
    name = load.tabs[0] if len(load.tabs) == 1 else "mixed"
    title = f"serving: {' and '.join(load.tabs)}, {sent}"
    busy, errors = tally.busy, tally.errors.total()
    with report.facts(f"serving-{name}", title, data="the examples' photos") as fact:
        told = f"{load.clients}, {tally.seconds:.0f} s, {usable_cores()}"
        fact("clients, time, cores", told, clients=load.clients, seconds=tally.seconds)
        fact("answered", f"{answered}, {rate:.2f} a second", answers_a_second=rate)
        fact("told that the page is busy", str(busy), busy=busy)
        fact("errors", str(errors), errors=errors)
        if answered:
            p50, p95, p99 = np.percentile(tally.latencies, [50, 95, 99])
            told = f"{p50:.2f} s, {p95:.2f} s, {p99:.2f} s"
            fact("latency: median, 95 %, 99 %", told, latency=p50, latency_95=p95)
        if alone is not None:
            fact(
                "models alone in one process: captions, in batches, keypoints",
                f"{alone.captions:.2f}, {alone.batched:.2f}, {alone.keypoints:.2f} photos a second",
            )
            share = 100 * rate / single_rate(load.tabs, alone)
            what = "served, of what the models do one photo after the other"
            fact(what, f"{share:.0f} %", served_of_single=share)
            if load.tabs == ("captions",):
                fact("served, of what they do in batches", f"{rate / alone.batched:.0%}")
        first, peak, last = server.memory[0], max(server.memory), server.memory[-1]
        minute = max(server.memory[: 60 + 1])
        fact(
            f"server's memory: before, highest in the first minute, highest, {SETTLE:.0f} s after",
            f"{first:.0f}, {minute:.0f}, {peak:.0f}, {last:.0f} MiB",
            first_minute_mib=minute,
            peak_mib=peak,
        )
        share = 100 / tally.seconds
        cpu = f"{share * server.cpu_seconds:.0f} %, {share * tally.cpu_seconds:.0f} %"
        fact("CPU: server, clients, of one core", cpu)
        for message, count in tally.errors.most_common(5):
            fact(f"error, {count} times", message)


def single_rate(tabs: tuple[str, ...], alone: Throughput) -> float:
    """Photos a second where the tabs' models take one photo after the other, in turn."""
    rates = {"captions": alone.captions, "keypoints": alone.keypoints}
    return len(tabs) / sum(1 / rates[tab] for tab in tabs)


def _cpu_seconds(process: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
