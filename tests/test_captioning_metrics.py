"""CIDEr-D against pycocoevalcap's, and the figures of the evaluation."""

import random

import pytest

from captioning.vocabulary import tokenize
from train.captioning import metrics as caption_metrics
from train.captioning.metrics import CiderD, score_captions


def invent(seed: int, photos: int) -> tuple[list[list[list[str]]], list[list[str]]]:
    """References (1 to 5 a photo) and captions of words that repeat often."""
    rng = random.Random(seed)
    words = tokenize("a dog cat runs on the grass red ball with man")

    def sentence() -> list[str]:
        return [rng.choice(words) for _ in range(rng.randint(1, 14))]

    references = [[sentence() for _ in range(rng.randint(1, 5))] for _ in range(photos)]
    captions = [sentence() for _ in range(photos)]
    captions[0] = list(references[0][0])
    return references, captions


@pytest.mark.parametrize("seed", range(3))
def test_cider_d_gives_pycocoevalcaps_figures(seed: int) -> None:
    from pycocoevalcap.cider.cider import Cider

    references, captions = invent(seed, 30)
    truth = {i: [" ".join(words) for words in group] for i, group in enumerate(references)}
    told = {i: [" ".join(words)] for i, words in enumerate(captions)}
    mean, each = Cider().compute_score(truth, told)
    scorer = CiderD(references)
    assert scorer.mean(captions) == pytest.approx(mean, abs=1e-9)
    assert [scorer.score(i, [words])[0] for i, words in enumerate(captions)] == pytest.approx(
        list(each), abs=1e-9
    )


def test_cider_d_rewards_what_the_references_say() -> None:
    scorer = CiderD([[["a", "dog", "runs", "fast"]], [["a", "cat", "sits", "here"]]])
    same, other = scorer.score(0, [["a", "dog", "runs", "fast"], ["a", "cat", "sits", "here"]])
    assert same == pytest.approx(10) and other == pytest.approx(0)


def test_scores_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_metrics, "java_found", lambda: False)
    references = [["A dog runs fast on grass.", "Dog!"], ["A cat sits here, on the mat."]]
    scores = score_captions(references, ["a dog runs fast on grass", "a dog runs fast on grass"])
    assert scores.tokenizer == "simple" and scores.meteor is None
    assert scores.distinct == 50 and scores.vocabulary == 6
    best = score_captions(references, ["a dog runs fast on grass", "a cat sits here on the mat"])
    assert best.bleu[3] == pytest.approx(100, abs=1e-3) and best.cider > scores.cider
