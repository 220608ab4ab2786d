"""The live figures' own arithmetic, on motion whose lag is known."""

import argparse
import os

import numpy as np
import pytest

from tests.synthetic_faces import make_face
from train.benchmark import live_browser as evaluate_live_browser
from train.benchmark.fake_camera import RATE as CAMERA_RATE
from train.benchmark.fake_camera import ROUTE, lag
from train.benchmark.live import RATE, ROUND_TRIP, STEADY_FILM, Answer, Show, fit_delay, steady
from train.benchmark.moving_face import Place, moved


def followed(delay: float, speed: float) -> Show:
    """Answers that show the face of `steady` as it was `delay` ms before, at that speed."""
    points = make_face().points
    at_rest = points - points.mean(axis=0) + [steady(0).x, steady(0).y]
    answers = []
    for time in np.arange(0.0, STEADY_FILM, 1000 / RATE):
        velocity = np.zeros((68, 2))
        velocity[:, 0] = speed * (time - delay > 1000)
        answers.append(Answer(time, moved(at_rest, steady(0), steady(time - delay)), velocity))
    return Show(answers)


@pytest.mark.parametrize("delay", [0.0, 40.0])
def test_what_moves_on_is_as_late_as_its_answers(delay: float) -> None:
    found, error = fit_delay(followed(delay, 0.2), steady)
    assert found == pytest.approx(delay, abs=2)
    assert error < 0.5


def test_what_stands_still_between_answers_is_late_by_their_way() -> None:
    found, error = fit_delay(followed(0.0, 0.0), steady)
    assert found == pytest.approx(ROUND_TRIP + 500 / RATE, abs=10)
    assert error > 1


@pytest.mark.parametrize("late", [0, 3])
def test_lag_of_a_drawing_that_is_frames_late(late: int) -> None:
    seen: list[list[float | None]] = [
        [n, ROUTE.place(n - late).x + 7, ROUTE.place(n - late).y] for n in range(ROUTE.frames)
    ]
    seen[40] = [40, None, None]
    assert lag(seen, ROUTE) == pytest.approx(1000 * late / CAMERA_RATE, abs=1)


def options(browser_seconds: float) -> argparse.Namespace:
    return argparse.Namespace(browser_seconds=browser_seconds, stream_minutes=0.0)


def test_a_missing_browser_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate_live_browser, "CHROMIUM", None)
    monkeypatch.setattr(evaluate_live_browser.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"Playwright .* and Chromium .* --browser-seconds 0"):
        evaluate_live_browser.check(options(20.0))
    evaluate_live_browser.check(options(0.0))


def test_streams_are_counted(app_address: str) -> None:
    figures = evaluate_live_browser.many_streams(app_address, os.getpid(), seconds=1.5, count=2)
    assert figures.errors == []
    assert len(figures.updates) == 2 and min(figures.updates) > 0
    assert figures.memory > 10


def test_place_of_the_route() -> None:
    assert ROUTE.place(0) == ROUTE.start
    middle = ROUTE.place(round(CAMERA_RATE * (ROUTE.rest + ROUTE.there / 2)))
    assert middle == Place(325, 240, 110, 3)
