"""Benchmark of live tracking: `python -m train.evaluate live`.

The face is the free astronaut photo, moved along known paths with camera noise.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.sessions import LiveLimits, decode_frame
from facial_keypoints.video.smoothing import MAX_CARRY
from facial_keypoints.video.track import TrackedFace
from facial_keypoints.video.tracker import Tracker
from keypoints_captions.cores import usable_cores, use_one_core
from keypoints_captions.photos.jpeg import encode_jpeg
from train.benchmark import live_browser as evaluate_live_browser
from train.benchmark.moving_face import Film, Place, moved
from train.figures import AddRow, Report, add_card_argument

RATE = 20.0  # answers a second
ROUND_TRIP = 50.0  # ms from taking a frame to drawing its answer
REST = 1000.0  # ms at the start of each film in which the face rests
SETTLE = 1500.0  # ms at the start of each film that do not count
JPEG_QUALITY = 80
SIZE = 90.0  # pixels, of the face: as of somebody half a metre from a laptop
SPEED = 0.2  # pixels a millisecond in steady motion: two faces a second
STEADY_FILM, SWAY_FILM = 3200.0, 7600.0  # ms; the former until the face comes to the border


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate live`."""
    parser.add_argument("--weights", help="path without suffix; the project's own by default")
    parser.add_argument("--frames", type=int, default=300, help="timed; default: %(default)s")
    parser.add_argument("--smoothing", type=float, default=0.5, help="default: %(default)s")
    evaluate_live_browser.add_arguments(parser)
    add_card_argument(parser, "facial_keypoints")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card, options.weights)
    evaluate_live_browser.check(options)
    pipeline = FacialKeypoints.load(options.weights)
    use_one_core()  # as live streams do
    with report.facts("live", "live tracking", data="astronaut.jpg") as fact:
        print_server_time(fact, pipeline, options.frames, options.smoothing)
        print_jitter(fact, pipeline, options.smoothing)
        print_lag(fact, pipeline, options.smoothing)
    evaluate_live_browser.run(report, options)


def print_server_time(
    fact: AddRow, pipeline: FacialKeypoints, frames: int, smoothing: float
) -> None:
    """One face that sways: from a JPEG in memory to its tracked face."""
    film = Film(sway)
    jpegs = [encode_jpeg(film.frame(1000 * n / RATE), JPEG_QUALITY) for n in range(40)]
    tracker, spent = Tracker(pipeline, smoothing=smoothing), []
    for number in range(frames + 20):
        index = number % (2 * len(jpegs))
        jpeg = jpegs[min(index, 2 * len(jpegs) - 1 - index)]  # there and back, without a leap
        started = time.perf_counter()
        tracker.update(decode_frame(jpeg, LiveLimits.frame_side), 1000 * number / RATE)
        spent.append(1000 * (time.perf_counter() - started))
    median, p95 = np.percentile(spent[20:], [50, 95])
    what = f"server time of a 640×480 frame with one face, {usable_cores()} cores"
    fact(what, f"median {median:.1f} ms, 95 % {p95:.1f} ms", frame_ms=median)


def print_jitter(fact: AddRow, pipeline: FacialKeypoints, smoothing: float) -> None:
    """A still face with camera noise: RMS distance of the points from their mean."""
    for name, strength in (("without smoothing", 0.0), (f"smoothing {smoothing}", smoothing)):
        show = follow(pipeline, Film(lambda _: Place(320, 240, SIZE)), 8000.0, strength)
        points = np.array([a.points for a in show.answers if a.time_ms >= SETTLE])
        drawn = np.array([show.drawn(t) for t in show.shown_at()])
        jitter = f"{jitter_of(points):.2f} % / {jitter_of(drawn):.2f} %"
        fact(f"jitter of a still face, {name}: points / drawn", jitter)


def print_lag(fact: AddRow, pipeline: FacialKeypoints, smoothing: float) -> None:
    """Delay of the drawn points behind the face, in milliseconds."""
    steadily = f"steady motion, {1000 * SPEED:.0f} px/s"
    for name, path, length in ((steadily, steady, STEADY_FILM), ("swaying", sway, SWAY_FILM)):
        show = follow(pipeline, Film(path), length, smoothing)
        delay, error = fit_delay(show, path)
        fact(
            f"lag of the drawn points, {name}, {RATE:.0f} answers a second, round trip "
            f"{ROUND_TRIP:.0f} ms",
            f"{delay:.0f} ms (rest {error:.1f} % of the eye distance)",
        )


def steady(time_ms: float) -> Place:
    """Rests, then goes to the right at `SPEED`; for a film of `STEADY_FILM`."""
    return Place(100 + SPEED * max(time_ms - REST, 0.0), 240, SIZE)


def sway(time_ms: float) -> Place:
    """Rests, then sways: 50 pixels and 8° to each side, once in 2.2 s."""
    phase = 2 * np.pi * max(time_ms - REST, 0.0) / 2200
    return Place(320 + 50 * np.sin(phase), 240 + 8 * np.sin(2 * phase), SIZE, 8 * np.sin(phase))


@dataclass(frozen=True)
class Answer:
    """points: (68, 2) pixels. velocity: (68, 2) pixels a millisecond."""

    time_ms: float
    points: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True)
class Show:
    """Points as a page would draw them: the newest answer, moved on by its velocity.

    round_trip: ms from taking a frame to drawing its answer.
    """

    answers: list[Answer]
    round_trip: float = ROUND_TRIP

    def drawn(self, time_ms: float) -> np.ndarray:
        """(68, 2): the points on the screen at that time."""
        answer = [a for a in self.answers if a.time_ms + self.round_trip <= time_ms][-1]
        return answer.points + answer.velocity * min(time_ms - answer.time_ms, MAX_CARRY)

    def shown_at(self) -> np.ndarray:
        """Times in ms of a 60 Hz screen, once the film has settled."""
        return np.arange(SETTLE, self.answers[-1].time_ms, 1000 / 60)


def follow(
    pipeline: FacialKeypoints, film: Film, length: float, smoothing: float, rate: float = RATE
) -> Show:
    """Tracks the one face of a film of `length` ms."""
    tracker, answers = Tracker(pipeline, smoothing=smoothing), []
    for time_ms in np.arange(0.0, length, 1000 / rate):
        jpeg = encode_jpeg(film.frame(time_ms), JPEG_QUALITY)
        faces = tracker.update(decode_frame(jpeg, LiveLimits.frame_side), time_ms)
        answers += [_answer(time_ms, faces)]
    return Show(answers)


def _answer(time_ms: float, faces: list[TrackedFace]) -> Answer:
    if len(faces) != 1 or faces[0].id != 1:
        found = [face.id for face in faces]
        raise RuntimeError(f"expected face 1 at {time_ms:.0f} ms of the film, got {found}")
    return Answer(time_ms, faces[0].face.points.astype(np.float64), faces[0].velocity)


def fit_delay(show: Show, path: Callable[[float], Place]) -> tuple[float, float]:
    """The delay in ms at which the face's true points fit the drawn ones best, and the RMS
    distance that is left then, in % of the eye distance.

    Where the points are on the face is read while it rests; what counts is how they move with it.
    """
    reference, times = Place(0.0, 0.0, SIZE), show.shown_at()
    resting = [a for a in show.answers if REST / 2 < a.time_ms <= REST]
    on_face = np.mean([moved(a.points, path(a.time_ms), reference) for a in resting], axis=0)
    drawn = np.array([show.drawn(t) for t in times])
    best = (np.inf, 0.0)
    for delay in np.arange(-100.0, 301.0, 2.0):
        truth = np.array([moved(on_face, reference, path(t - delay)) for t in times])
        error = np.sqrt(np.mean(np.sum((drawn - truth) ** 2, axis=-1)))
        best = min(best, (float(error), float(delay)))
    return best[1], 100 * best[0] / float(interocular_distance(on_face))


def jitter_of(points: np.ndarray) -> float:
    """RMS over (N, 68, 2) of the distance from the mean, in % of the eye distance."""
    mean = points.mean(axis=0)
    spread = np.sqrt(np.mean(np.sum((points - mean) ** 2, axis=-1)))
    return 100 * float(spread) / float(interocular_distance(mean))
