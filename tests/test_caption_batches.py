"""Photos captioned together: the same captions, one run of the model."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from captioning.captioner import Captioner
from captioning.options import SearchOptions
from tests.caption_world import make_captioner
from web.captions.batches import Batches
from web.models import ComputeSlots

OPTIONS = SearchOptions(num_captions=3)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Captioner:
    return Captioner.load(make_captioner(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def squares(captioner: Captioner, examples: Path) -> list[np.ndarray]:
    return [captioner.preprocessing.read(photo) for photo in sorted(examples.glob("*.jpg"))[:6]]


def captioned_together(
    batches: Batches, squares: list[np.ndarray], options: list[SearchOptions]
) -> list[list[str]]:
    """Texts for each photo; all wait before the first batch begins."""
    with ThreadPoolExecutor(len(squares)) as pool:
        with batches.slots.turn():
            asked = [
                pool.submit(batches.caption, *each) for each in zip(squares, options, strict=True)
            ]
            deadline = threading.Event()
            while len(batches._waiting) < len(squares):
                assert not deadline.wait(0.01)
        return [[caption.text for caption in each.result(60).captions] for each in asked]


def test_together_as_alone(captioner: Captioner, squares: list[np.ndarray]) -> None:
    alone = [
        [caption.text for caption in captioner.caption(captioner.look_at([square]), OPTIONS)[0]]
        for square in squares
    ]
    batches = Batches(captioner, ComputeSlots(1, cores=1))
    assert captioned_together(batches, squares, [OPTIONS] * len(squares)) == alone
    assert len({tuple(texts) for texts in alone}) > 1


def test_batches_are_as_large_as_they_may_be(
    captioner: Captioner, squares: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    look_at = captioner.look_at

    def counted(batch: list[np.ndarray]) -> object:
        sizes.append(len(batch))
        return look_at(batch)

    monkeypatch.setattr(captioner, "look_at", counted)
    batches = Batches(captioner, ComputeSlots(1, cores=1), size=4)
    captioned_together(batches, squares, [OPTIONS] * 6)
    assert sizes == [4, 2]
    sizes.clear()
    other = SearchOptions(num_captions=1)
    texts = captioned_together(batches, squares, [OPTIONS, other] * 3)
    assert sizes == [3, 3]
    assert [len(each) for each in texts] == [3, 1] * 3
    sizes.clear()
    captioned_together(batches, squares[:2], [SearchOptions(method="sample", seed=1)] * 2)
    assert sizes == [1, 1]


def test_what_is_kept_of_a_photo_is_its_own(
    captioner: Captioner, squares: list[np.ndarray]
) -> None:
    batches = Batches(captioner, ComputeSlots(2, cores=2))
    done = batches.caption(squares[0], OPTIONS)
    assert len(done.photos.places) == len(done.photos.hidden) == 1
    again = captioner.caption(done.photos, OPTIONS)[0]
    assert [caption.text for caption in again] == [caption.text for caption in done.captions]
    assert done.look_seconds > 0 and done.search_seconds > 0


def test_an_error_reaches_everybody_and_ends_nothing(
    captioner: Captioner, squares: list[np.ndarray]
) -> None:
    batches = Batches(captioner, ComputeSlots(1, cores=1))
    with pytest.raises(ValueError, match="not learnt the word"):
        batches.caption(squares[0], SearchOptions(first_words=("unheardof",)))
    assert batches.caption(squares[0], OPTIONS).captions
