"""Benchmark of live frames and captions on shared cores: `python -m train.evaluate sharing`.

One camera sends 30 frames a second while several visitors ask for captions without a pause: with
live frames beside the compute slots, as the page does it, and with live frames that wait for one.
"""

import argparse
import threading
import time

import numpy as np

from captioning.captioner import Captioner
from captioning.options import SearchOptions
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.sessions import Frame, LiveSessions
from facial_keypoints.video.track import TrackedFace
from facial_keypoints.video.tracker import Tracker
from keypoints_captions.cores import fit_threads, use_one_core
from keypoints_captions.photos.jpeg import encode_jpeg, shrunk
from keypoints_captions.photos.reader import read_photo
from train.benchmark.app import APP
from train.figures import Column, Report, add_card_argument
from web.captions.batches import Batches
from web.models import MODELS

RATE = 30  # frames a second
PHOTO = APP.parent / "assets/examples/astronaut.jpg"


class WaitingTracker(Tracker):
    """A tracker whose frames wait for a compute slot."""

    def update(self, image: np.ndarray, time_ms: float) -> list[TrackedFace]:
        """As `Tracker`'s."""
        with MODELS.turn():
            return super().update(image, time_ms)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate sharing`."""
    parser.add_argument("--seconds", type=float, default=10, help="each; default: %(default)s")
    parser.add_argument("--clients", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    add_card_argument(parser, "captioning")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown: medians over rounds in which the ways take turns."""
    report = Report(options.write_card)
    fit_threads()
    pipeline, captioner = FacialKeypoints.load(), Captioner.load()
    batches = Batches(captioner, MODELS)
    ways = {
        "camera alone": (Tracker, 0),
        "captions alone": (None, options.clients),
        "both, frames beside the slots": (Tracker, options.clients),
        "both, frames wait for a slot": (WaitingTracker, options.clients),
    }
    rounds: dict[str, list[tuple[float, ...]]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, (tracker, clients) in ways.items():
            rounds[way].append(_measured(pipeline, batches, tracker, clients, options.seconds))
    columns = [
        Column("captions a second", "{:.1f}", "captions_a_second"),
        Column("frames a second", "{:.1f}", "frames_a_second"),
        Column("round trip: median, 95 %", "{:.0f} ms, {:.0f} ms", "trip_ms trip_ms_95"),
    ]
    with report.table("sharing", "", ["way"], columns, data=PHOTO.name) as row:
        for way, figures in rounds.items():
            captions, frames, *trip = np.median(figures, axis=0)
            row(way, captions, frames, tuple(trip) if frames else None)


def _measured(
    pipeline: FacialKeypoints,
    batches: Batches,
    tracker: type[Tracker] | None,
    clients: int,
    seconds: float,
) -> tuple[float, float, float, float]:
    """Captions and frames a second; median and 95 % of a frame's milliseconds."""
    photo = read_photo(PHOTO)
    jpeg = encode_jpeg(shrunk(photo, 480), 80)
    end = time.perf_counter() + seconds
    captions, spent = [0], list[float]()

    def ask() -> None:
        while time.perf_counter() < end:
            batches.caption(PHOTO, SearchOptions())
            captions[0] += 1

    def film(make: type[Tracker]) -> None:
        prepare = use_one_core if make is Tracker else lambda: None
        sessions = LiveSessions(lambda: make(pipeline), workers=MODELS.count, prepare=prepare)
        key = sessions.open()
        while (start := time.perf_counter()) < end:
            sessions.submit(key, Frame(jpeg, 1000 * start)).result()
            spent.append(1000 * (time.perf_counter() - start))
            time.sleep(max(0.0, 1 / RATE - (time.perf_counter() - start)))
        sessions.stop()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    if tracker is not None:
        threads.append(threading.Thread(target=film, args=(tracker,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    median, p95 = np.percentile(spent or [np.nan], [50, 95])
    return captions[0] / seconds, len(spent) / seconds, float(median), float(p95)
