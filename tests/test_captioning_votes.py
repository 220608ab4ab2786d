"""What the photo's places vote for: learnt, written with the decoder, and heard by the search."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from captioning.captioner import Captioner, load_parts
from captioning.decoder import Photos
from captioning.encoder import GRID_CHANNELS
from captioning.engine.in_torch import TorchSpeaker
from captioning.engine.rows import Rows
from captioning.engine.speaker import Lift
from captioning.engine.speaker import Photos as Begun
from captioning.search import Rules, SearchOptions, beam_search, drain
from captioning.votes import VoteFacts, WordVotes
from keypoints_captions.photos.reader import read_photo
from tests.caption_world import make_captioner, make_world, tiny_options
from tests.test_captioning_search import VOCABULARY, make
from train.captioning.__main__ import main
from train.captioning.data import load_set
from train.engine.checkpoints import load_checkpoint
from train.export.__main__ import main as export_graphs

pytestmark = pytest.mark.usefixtures("shallow_encoders")

SIZES = ("--embed-size", "32", "--heads", "2")  # of `make_captioner`'s decoder


class Lifted(TorchSpeaker):
    """Lifts balls and dogs, which are one to it, in the first photo, and nothing in the others."""

    def lift(self, photos: Photos) -> Lift:
        tags = np.zeros((self.count(photos), 1), np.float32)
        tags[0] = 8
        tag_of = [0 if word in ("ball", "dog") else -1 for word in VOCABULARY.words]
        return Lift(tags, np.array(tag_of))


@torch.inference_mode()
def test_a_lifted_word_is_said_once() -> None:
    decoder, photos = make(2)
    rules = Rules(VOCABULARY, SearchOptions(min_length=3, max_length=8))
    plain = drain(beam_search(TorchSpeaker(decoder), photos, rules))
    lifted = drain(beam_search(Lifted(decoder), photos, rules))
    said = [VOCABULARY.words[number] for number in lifted[0][0].words]
    assert ("ball" in said) + ("dog" in said) == 1
    assert lifted[1][0].words == plain[1][0].words


@torch.inference_mode()
def test_captions_that_agree_with_the_photo_come_first() -> None:
    """The search ranks by the plain score and the mean of what the photo adds to the words."""
    decoder, photos = make(2)
    speaker = Lifted(decoder)
    options = {"min_length": 2, "max_length": 6, "num_captions": 6, "spread": 1}
    found = {}
    for weight in (0.0, 0.4):
        rules = Rules(VOCABULARY, SearchOptions(agreement=weight, **options))
        found[weight] = drain(beam_search(speaker, photos, rules))
    plain = {caption.words: caption.score for caption in found[0.0][0]}
    for caption in found[0.4][0]:
        says = [VOCABULARY.words[number] in ("ball", "dog") for number in caption.words]
        expected = plain[caption.words] + (0.4 * 8 / sum(says) if any(says) else 0)
        assert caption.score == pytest.approx(expected, abs=1e-5)
    scores = [caption.score for caption in found[0.4][0]]
    assert scores == sorted(scores, reverse=True)
    assert [caption.words for caption in found[0.4][1]] == [one.words for one in found[0.0][1]]


@torch.inference_mode()
def test_more_captions_than_the_beam_are_followed_where_the_photo_chooses() -> None:
    decoder, photos = make(3)
    for speaker, rows in ((Lifted(decoder), 6), (TorchSpeaker(decoder), 3)):
        seen = []
        step = speaker.step
        speaker.step = lambda *given, step=step, seen=seen: (
            seen.append(len(given[2])) or step(*given)
        )  # type: ignore[method-assign]
        drain(beam_search(speaker, photos, Rules(VOCABULARY, SearchOptions(beam_size=3))))
        assert max(seen) == rows * speaker.count(photos)


@torch.inference_mode()
def test_lifted_probabilities_sum_to_one_and_fall_back() -> None:
    decoder, photos = make(2)
    (ball,) = VOCABULARY.encode(["ball"])
    rows, others = Rows(Lifted(decoder), photos, [], 1), Rows(TorchSpeaker(decoder), photos, [], 1)
    heard, plain = rows.say(), others.say()
    np.testing.assert_allclose(np.exp(heard).sum(1), 1, rtol=1e-5)
    assert heard[0, ball] > plain[0, ball] + 1
    np.testing.assert_allclose(heard[1], plain[1], atol=1e-5)
    for each in (rows, others):
        each.grow(np.arange(2), np.array([ball, ball]))
    np.testing.assert_allclose(rows.say(), others.say(), atol=1e-5)  # it has been said


def test_votes_are_cut_off() -> None:
    votes = WordVotes(VoteFacts(["dog", "park"], [-1, 0, 0, 1], 0.5, -3.0, 4.0))
    torch.nn.init.zeros_(votes.votes.places.weight)
    with torch.no_grad():
        votes.votes.places.bias[:] = torch.tensor([9.0, -1.0])
        lift = votes(torch.rand(2, 4, GRID_CHANNELS))
    torch.testing.assert_close(lift, torch.tensor([[2.0, -0.5]] * 2))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a tiny captioner whose votes have been trained."""
    folder = tmp_path_factory.mktemp("votes")
    world, weights = make_world(folder), make_captioner(folder / "start")
    options = [*tiny_options(world, "run"), "--start-from", str(weights), *SIZES]
    options += ["--votes-epochs", "30", "--votes-min-photos", "1", "--votes-batch", "4"]
    main(["votes", *options, "--votes-rate", "3e-2", "--ema", "0.5"])
    main(["export", *options, "--weights", str(folder / "out")])
    best = load_checkpoint(folder / "run" / "votes" / "best.pt")
    assert best is not None and best["scores"]["photos"] > 60
    return folder / "out"


def test_trained_votes_lift_what_a_photo_shows(learnt: Path) -> None:
    facts = json.loads((learnt / "captioning_decoder.json").read_text())
    assert {"red", "blue"} <= set(facts["votes"]["tags"])
    captioner = Captioner.load(learnt, engine="torch")
    photos = load_set(str(learnt.parent / "photos.json"))
    number = {word: facts["votes"]["tags"].index(word) for word in ("red", "blue")}
    assert captioner.speaker.tag_of[captioner.vocabulary.encode(["red"])[0]] == number["red"]
    seen = captioner.look([read_photo(photo.path) for photo in photos])
    assert seen.lift is not None
    for photo, lift in zip(photos, seen.lift, strict=True):
        if "red" in photo.captions[0]:
            assert lift[number["red"]] > lift[number["blue"]]
        if "blue" in photo.captions[0]:
            assert lift[number["blue"]] > lift[number["red"]]


def test_every_engine_hears_them_and_says_what_the_decoder_says(learnt: Path) -> None:
    export_graphs(["captioning_encoder", "captioning_decoder", "--weights", str(learnt)])
    grid = np.random.default_rng(0).random((2, 4, GRID_CHANNELS), np.float32)
    rows, words = np.repeat([0, 1], 3), np.array([[4, 5, 6, 7, 8, 9], [9, 4, 8, 6, 5, 7]])
    decoder = load_parts(learnt).decoder.eval()
    with torch.no_grad():
        read = decoder.read(torch.from_numpy(grid))
    plain = TorchSpeaker(decoder)
    first = plain.step(read, plain.take(plain.start(read), rows), words[0])
    second = plain.step(read, first.state, words[1])
    lifts, looks = [], []
    for engine in ("torch", "openvino"):
        speaker = Captioner.load(learnt, engine=engine, exact=True).speaker
        photos = Begun(**speaker._start(grid=grid))
        said = speaker.step(photos, speaker.take(speaker.start(photos), rows), words[0])
        then = speaker.step(photos, said.state, words[1])
        for mine, known in ((said, first), (then, second)):
            np.testing.assert_allclose(mine.log_probabilities, known.log_probabilities, atol=1e-3)
        lifts.append(photos.lift)
        looks.append(then.attention)
    np.testing.assert_allclose(lifts[0], lifts[1], atol=1e-3)
    np.testing.assert_allclose(looks[0], looks[1], atol=1e-3)


def test_weights_trained_on_keep_their_votes(learnt: Path, tmp_path: Path) -> None:
    options = [*tiny_options(make_world(tmp_path), "more"), "--start-from", str(learnt), *SIZES]
    main(["xe", *options, "--xe-epochs", "1"])
    main(["export", *options, "--weights", str(tmp_path / "more")])
    before, after = load_parts(learnt).decoder.votes, load_parts(tmp_path / "more").decoder.votes
    assert before is not None and after is not None
    torch.testing.assert_close(after.state_dict(), before.state_dict())
