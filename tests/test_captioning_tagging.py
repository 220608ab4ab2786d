"""The encoder's tuning by the words of the captions: targets, and a tiny run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from captioning.encoder import fold_batch_norm
from tests.caption_world import make_captioner, make_world, tiny_options, untrained_resnet
from train.captioning.__main__ import main, parse
from train.captioning.data import CaptionedPhoto
from train.captioning.run import CaptionRun
from train.captioning.squares import random_views
from train.captioning.stages import STAGES
from train.captioning.tagging import Tags
from train.engine.checkpoints import load_checkpoint, save_checkpoint
from train.engine.processes import Process

pytestmark = pytest.mark.usefixtures("shallow_encoders")

CPU = torch.device("cpu")


def photo(*captions: str) -> CaptionedPhoto:
    return CaptionedPhoto(Path("none.jpg"), captions, tuple(tuple(c.split()) for c in captions))


def test_targets_are_the_share_of_captions_that_use_a_word() -> None:
    photos = [photo("a dog runs", "two dogs running", "a park", "the dog"), photo("a park")]
    tags = Tags(photos, min_photos=1)
    shares = dict(zip(tags.stems, tags.targets(photos[0]), strict=True))
    assert shares == pytest.approx({"dog": 0.75, "run": 0.5, "park": 0.25, "two": 0.25})
    assert Tags(photos, min_photos=2).stems == ["park"]


def encoder_of_next_run(folder: Path, start: Path, *options: str) -> dict[str, torch.Tensor]:
    world = make_world(folder)
    given, _ = parse(["xe", *tiny_options(world, "next"), "--start-from", str(start), *options])
    run = CaptionRun(given, list(STAGES), folder / "next", Process(0, 1, CPU))
    return run.encoder(before="xe").state_dict()


def test_a_tiny_run_learns_and_hands_on_its_encoder(tmp_path: Path, capsys) -> None:
    world, weights = make_world(tmp_path), make_captioner(tmp_path / "weights")
    options = [*tiny_options(world, "tagging"), "--start-from", str(weights)]
    options += ["--tagging-epochs", "12", "--tagging-min-photos", "1", "--tagging-batch", "4"]
    options += ["--tagging-smallest-crop", "1.0", "--tagging-encoder-rate", "1e-5"]
    options += ["--tagging-rate", "5e-3", "--tagging-ema", "0.5", "--tagging-validate-every", "4"]
    main(["tagging", *options])
    best = load_checkpoint(tmp_path / "tagging" / "tagging" / "best.pt")
    last = load_checkpoint(tmp_path / "tagging" / "tagging" / "last.pt")
    assert best is not None and last is not None and last["done"]
    assert best["scores"]["photos"] > 60
    for name, value in encoder_of_next_run(tmp_path, tmp_path / "tagging").items():
        np.testing.assert_array_equal(value, best["encoder"][name], err_msg=name)


def test_the_seed_is_that_of_the_votes_too(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    options = [*tiny_options(world, "none"), "--votes-epochs", "1", "--votes-min-photos", "1"]
    options += ["--votes-rate", "0"]
    learnt = []
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(100 + number)  # as other stages leave it
        run = ["--seed", str(seed), "--checkpoints", str(tmp_path / str(number))]
        main(["votes", *options, *run])
        last = load_checkpoint(tmp_path / str(number) / "votes" / "last.pt")
        assert last is not None
        learnt.append(last["model"]["places.weight"])
    assert torch.equal(learnt[0], learnt[1])
    assert not torch.equal(learnt[0], learnt[2])


def test_the_encoder_of_an_earlier_versions_tagging_is_taken(tmp_path: Path) -> None:
    """It lies in the folder `tag`, with the votes and stems but without a decoder."""
    encoder = fold_batch_norm(untrained_resnet().state_dict())
    save_checkpoint(tmp_path / "old" / "tag" / "best.pt", encoder=encoder, votes={}, stems=[])
    found = encoder_of_next_run(tmp_path, tmp_path / "old", "--fresh-decoder")
    for name, value in found.items():
        np.testing.assert_array_equal(value, encoder[name], err_msg=name)


def test_a_decoder_learns_beside_the_votes(tmp_path: Path) -> None:
    options = tiny_options(make_world(tmp_path), "both")
    options += ["--tagging-epochs", "8", "--tagging-min-photos", "1", "--tagging-batch", "4"]
    options += ["--tagging-smallest-crop", "0.9", "--tagging-ema", "0.5"]
    options += ["--tagging-encoder-rate", "1e-5", "--tagging-decoder-rate", "1e-2"]
    main(["tagging", *options, "--tagging-validate-every", "4"])
    best = load_checkpoint(tmp_path / "both" / "tagging" / "best.pt")
    assert best is not None and best["scores"]["epoch"] in (4, 8)
    assert best["scores"]["photos CIDEr-D"] > 100  # an untrained decoder's are next to nothing
    run = CaptionRun(
        parse(["xe", *options])[0], list(STAGES), tmp_path / "both", Process(0, 1, CPU)
    )
    for name, value in run.decoder(before="xe").state_dict().items():
        np.testing.assert_array_equal(value, best["decoder"][name], err_msg=name)


def test_views_are_parts_of_the_square() -> None:
    ramp = torch.arange(64, dtype=torch.uint8)[:, None].expand(64, 64)
    pixels = torch.stack([ramp, ramp.T, torch.full_like(ramp, 90)], -1)[None].repeat(200, 1, 1, 1)
    torch.manual_seed(0)
    views = random_views(pixels, torch.arange(200) < 100, 32, smallest=0.5)
    assert views.shape == (200, 32, 32, 3) and views.min() >= 0 and views.max() <= 255
    plain = [view for view in views if torch.allclose(view[..., 2], torch.tensor(90.0), atol=0.01)]
    assert 40 < len(plain) < 120  # the others have another colour or a hidden part
    for view in plain:
        rows, columns = view[:, 0, 0].diff(), view[0, :, 1].diff()
        assert (rows > 0).all() and rows.max() <= 2.01  # never upside down, never shrunk
        assert columns.min() * columns.max() > 0
    falling = [bool(view[0, 0, 1] > view[0, -1, 1]) for view in views[100:]]
    assert not any(falling)


def test_whole_squares_are_themselves() -> None:
    pixels = torch.randint(0, 255, (50, 24, 24, 3), dtype=torch.uint8)
    views = random_views(pixels, torch.zeros(50, dtype=torch.bool), 24, smallest=1.0)
    same = [torch.allclose(v, p.float(), atol=0.05) for v, p in zip(views, pixels, strict=True)]
    assert 8 < sum(same) < 35
