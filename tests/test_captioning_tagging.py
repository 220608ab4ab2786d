"""The encoder's tuning by the words of the captions: targets, and a tiny run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.caption_world import make_captioner, make_world, tiny_options
from train.captioning.__main__ import Training, parse
from train.captioning.data import CaptionedPhoto
from train.captioning.tagging import TaggingConfig, Tags, train
from train.engine import Process, load_checkpoint

CPU = torch.device("cpu")


def photo(*captions: str) -> CaptionedPhoto:
    return CaptionedPhoto(Path("none.jpg"), captions, tuple(tuple(c.split()) for c in captions))


def test_targets_are_the_share_of_captions_that_use_a_word() -> None:
    photos = [photo("a dog runs", "two dogs running", "a park", "the dog"), photo("a park")]
    tags = Tags(photos, min_photos=1)
    shares = dict(zip(tags.stems, tags.targets(photos[0]), strict=True))
    assert shares == pytest.approx({"dog": 0.75, "run": 0.5, "park": 0.25, "two": 0.25})
    assert Tags(photos, min_photos=2).stems == ["park"]


def test_a_tiny_run_learns_ends_and_hands_on_its_encoder(tmp_path: Path) -> None:
    world, folder = make_world(tmp_path), tmp_path / "tagging"
    weights = make_captioner(tmp_path / "weights")
    config = TaggingConfig(
        min_photos=1, size=64, batch=4, smallest_crop=1.0, minutes=0.25, rate=1e-3,
        encoder_rate=1e-5, ema=0.8,
    )  # fmt: skip
    sources = [world.annotations]
    train(config, sources, sources, weights, folder)
    best = load_checkpoint(folder / "tag" / "best.pt", CPU)
    last = load_checkpoint(folder / "last.pt", CPU)
    assert best is not None and last is not None
    assert np.mean(last["losses"][-4:]) < 0.6 * np.mean(last["losses"][:4])
    train(config, sources, sources, weights, folder)
    again = load_checkpoint(folder / "last.pt", CPU)
    assert again is not None and again["step"] == last["step"]

    options, _ = parse(["xe", *tiny_options(world, "next"), "--start-from", str(folder)])
    _, encoder = Training(options, tmp_path / "next", Process(0, 1, CPU)).latest(before="xe")
    for name, value in encoder.state_dict().items():
        np.testing.assert_array_equal(value, best["encoder"][name], err_msg=name)
