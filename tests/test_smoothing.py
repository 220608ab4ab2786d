"""The One-Euro filter: still when the face is, quick when it moves, the same at every size."""

import numpy as np
import pytest

from facial_keypoints.video.smoothing import MAX_CARRY, MAX_GAP, OneEuroFilter, face_size
from tests.synthetic_faces import make_face

STEP = 40.0  # ms
REST = make_face(width=100.0).points.astype(np.float64)


def filtered(frames: np.ndarray, strength: float = 0.5) -> tuple[np.ndarray, OneEuroFilter]:
    """(N, 68, 2) through a new filter, `STEP` ms apart; and the filter after it."""
    smooth = OneEuroFilter(strength)
    return np.stack([smooth(points, index * STEP) for index, points in enumerate(frames)]), smooth


def jitter(frames: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum((frames - frames.mean(axis=0)) ** 2, axis=-1))))


@pytest.fixture
def noisy() -> np.ndarray:
    """Four seconds of a still face with a third of a pixel of noise."""
    return REST + np.random.default_rng(0).normal(0, 0.3, (100, 68, 2))


def test_a_still_face_gets_stiller_with_strength(noisy: np.ndarray) -> None:
    jitters = [jitter(filtered(noisy, strength)[0][25:]) for strength in (0.0, 0.25, 0.5, 1.0)]
    assert jitters == sorted(jitters, reverse=True)
    assert jitters[2] < 0.6 * jitters[0] and jitters[3] < 0.4 * jitters[0]


def test_strength_0_passes_points_through(noisy: np.ndarray) -> None:
    np.testing.assert_allclose(filtered(noisy, 0.0)[0], noisy, atol=1e-4)


def test_steady_motion_lags_little_and_gives_its_velocity() -> None:
    velocity = np.array([0.12, -0.05])  # pixels a millisecond: 1.3 widths of the face a second
    frames = REST + np.arange(50)[:, None, None] * STEP * velocity
    smooth, after = filtered(frames)
    lag = np.linalg.norm(smooth[-1] - frames[-1], axis=1).mean() / np.linalg.norm(velocity)
    assert lag < 12  # ms
    np.testing.assert_allclose(after.velocity, np.broadcast_to(velocity, (68, 2)), atol=2e-3)
    carried = after.at(49 * STEP + 60)
    np.testing.assert_allclose(carried, smooth[-1] + 60 * velocity, atol=0.2)


def test_a_turn_is_followed_within_a_few_frames() -> None:
    """A head that stops: the velocity must not carry the points on."""
    path = np.concatenate([np.arange(25.0), np.full(6, 24.0)]) * STEP * 0.2
    smooth, after = filtered(REST + path[:, None, None] * (1, 0))
    assert np.abs(after.velocity).max() < 0.05
    assert np.linalg.norm(smooth[-1] - (REST + np.array([path[-1], 0])), axis=1).max() < 2


@pytest.mark.parametrize("factor", [0.2, 7.0])
def test_faces_of_every_size_are_filtered_alike(noisy: np.ndarray, factor: float) -> None:
    moving = noisy + np.arange(100)[:, None, None] * (2.0, 0.0)
    small, big = filtered(moving)[0], filtered(moving * factor)[0]
    np.testing.assert_allclose(big, small * factor, rtol=1e-4, atol=1e-3)


def test_time_counts_not_frames() -> None:
    """A dropped frame in steady motion changes nothing but that frame."""
    frames = REST + np.arange(40)[:, None, None] * (3.0, 0.0)
    kept = [index for index in range(40) if index not in (20, 21, 30)]
    smooth = OneEuroFilter()
    for index in kept:
        last = smooth(frames[index], index * STEP)
    np.testing.assert_allclose(last, filtered(frames)[0][-1], atol=0.3)
    np.testing.assert_allclose(smooth.velocity[:, 0], 3.0 / STEP, atol=2e-3)


@pytest.mark.parametrize("time_ms", [-1.0, STEP, 2 * STEP, 2 * STEP + MAX_GAP + 1])
def test_an_odd_time_starts_afresh(time_ms: float) -> None:
    """Time that goes back, stands still or leaps."""
    _, smooth = filtered(REST + np.arange(3)[:, None, None] * (5.0, 5.0))
    far = REST + 200
    np.testing.assert_allclose(smooth(far, time_ms), far, atol=1e-3)
    assert not smooth.velocity.any()


def test_points_are_carried_forward_only_and_not_for_long() -> None:
    frames = REST + np.arange(20)[:, None, None] * (4.0, 0.0)
    smooth, after = filtered(frames)
    now = 19 * STEP
    np.testing.assert_allclose(after.at(now - 100), smooth[-1], atol=1e-3)
    np.testing.assert_allclose(after.at(now + 10 * MAX_CARRY), after.at(now + MAX_CARRY))


def test_a_rescaled_stream_goes_on() -> None:
    frames = REST + np.arange(40)[:, None, None] * (3.0, 1.0)
    whole, _ = filtered(frames)
    smooth = OneEuroFilter()
    for index in range(40):
        if index == 20:
            smooth.rescale(0.5)
        scale = 0.5 if index >= 20 else 1.0
        last = smooth((frames[index] + 0.5) * scale - 0.5, index * STEP)
    np.testing.assert_allclose(last, (whole[-1] + 0.5) * 0.5 - 0.5, atol=1e-3)


def test_face_size_is_near_the_width() -> None:
    assert 0.7 < face_size(make_face(width=100.0).points) / 100 < 1.1
    assert face_size(np.zeros((68, 2))) > 0  # may be divided by
