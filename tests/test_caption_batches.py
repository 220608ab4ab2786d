"""Photos captioned together: the same captions, one run of the model."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from captioning.captioner import Captioner
from captioning.options import SearchOptions
from keypoints_captions.photos.reader import PhotoError, read_photo
from tests.caption_world import make_captioner
from web.captions.batches import Batches
from web.models import ComputeSlots

OPTIONS = SearchOptions(num_captions=3)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Captioner:
    return Captioner.load(make_captioner(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def photos(examples: Path) -> list[Path]:
    return sorted(examples.glob("*.jpg"))[:6]


def wait_for(batches: Batches, count: int) -> None:
    """Until so many photos wait."""
    deadline = time.monotonic() + 60
    while len(batches._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def captioned_together(
    batches: Batches, photos: list[Path], options: list[SearchOptions]
) -> list[list[str]]:
    """Texts for each photo; all wait before the first batch begins."""
    with ThreadPoolExecutor(len(photos)) as pool:
        with batches.slots.turn():
            asked = [
                pool.submit(batches.caption, *each) for each in zip(photos, options, strict=True)
            ]
            wait_for(batches, len(photos))
        return [[caption.text for caption in each.result(60).captions] for each in asked]


def test_together_as_alone(captioner: Captioner, photos: list[Path]) -> None:
    alone = [
        [caption.text for caption in captioner.caption(captioner.look_at([square]), OPTIONS)[0]]
        for square in map(captioner.preprocessing.read, photos)
    ]
    batches = Batches(captioner, ComputeSlots(1, cores=1))
    assert captioned_together(batches, photos, [OPTIONS] * len(photos)) == alone
    assert len({tuple(texts) for texts in alone}) > 1


def test_batches_are_as_large_as_they_may_be(
    captioner: Captioner, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    look_at = captioner.look_at

    def counted(batch: list) -> object:
        sizes.append(len(batch))
        return look_at(batch)

    monkeypatch.setattr(captioner, "look_at", counted)
    batches = Batches(captioner, ComputeSlots(1, cores=1), size=4)
    captioned_together(batches, photos, [OPTIONS] * 6)
    assert sizes == [4, 2]
    sizes.clear()
    other = SearchOptions(num_captions=1)
    texts = captioned_together(batches, photos, [OPTIONS, other] * 3)
    assert sizes == [3, 3]
    assert [len(each) for each in texts] == [3, 1] * 3
    sizes.clear()
    captioned_together(batches, photos[:2], [SearchOptions(method="sample", seed=1)] * 2)
    assert sizes == [1, 1]


def test_what_is_kept_of_a_photo_is_its_own(captioner: Captioner, photos: list[Path]) -> None:
    batches = Batches(captioner, ComputeSlots(2, cores=2))
    done = batches.caption(photos[0], OPTIONS)
    assert len(done.photos.places) == len(done.photos.hidden) == 1
    again = captioner.caption(done.photos, OPTIONS)[0]
    assert [caption.text for caption in again] == [caption.text for caption in done.captions]
    assert done.look_seconds > 0 and done.search_seconds > 0


def test_a_photo_that_cannot_be_read_disturbs_no_other(
    captioner: Captioner, photos: list[Path], tmp_path: Path
) -> None:
    batches = Batches(captioner, ComputeSlots(1, cores=1))
    (tmp_path / "text.jpg").write_text("no photo")
    (alone,) = captioned_together(batches, photos[:1], [OPTIONS])
    with ThreadPoolExecutor(3) as pool:
        with batches.slots.turn():
            sources = [photos[0], tmp_path / "text.jpg", photos[1]]
            asked = [pool.submit(batches.caption, source, OPTIONS) for source in sources]
            wait_for(batches, len(sources))
        with pytest.raises(PhotoError, match="text"):
            asked[1].result(60)
        assert [caption.text for caption in asked[0].result(60).captions] == alone
        expected = read_photo(photos[1], max_side=captioner.preprocessing.read_side)
        assert (asked[2].result(60).image == expected).all()
    with pytest.raises(PhotoError, match="text"):
        batches.caption(tmp_path / "text.jpg", OPTIONS)


def test_an_error_reaches_everybody_and_ends_nothing(
    captioner: Captioner, photos: list[Path]
) -> None:
    batches = Batches(captioner, ComputeSlots(1, cores=1))
    with pytest.raises(ValueError, match="not learnt the word"):
        batches.caption(photos[0], SearchOptions(first_words=("unheardof",)))
    assert batches.caption(photos[0], OPTIONS).captions


def test_a_failure_after_the_captions_reaches_those_who_wait_and_nobody_else(
    captioner: Captioner, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    batches = Batches(captioner, ComputeSlots(1, cores=1))
    kind = type(captioner.look_at([captioner.preprocessing.read(photos[0])]))
    with monkeypatch.context() as patch:
        patch.setattr(kind, "one", no_memory)
        with pytest.raises(MemoryError):
            batches.caption(photos[0], OPTIONS)
    assert batches.caption(photos[0], OPTIONS).captions
