"""Rewards of sampled captions in self-critical training.

CIDEr-D alone pays for words that fit every photo of a kind. Four parts can be added to it: a
contrast with similar photos, a share for the content words that people agree on, gender words
that count only where people use them, and BLEU-4, which pays for whole phrases.
"""

import atexit
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol

import numpy as np

from captioning.people import MEN, NEUTRAL, WOMEN
from captioning.vocabulary import END, Vocabulary
from train.captioning.data import CaptionedPhoto
from train.captioning.metrics import CiderD, Words
from train.captioning.words.content import content_stems, stem_shares

MALE = MEN | {"he", "his", "him", "himself"}
FEMALE = WOMEN | {"she", "her", "herself"}
_AGREED = 0.6  # share of the captions with a word, from which people agree on it


@cache
def _bleu_4() -> Callable[[Sequence[Words], Words], float]:
    # Imported here: that takes a second, which trainings without this reward need not wait.
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    # One is added to the counts of two words and more (Lin and Och 2004): most captions share no
    # four words in a row with a person's, and would all earn 0.
    return partial(sentence_bleu, smoothing_function=SmoothingFunction().method2)


class Reward(Protocol):
    def __call__(self, photo: int, captions: Sequence[Words]) -> list[float]:
        """The reward of each of some captions of the training photo with this number."""
        ...


@dataclass(frozen=True)
class RewardWeights:
    """Of the parts beside CIDEr-D (1 is a CIDEr-D of 100 %); 0 leaves a part out."""

    contrast: float = 0.0  # of the mean CIDEr-D against the captions of similar photos, taken away
    words: float = 0.0  # of the share of agreed content words said, less that of unused ones
    gender: float = 0.0  # taken away where people use the other sex's words only
    bleu: float = 0.0  # of the smoothed BLEU-4 (0..1) of the caption alone


class CaptionReward:
    """The reward of captions of one set of training photos.

    neighbours: (N, K) int, the numbers of each photo's similar photos; any K, 0 too.
    """

    def __init__(
        self, photos: Sequence[CaptionedPhoto], weights: RewardWeights, neighbours: np.ndarray
    ) -> None:
        self.weights, self.neighbours = weights, neighbours.tolist()
        self.consensus = CiderD([[_ended(words) for words in photo.words] for photo in photos])
        self.people = [photo.words for photo in photos]
        self.shares = [stem_shares(photo) for photo in photos]
        self.sexes = [sexes_told(photo.words) for photo in photos]
        self.neutral = self.consensus
        if weights.gender:
            neutral = [[_ended(neutralised(words)) for words in p.words] for p in photos]
            self.neutral = CiderD(neutral)

    def __call__(self, photo: int, captions: Sequence[Words]) -> list[float]:
        rewards = np.array(self.consensus.score(photo, captions))
        if self.weights.contrast:
            others = [self.consensus.score(n, captions) for n in self.neighbours[photo]]
            rewards -= self.weights.contrast * np.mean(others, axis=0)
        if self.weights.words:
            rewards += self.weights.words * np.array([self._words(photo, c) for c in captions])
        if self.weights.bleu:
            rewards += self.weights.bleu * np.array([self._bleu(photo, c) for c in captions])
        if self.weights.gender:
            rewards = np.maximum(rewards, self._neutral(photo, captions, rewards))
            rewards -= self.weights.gender * np.array([self._wrong(photo, c) for c in captions])
        return rewards.tolist()

    def _words(self, photo: int, caption: Words) -> float:
        """-1..1: the share said of the words that people agree on, less the share of the
        caption's words that nobody uses."""
        shares, said = self.shares[photo], content_stems(_unended(caption))
        agreed = {stem for stem, share in shares.items() if share >= _AGREED}
        found = len(agreed & said) / len(agreed) if agreed else 0.5
        return found - len(said - shares.keys()) / max(1, len(said))

    def _bleu(self, photo: int, caption: Words) -> float:
        told = _unended(caption)
        return _bleu_4()(self.people[photo], told) if told else 0.0

    def _neutral(self, photo: int, captions: Sequence[Words], rewards: np.ndarray) -> np.ndarray:
        """Where a caption tells nobody's sex: its reward among captions that tell none either."""
        sexless = np.array([not (MALE | FEMALE).intersection(words) for words in captions])
        change = np.array(self.neutral.score(photo, captions))
        change -= self.consensus.score(photo, captions)
        return np.where(sexless, rewards + change, -np.inf)

    def _wrong(self, photo: int, caption: Words) -> bool:
        male, female = self.sexes[photo]
        says_male, says_female = (bool(sex.intersection(caption)) for sex in (MALE, FEMALE))
        return (says_male and female >= 2 and not male) or (
            says_female and male >= 2 and not female
        )


class PhotoRewards:
    """Rewards of captions as word numbers, for the photos of all training sets together.

    rewards: for each photo, its set's reward and its place in that set.
    workers: processes that share the work; it is done here where 0.
    """

    def __init__(
        self, vocabulary: Vocabulary, rewards: Sequence[tuple[Reward, int]], workers: int = 0
    ) -> None:
        self.vocabulary, self.rewards, self.workers = vocabulary, rewards, workers
        self._pool: Any = None
        if workers:  # forked, they have the rewards without a copy
            self._pool = multiprocessing.get_context("fork").Pool(workers, _work_for, (self,))
            atexit.register(self._pool.terminate)

    def __call__(
        self, photos: Sequence[int], captions: Sequence[Sequence[list[int]]]
    ) -> list[list[float]]:
        """photos: B numbers. captions: of each of them K rows of word numbers. Returns (B, K)."""
        pairs = list(zip(photos, captions, strict=True))
        if self._pool is None:
            return [self.of_photo(pair) for pair in pairs]
        return self._pool.map(_of_photo, pairs, chunksize=-(-len(pairs) // (2 * self.workers)))

    def of_photo(self, pair: tuple[int, Sequence[list[int]]]) -> list[float]:
        """The reward of each of the captions of one photo."""
        reward, place = self.rewards[pair[0]]
        words = [self.vocabulary.decode(row) + (["<end>"] if END in row else []) for row in pair[1]]
        return reward(place, words)


_of_this_process: PhotoRewards | None = None


def _work_for(rewards: PhotoRewards) -> None:
    global _of_this_process
    _of_this_process = rewards


def _of_photo(pair: tuple[int, Sequence[list[int]]]) -> list[float]:
    assert _of_this_process is not None
    return _of_this_process.of_photo(pair)


def sexes_told(captions: Sequence[Words]) -> tuple[int, int]:
    """Numbers of captions with words for men or boys, and for women or girls."""
    return (
        sum(bool(MALE.intersection(words)) for words in captions),
        sum(bool(FEMALE.intersection(words)) for words in captions),
    )


def neutralised(words: Words) -> list[str]:
    """The caption with words that tell nobody's sex."""
    return [NEUTRAL.get(word, word) for word in words]


def nearest(pooled: np.ndarray, count: int) -> np.ndarray:
    """(N, count) int64: for each row of (N, C) features the most similar others, by cosine."""
    unit = pooled / np.linalg.norm(pooled, axis=1, keepdims=True).clip(1e-9)
    found = []
    for start in range(0, len(unit), 1024):
        similar = unit[start : start + 1024] @ unit.T
        similar[np.arange(len(similar)), start + np.arange(len(similar))] = -np.inf
        found.append(np.argpartition(-similar, count - 1, axis=1)[:, :count])
    return np.concatenate(found)


def _ended(words: Words) -> list[str]:
    return [*words, "<end>"]


def _unended(words: Words) -> list[str]:
    return [word for word in words if word != "<end>"]
