"""Beam search and sampling on a small untrained decoder, which says the strangest things."""

import itertools

import numpy as np
import pytest
import torch

from captioning.decoder import Decoder, DecoderConfig, Photos
from captioning.engine.highest import highest
from captioning.engine.in_torch import TorchSpeaker, spoken
from captioning.rules import DANGLING_WORDS
from captioning.search import (
    Found,
    Rules,
    SearchOptions,
    beam_search,
    drain,
    log_probability,
    sample,
    sample_captions,
)
from captioning.vocabulary import END, PAD, SPECIAL_WORDS, START, UNKNOWN, Vocabulary

WORDS = ["a", "dog", "the", "cat", "on", "with", "runs", "sits", "red", "in", "ball", "of"]
VOCABULARY = Vocabulary([*SPECIAL_WORDS, *WORDS])


def make(seed: int, photos: int = 2) -> tuple[Decoder, Photos]:
    torch.manual_seed(seed)
    config = DecoderConfig(len(VOCABULARY), grid_channels=8, embed_size=16, heads=2)
    decoder = Decoder(config).eval()
    with torch.no_grad():
        decoder.words.weight.mul_(2)  # surer of itself
        decoder.output_bias[END] = -1
    return decoder, decoder.read(torch.randn(photos, 4, 8))


@torch.inference_mode()
def search(decoder: Decoder, photos: Photos, **options) -> list[list[Found]]:
    rules = Rules(VOCABULARY, SearchOptions(**options))
    how = sample_captions if rules.options.method == "sample" else beam_search
    return drain(how(TorchSpeaker(decoder), photos, rules))


def scored(decoder: Decoder, photos: Photos, words: tuple[int, ...]) -> float:
    """Log-probability of a caption of the first photo."""
    first = Photos(photos.grid[:1], photos.vector[:1])
    with torch.inference_mode():
        return log_probability(TorchSpeaker(decoder), first, words)


def test_exhaustive_search_finds_the_most_probable_caption() -> None:
    decoder, photos = make(3, photos=1)
    options = {"min_length": 1, "max_length": 2, "length_penalty": 0.0, "no_repeat": 0}
    speakable = [n for n in range(4, len(VOCABULARY))]
    ends = [n for n in speakable if VOCABULARY.words[n] not in DANGLING_WORDS]
    every = [(n,) for n in ends] + [(m, n) for m in speakable for n in ends]
    best = max(every, key=lambda words: scored(decoder, photos, words))
    (found,) = search(decoder, photos, beam_size=20, **options)
    assert found[0].words == best
    assert found[0].score == pytest.approx(scored(decoder, photos, best), abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 5000), (3, 700), (2, 9)])
def test_the_highest_values_come_in_order(shape: tuple[int, int]) -> None:
    """Many values are equal, or never to be taken; of equal ones the first counts as higher."""
    random = np.random.default_rng(0)
    values = random.integers(-40, 40, shape).astype(np.float32)
    values[values < -30] = -np.inf
    values[:1, : shape[1] // 2] = -np.inf
    sorted_places = np.argsort(-values, axis=1, kind="stable")
    np.testing.assert_array_equal(highest(values, 10), sorted_places[:, :10])
    nothing = np.full(shape, -np.inf, np.float32)
    np.testing.assert_array_equal(highest(nothing, 3), [[0, 1, 2]] * len(nothing))


def test_greedy_takes_the_best_word_each_time() -> None:
    decoder, photos = make(1, photos=1)
    (found,) = search(decoder, photos, beam_size=1, min_length=0, max_length=9, no_repeat=0)
    words = [START]
    with torch.inference_mode():
        for word in [*found[0].words, END]:
            logits, _ = decoder.explain(photos, torch.tensor([[words]]))
            allowed = spoken(logits)[0, 0, -1]
            if VOCABULARY.words[words[-1]] in DANGLING_WORDS:
                allowed[END] = -torch.inf
            if len(words) <= 9:
                assert word == allowed.argmax()
            words.append(word)


def test_what_is_told_of_a_caption_is_what_the_model_thinks() -> None:
    """The search keeps what it saw on its way; read again word by word, it is the same."""
    decoder, photos = make(2, photos=3)
    for options in ({"beam_size": 4, "num_captions": 3}, {"beam_size": 3, "first_words": ("a",)}):
        with torch.inference_mode():
            for photo, captions in enumerate(search(decoder, photos, **options)):
                one = Photos(photos.grid[photo : photo + 1], photos.vector[photo : photo + 1])
                for caption in captions:
                    words = torch.tensor([[[START, *caption.words]]])
                    expected = spoken(decoder.explain(one, words)[0])[0, 0].numpy()
                    np.testing.assert_allclose(
                        caption.evidence.log_probabilities, expected, atol=1e-4
                    )


def test_wider_beams_find_more_probable_captions() -> None:
    """Not certain for one photo, but so on average."""
    totals = {1: 0.0, 3: 0.0}
    for seed in range(8):
        decoder, photos = make(seed)
        for beam_size in totals:
            found = search(decoder, photos, beam_size=beam_size, length_penalty=0.0, no_repeat=0)
            totals[beam_size] += found[0][0].score
    assert totals[3] >= totals[1]


@pytest.mark.parametrize("method", ["beam", "sample"])
@pytest.mark.parametrize("seed", range(3))
def test_captions_keep_the_rules(method: str, seed: int) -> None:
    decoder, photos = make(seed)
    found = search(
        decoder, photos, method=method, num_captions=4, min_length=4, max_length=9, no_repeat=2,
        seed=seed,
    )  # fmt: skip
    for captions in found:
        assert len({caption.words for caption in captions}) == len(captions) >= 1
        assert sorted(captions, key=lambda c: -c.score) == captions
        for caption in captions:
            words = caption.words
            assert len(words) <= 9
            assert not {PAD, START, END, UNKNOWN} & set(words)
            assert VOCABULARY.words[words[-1]] not in DANGLING_WORDS
            pairs = list(itertools.pairwise(words))
            assert len(set(pairs)) == len(pairs)
            assert all(a != b for a, b in pairs)
            if method == "beam":
                assert len(words) >= 4


def test_batched_search_finds_what_single_search_finds() -> None:
    decoder, photos = make(5, photos=4)
    together = search(decoder, photos, beam_size=3, num_captions=2)
    for place, captions in enumerate(together):
        one = Photos(photos.grid[place : place + 1], photos.vector[place : place + 1])
        (alone,) = search(decoder, one, beam_size=3, num_captions=2)
        assert [c.words for c in alone] == [c.words for c in captions]


def test_captions_go_on_from_the_first_words() -> None:
    decoder, photos = make(2)
    for method in ("beam", "sample"):
        found = search(decoder, photos, method=method, first_words=("the", "red", "ball"), seed=1)
        assert all(captions[0].words[:3] == (6, 12, 14) for captions in found)
    with pytest.raises(ValueError, match="not learnt the word 'zebra'"):
        search(decoder, photos, first_words=("a", "zebra"))
    with pytest.raises(ValueError, match="not learnt the word '<unk>'"):
        search(decoder, photos, first_words=("<unk>",))


def test_sampling_follows_seed_temperature_and_top_p() -> None:
    decoder, photos = make(4)
    options = {"method": "sample", "num_captions": 3}
    assert search(decoder, photos, seed=7, **options) == search(decoder, photos, seed=7, **options)
    rules = Rules(VOCABULARY, SearchOptions(method="sample", top_p=1e-6, no_repeat=0, min_length=0))
    with torch.inference_mode():
        drawn = drain(sample(TorchSpeaker(decoder), photos, rules, 2))
        greedy = search(decoder, photos, beam_size=1, no_repeat=0, min_length=0)
    words = drawn[0, 0].tolist()
    if END in words[:-1]:  # not stopped by the maximum length
        assert tuple(words[: words.index(END)]) == greedy[0][0].words
    assert drawn[0, 0].tolist() == drawn[0, 1].tolist()


def test_sampled_frequencies_are_the_models_probabilities() -> None:
    decoder, photos = make(6, photos=1)
    options = SearchOptions(method="sample", top_p=1.0, no_repeat=0, min_length=0, max_length=1)
    rules = Rules(VOCABULARY, options)
    with torch.inference_mode():
        drawn = drain(sample(TorchSpeaker(decoder), photos, rules, 4000, np.random.default_rng(0)))
        logits, _ = decoder.explain(photos, torch.tensor([[[START]]]))
    counts = np.bincount(drawn[0, :, 0], minlength=len(VOCABULARY)) / 4000
    np.testing.assert_allclose(counts, spoken(logits)[0, 0, 0].exp().numpy(), atol=0.04)


OUT_OF_RANGE = {
    "beam_size": 0, "num_captions": 99, "method": "guess", "top_p": 0.0, "temperature": 0.0,
    "max_length": 0, "min_length": 50, "no_repeat": 1, "length_penalty": -1.0,
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE.items())
def test_options_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        SearchOptions(**{name: value})
