"""The browser's pipeline measured: `python -m train.evaluate device-pipeline --data FOLDER`.

Chromium runs the very worker that the page runs, on pictures without loss: how its keypoints of
LFPW's test faces compare with Python's, how still a still face is, and how far points trail.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facial_keypoints.pipeline import FacialKeypoints
from train.benchmark import live, live_browser
from train.benchmark.device.pipeline_server import Shelf, serving
from train.benchmark.live import Answer, Show, fit_delay, jitter_of
from train.benchmark.moving_face import Film, Place
from train.benchmark.running_app import CHROMIUM, CHROMIUM_ARGUMENTS
from train.faces.data import load_faces, read_faces, split_by_subject
from train.figures import AddRow, Report, add_card_argument
from train.keypoints.metrics import point_errors
from web.device.engine import engine_files, engine_folder

if TYPE_CHECKING:  # a dev requirement
    from playwright.sync_api import Page

RATE = 30.0  # frames a second
LONGEST = 60_000  # ms for one picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate device-pipeline`."""
    add = parser.add_argument
    add("--data", type=Path, help="folder of faces, for LFPW's test set; left out without")
    add("--smoothing", type=float, default=0.5, help="default: %(default)s")
    add_card_argument(parser, "facial_keypoints")
    add("--frame-ms", type=float, default=25.0, help="frame to drawing, for lag (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    options.browser_seconds = 1
    live_browser.check(options)
    if not engine_files():
        raise SystemExit("The engine for browsers is not installed; python -m web.device does it.")
    shelf = Shelf(FacialKeypoints.load(), folders={"/engine/": engine_folder()})
    report = Report(options.write_card)
    with (
        opened(shelf) as page,
        report.facts("device-pipeline", "the pipeline in the browser", data="LFPW test") as fact,
    ):
        print_jitter(fact, page, shelf, options.smoothing)
        print_lag(fact, page, shelf, options.smoothing, options.frame_ms)
        if options.data:
            print_errors(fact, page, shelf, options.data)


@contextmanager
def opened(shelf: Shelf) -> "Iterator[Page]":
    """A page of Chromium whose worker has loaded the networks."""
    from playwright.sync_api import sync_playwright

    with serving(shelf) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(LONGEST)
        page.goto(address)
        start_worker(page)
        yield page
        browser.close()


def start_worker(page: "Page", webgpu: bool = False) -> dict[str, Any]:
    """Loads the networks on a page of `serving`'s; what the worker says then."""
    return page.evaluate(
        """async (webgpu) => {
          const {Worked} = await import("/page/pipeline_page.js");
          window.worked = new Worked();
          return worked.load(webgpu);
        }""",
        webgpu,
    )


def look(
    page: "Page", shelf: Shelf, picture: np.ndarray, mode: str, time_ms: float = 0.0, **options: Any
) -> dict[str, Any]:
    """What the worker answers to an (H, W, 3) uint8 RGB picture."""
    shelf.pictures = {"picture": picture}
    return page.evaluate(
        "([mode, time, options]) => worked.look('picture', mode, time, options)",
        [mode, time_ms, options],
    )


def print_jitter(fact: AddRow, page: "Page", shelf: Shelf, smoothing: float) -> None:
    """A still face with camera noise."""
    for strength in (0.0, smoothing):
        film = Film(lambda _: Place(320, 240, live.SIZE))
        show = follow(page, shelf, film, 5000.0, strength, 0.0)
        points = np.array([a.points for a in show.answers if a.time_ms >= live.SETTLE])
        drawn = np.array([show.drawn(t) for t in show.shown_at()])
        fact(
            f"jitter of a still face, smoothing {strength}: points / drawn",
            f"{jitter_of(points):.2f} % / {jitter_of(drawn):.2f} %",
        )


def print_lag(fact: AddRow, page: "Page", shelf: Shelf, smoothing: float, frame_ms: float) -> None:
    """How far what is drawn is behind the face, in time."""
    steady: tuple[str, Callable[[float], Place], float] = ("steady", live.steady, live.STEADY_FILM)
    for name, path, length in (steady, ("swaying", live.sway, 5000.0)):
        show = follow(page, shelf, Film(path), length, smoothing, frame_ms)
        delay, error = fit_delay(show, path)
        fact(
            f"lag of the drawn points, {name} motion, {frame_ms:.0f} ms from frame to drawing",
            f"{delay:.0f} ms (rest {error:.1f} % of the eye distance)",
        )


def follow(
    page: "Page", shelf: Shelf, film: Film, length: float, smoothing: float, frame_ms: float
) -> Show:
    """The one face of a film of `length` ms, as the worker follows it."""
    page.evaluate("worked.worker.postMessage({type: 'reset'})")
    answers: list[Answer] = []
    ids = set()
    for time_ms in np.arange(0.0, length, 1000 / RATE):
        picture = film.frame(time_ms)
        faces = look(page, shelf, picture, "live", float(time_ms), smoothing=smoothing)["faces"]
        ids |= {face["id"] for face in faces}
        if len(faces) != 1 or len(ids) > 1:
            raise RuntimeError(f"expected one face at {time_ms:.0f} ms of the film, got {ids}")
        points, velocity = (np.array(faces[0][name]) for name in ("points", "velocity"))
        answers.append(Answer(time_ms, points, velocity))
    return Show(answers, frame_ms)


def print_errors(fact: AddRow, page: "Page", shelf: Shelf, data: Path) -> None:
    """NME of LFPW's test faces by photos and by frames of a camera, beside Python's."""
    split = split_by_subject(read_faces(data))
    faces = load_faces(face for face in split.test if face.source == "lfpw")
    errors: dict[str, list[float]] = {name: [] for name in ("Python", "photo", "camera")}
    apart = []
    for picture, truth in zip(faces.images, faces.points, strict=True):
        here = [face.points for face in shelf.pipeline(picture)]
        photo = _points(look(page, shelf, picture, "photo"))
        page.evaluate("worked.worker.postMessage({type: 'reset'})")
        frame = _points(look(page, shelf, picture, "live"))
        for name, found in (("Python", here), ("photo", photo), ("camera", frame)):
            errors[name].append(_nearest(found, truth))
        apart += [_apart(points, here) for points in photo]
    for name, values in errors.items():
        known = np.array(values)
        found = np.isfinite(known)
        fact(
            f"LFPW test, {len(known)} faces, {name}: NME, missed",
            f"{known[found].mean():.3f}, {len(known) - found.sum()}",
        )
    far = np.array(apart)
    fact(
        "points of photos, browser's from Python's: median, 99 % of faces (their worst point)",
        f"{np.median(far):.3f}, {np.quantile(far, 0.99):.3f} pixels",
    )


def _points(answer: dict[str, Any]) -> list[np.ndarray]:
    return [np.array(face["points"]) for face in answer["faces"]]


def _nearest(found: list[np.ndarray], truth: np.ndarray) -> float:
    """NME of the face that is nearest to the truth; infinite where none is near."""
    errors = [float(point_errors(points[None], truth[None]).mean()) for points in found]
    return min((error for error in errors if error < 50), default=float("inf"))


def _apart(points: np.ndarray, others: list[np.ndarray]) -> float:
    """Pixels between a face's worst point and the same point of the nearest other face."""
    far = [float(np.linalg.norm(points - other, axis=1).max()) for other in others]
    return min(far, default=float("inf"))
