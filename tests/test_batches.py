"""Lists and streams of photos: the same answers as one by one, in order."""

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from captioning import Captioner
from facial_keypoints import Face, FacialKeypoints
from facial_keypoints.detection import cnn
from keypoints_captions.batches import run_batches
from keypoints_captions.photos.reader import read_photo
from tests.caption_world import make_captioner


@pytest.fixture(scope="module")
def find_faces() -> Iterator[FacialKeypoints]:
    """In float32, whose rounding does not hide a mixed-up photo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keypoints_captions.precision.fastest_precision", lambda *_: torch.float32)
        yield FacialKeypoints.load(device="cpu", engine="torch")


@pytest.fixture(scope="module")
def photos(examples: Path) -> list[np.ndarray]:
    """Photos of several sizes with no, one and two faces; some canvases have the same shape."""
    two, one, none = (
        read_photo(examples / f"{name}.jpg") for name in ("two_portraits", "astronaut", "coffee")
    )
    smaller = cv2.resize(two, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return [one, none, two, one[:, ::-1].copy(), smaller, one[:300], two]


def same(some: list[Face], others: list[Face]) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one.points, other.points, atol=0.02)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-3)
        assert one.score == pytest.approx(other.score, abs=1e-3)
        assert one.pose is not None and other.pose is not None
        assert one.pose.yaw == pytest.approx(other.pose.yaw, abs=0.1)


@pytest.mark.parametrize("detector", ["cnn", "haar"])
def test_faces_of_a_list_are_those_of_each_photo(
    find_faces: FacialKeypoints,
    photos: list[np.ndarray],
    detector: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = find_faces.using(detector)
    expected = [alone(photo) for photo in photos]
    assert len(expected[0]) == 1 and not expected[1] and len(expected[2]) >= 2
    for most_crops in (3, 32):
        monkeypatch.setattr("facial_keypoints.landmarks.predictor.MOST_CROPS", most_crops)
        for found, faces in zip(alone(photos), expected, strict=True):
            same(found, faces)
    assert find_faces([]) == []


def test_canvases_of_one_shape_share_a_run(
    find_faces: FacialKeypoints, photos: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = find_faces.detector
    assert isinstance(detector, cnn.CnnDetector)
    runs: list[int] = []
    run_network = detector.run_network

    def note(
        canvases: np.ndarray, min_score: float
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        runs.append(len(canvases))
        return run_network(canvases, min_score)

    monkeypatch.setattr(detector, "run_network", note)
    detector.many([photos[0]] * 5 + [photos[5]])
    assert sorted(runs) == [1, 1, 4]


def test_a_stream_tells_of_each_photo_in_order(
    find_faces: FacialKeypoints, photos: list[np.ndarray], examples: Path
) -> None:
    sources = [photos[0], examples / "no.jpg", examples / "two_portraits.jpg", photos[1]] * 6
    outcomes = list(find_faces.stream(source for source in sources))
    pairs = zip(outcomes, sources, strict=True)
    assert all(outcome.path is source for outcome, source in pairs)
    expected = [find_faces(photos[0]), find_faces(photos[2])]
    for first in range(0, len(outcomes), 4):
        one, missing, two, none = outcomes[first : first + 4]
        assert one.result is not None and two.result is not None and none.result == []
        same(one.result, expected[0])
        same(two.result, expected[1])
        assert missing.result is None and "no such file" in str(missing.error)


def test_captions_of_a_list_are_those_of_each_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captioning.captioner.BATCH", 3)
    captioner = Captioner.load(make_captioner(tmp_path))
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (40 + 9 * n, 90, 3), np.uint8) for n in range(5)]
    for options in ({}, {"method": "sample", "seed": 4}):
        alone = [captioner(photo, **options) for photo in photos]
        together = captioner(photos, **options)
        assert [[c.text for c in one] for one in together] == [[c.text for c in a] for a in alone]
        for one, other in zip(together, alone, strict=True):
            assert one[0].log_probability == pytest.approx(other[0].log_probability, rel=1e-4)
    streamed = list(captioner.stream_photos(iter([*photos, tmp_path / "no.jpg"])))
    assert [o.result[0].text for o in streamed[:5] if o.result] == [
        captioner(photo)[0].text for photo in photos
    ]
    assert streamed[5].error is not None


def test_an_endless_generator_is_taken_from_as_needed() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        number = 0
        while True:
            taken.append(number)
            yield number
            number += 1

    stream = run_batches(numbers(), lambda n: n, lambda batch: batch, batch_size=4, workers=2)
    assert [next(stream).result for _ in range(10)] == list(range(10))
    stream.close()  # type: ignore[attr-defined]
    assert len(taken) < 60


def test_large_photos_go_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keypoints_captions.batches.MOST_WAITING", 100)
    sizes: list[int] = []

    def handle(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        time.sleep(0.001)
        return batch

    run = run_batches(range(40), lambda n: n, handle, workers=2, weigh=lambda n: 60)
    assert [outcome.result for outcome in run] == list(range(40))
    assert max(sizes) == 2
