"""Which of the captions found is told: read and weighed by the search, fitted by its command."""

import json
import math
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from captioning.captioner import DECODER_NAME, Captioner, load_decoder
from captioning.decoder import Photos
from captioning.engine.choice import FEATURES, Choice
from captioning.engine.in_torch import TorchSpeaker
from captioning.engine.speaker import Lift
from captioning.search import Found, Rules, SearchOptions, beam_search, drain, explain
from captioning.votes import VoteFacts, WordVotes
from keypoints_captions.weights import read_facts, save_model
from tests.caption_world import WORDS, make_captioner, make_photos
from tests.test_captioning_search import VOCABULARY, make
from train.captioning.words.choice import Candidates, choose, cross_chosen, fit, main
from train.command_line import UsageError

pytestmark = pytest.mark.usefixtures("shallow_encoders")

TAG_OF = np.array([{"dog": 0, "ball": 1, "cat": 1}.get(word, -1) for word in VOCABULARY.words])
USUAL = np.array([-1.0, -2.0])


class Voted(TorchSpeaker):
    """Lifts dogs, and balls and cats, which are one to it, in every photo."""

    weights: Sequence[float] = ()

    def lift(self, photos: Photos) -> Lift:
        tags = np.tile(np.array([[3.0, 1.0]], np.float32), (self.count(photos), 1))
        return Lift(tags, TAG_OF, Choice(self.weights, USUAL, 0.5) if self.weights else None)


@torch.inference_mode()
def search(weights: Sequence[float], photos: int = 2, **options) -> list[list[Found]]:
    decoder, seen = make(2)
    speaker = Voted(decoder)
    speaker.weights = weights
    return drain(
        beam_search(
            speaker,
            Photos(seen.grid[:photos], seen.vector[:photos]),
            Rules(VOCABULARY, SearchOptions(min_length=2, max_length=6, **options)),
            every=True,
        )
    )


def test_what_is_read_of_a_caption() -> None:
    choice = Choice([0.0] * len(FEATURES), USUAL, 0.5)
    lift = np.array([3.0, 1.0], np.float32)
    chances = 1 / (1 + math.exp(1 - 6)), 1 / (1 + math.exp(2 - 2))
    logs = sum(map(math.log, chances))
    read = choice.read(lift, np.array([0, 1]), 7, 4.0)
    assert read == pytest.approx((sum(chances), logs / 2, 0.5, 9))
    again = choice.read(lift, np.array([0, 1, 0]), 7, 4.0)
    assert again == pytest.approx((sum(chances), (logs - 5) / 3, 0.5, 9))
    assert choice.read(lift, np.array([], int), 10, 0.0) == (0, -5, 0, 0)


def test_the_search_ranks_by_it() -> None:
    weights = (0.5, 0.2, -1.0, -0.01)
    plain = {found.words: found for found in search((0.0,) * len(FEATURES))[0]}
    chosen = search(weights)[0]
    assert {found.words for found in chosen} == plain.keys() and len(plain) > 3
    for found in chosen:
        assert found.read == pytest.approx(plain[found.words].read)
        more = np.dot(weights, found.read)
        assert found.score == pytest.approx(plain[found.words].score + more, abs=1e-5)
    scores = [found.score for found in chosen]
    assert scores == sorted(scores, reverse=True)
    assert search(())[0][0].read == ()


def test_a_photo_is_chosen_for_alike_alone_and_among_others() -> None:
    together, alone = search((0.5, 0.2, -1.0, -0.01)), search((0.5, 0.2, -1.0, -0.01), photos=1)
    assert [found.words for found in together[0]] == [found.words for found in alone[0]]


@torch.inference_mode()
def test_what_the_votes_add_is_what_they_change() -> None:
    decoder, photos = make(2)
    for photo in search((0.0,) * len(FEATURES)):
        for found in photo:
            assert found.read[2] * (len(found.words) + 1) == pytest.approx(
                sum(found.evidence.of(found.words) - _plain(decoder, photos, photo, found)),
                abs=1e-3,
            )


def _plain(decoder, photos: Photos, captions: list[Found], found: Found) -> np.ndarray:
    """The log-probabilities of its words without votes."""
    both = search((0.0,) * len(FEATURES))
    number = next(n for n, each in enumerate(both) if found in each and each == captions)
    thought = explain(TorchSpeaker(decoder), photos, [[found.words]] * 2)
    return thought[number][0].of(found.words)


def test_weights_for_other_features_are_refused() -> None:
    with pytest.raises(ValueError, match="fitted for hunger; fit it again"):
        Choice.from_dict({"weights": {"hunger": 1.0}}, 0.45)
    kept = Choice((1.0, 2.0, 3.0, 4.0), USUAL, 0.45)
    read = Choice.from_dict(json.loads(json.dumps(kept.to_dict())), 0.45)
    assert read.weights == kept.weights and read.usual.tolist() == USUAL.tolist()


def test_the_fit_learns_what_tells_good_captions() -> None:
    """The search's score and the third feature tell them, the latter the wrong way round."""
    draw, candidates = np.random.default_rng(0), []
    for _ in range(200):
        read = draw.normal(size=(6, 1 + len(FEATURES)))
        candidates.append(Candidates([], [], read, read[:, 0] - 2 * read[:, 3]))
    weights = fit(candidates, [1.0] * len(candidates))
    assert weights == pytest.approx([0, 0, -2, 0], abs=0.02)
    best = [int(one.right.argmax()) for one in candidates]
    assert cross_chosen(candidates, [1.0] * len(candidates)) == best
    assert choose(candidates[0], weights) == best[0]
    wrong = [Candidates([], [], one.read, -one.read[:, 0]) for one in candidates]
    with pytest.raises(UsageError, match="too few photos"):
        fit(wrong, [1.0] * len(wrong))


def test_the_command_writes_what_the_captioner_chooses_by(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, photos = make_captioner(tmp_path / "weights"), make_photos(tmp_path)
    for name in ("coco_val", "flickr8k_val", "coco_train", "flickr8k_train"):
        shutil.copy(photos, tmp_path / f"{name}.json")
    command = ["--data", str(tmp_path), "--weights", str(weights)]
    with pytest.raises(UsageError, match="no votes to choose by"):
        main(command)
    _vote(weights)
    monkeypatch.setattr("train.captioning.metrics.java_found", lambda: False)
    rng = random.Random(0)
    monkeypatch.setattr(
        "train.captioning.words.choice.fit", lambda *_: np.array([rng.random()] * 4)
    )
    main(command)
    table = capsys.readouterr().out
    assert "| coco_val | chosen | " in table and "| flickr8k_val | the search's first | " in table
    choice = Captioner.load(weights).speaker.choice
    assert choice is not None and len(set(choice.weights)) == 1 and choice.weights[0] > 0
    assert choice.usual[0] > choice.usual[1]  # a quarter of the captions say "red", none "dog"


def _vote(weights: Path) -> None:
    """Gives the decoder votes for red things and for dogs."""
    decoder, facts = load_decoder(weights), read_facts(weights / DECODER_NAME)
    tag_of = [{"red": 0, "dog": 1}.get(word, -1) for word in facts["vocabulary"]]
    assert set(tag_of) == {0, 1, -1} and "red" in WORDS
    votes = VoteFacts(["red", "dog"], tag_of)
    decoder.votes = WordVotes(votes)
    kept = {name: facts[name] for name in ("architecture", "vocabulary")}
    told = {"tags": votes.tags, "tag_of": votes.tag_of, "strength": votes.strength}
    save_model(weights / DECODER_NAME, decoder.state_dict(), {**kept, "votes": told}, half=True)
