"""Captions in the making, all those of a batch at once: words, state, and the way each has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from captioning.engine.speaker import Lift, Said, Speaker
from captioning.vocabulary import END, START


@dataclass(frozen=True)
class Evidence:
    """What the model thought in each place of a caption of T words, and after its last.

    log_probabilities: (T + 1, V) float32, of the word in this place after those before it.
    attention: (T + 1, P) float32, shares of the grid's places; None without attention.
    """

    log_probabilities: np.ndarray
    attention: np.ndarray | None

    def of(self, words: Sequence[int]) -> np.ndarray:
        """(T + 1,) log-probabilities of these words and of the caption's end."""
        return self.log_probabilities[np.arange(len(words) + 1), [*words, END]]


class Step(NamedTuple):
    """A caption in the making: the numbers of its words so far, and each one's log-probability
    after the ones before it."""

    words: list[int]
    log_probabilities: list[float]


class _Unsaid:
    """What the photos still add to the log-probabilities of N sequences, see `Lift`.

    rows: (N, tags + 1) float32, 0 for the tags of a sequence's words; the last for words without a
    tag.
    """

    def __init__(self, lift: Lift) -> None:
        self.rows = np.concatenate([lift.tags, np.zeros_like(lift.tags[:, :1])], axis=1)
        none = self.rows.shape[1] - 1
        self._tag_of = np.where(lift.tag_of < 0, none, lift.tag_of)
        self._total = np.zeros(len(lift.tags), np.float32)

    def forget(self, words: np.ndarray) -> None:
        """The sequences have said these words, (N,)."""
        self.rows[np.arange(len(words)), self._tag_of[words]] = 0

    def add(self, log_probabilities: np.ndarray) -> np.ndarray:
        """(N, V) log-probabilities with it; each row's probabilities sum to 1 again."""
        lifted = log_probabilities + np.take(self.rows, self._tag_of, axis=1)
        most = lifted.max(1, keepdims=True)
        total = most + np.log(np.exp(lifted - most).sum(1, keepdims=True))
        self._total = total[:, 0]
        return lifted - total

    def added(self, rows: np.ndarray, words: np.ndarray) -> np.ndarray:
        """(M,) what the last `add` has changed of the log-probability of each word in its row."""
        return self.rows[rows, self._tag_of[words]] - self._total[rows]


class Rows:
    """Sequences in the making: their words, their state, and the way that each has come.

    words: (N, 1 + t) int64, <start> first. told: (N, t) float32, their log-probabilities.
    added: (N,) float32, what the photos have added to the sum of these.
    """

    def __init__(self, speaker: Speaker, photos: Any, given: Sequence[int], sequences: int) -> None:
        """B * sequences rows; all but the last of the given words have been said."""
        self.speaker, self.photos = speaker, photos
        count = speaker.count(photos)
        self.history: list[Said] = []
        self.words = np.full((count, 1), START)
        self.told, self.added = np.zeros((count, 0), np.float32), np.zeros(count, np.float32)
        self._way = np.zeros((count, 0), np.int64)  # each step's row that a sequence was then
        self.state = speaker.start(photos)
        self._unsaid = _Unsaid(lift) if (lift := speaker.lift(photos)) else None
        every = np.arange(count)
        for word in given:
            self.say()
            self.grow(every, np.full(count, word))
        self._keep(every.repeat(sequences))

    def say(self) -> np.ndarray:
        """The log-probabilities, (N, V) float32, of each row's next word."""
        said = self.speaker.step(self.photos, self.state, np.ascontiguousarray(self.words[:, -1]))
        if self._unsaid:
            said = said._replace(log_probabilities=self._unsaid.add(said.log_probabilities))
        self.history.append(said)
        self.state = said.state
        return said.log_probabilities

    def grow(self, rows: np.ndarray, words: np.ndarray) -> None:
        """These rows, (M,) with repetitions, go on with these words, (M,)."""
        told = self.history[-1].log_probabilities[rows, words]
        added = self.added[rows] + self.adds(rows, words)
        self._keep(rows)
        self.added = added
        self.words = np.concatenate([self.words, words[:, None]], axis=1)
        self.told = np.concatenate([self.told, told[:, None]], axis=1)
        if self._unsaid:
            self._unsaid.forget(words)
        self._way = np.concatenate([self._way, rows[:, None]], axis=1)

    def adds(self, rows: np.ndarray, words: np.ndarray) -> np.ndarray:
        """(M,) float32, what the photos add to the log-probability of each word after its row."""
        return self._unsaid.added(rows, words) if self._unsaid else np.zeros(len(rows), np.float32)

    def way(self, row: int) -> list[int]:
        """The row that a sequence was at each step, and at the last one is."""
        return [*self._way[row].tolist(), row]

    def evidence(self, way: Sequence[int]) -> Evidence:
        """What the model thought at each step of this way."""
        steps = list(zip(self.history, way, strict=False))
        attention = [said.attention[row] for said, row in steps if said.attention is not None]
        return Evidence(
            np.stack([said.log_probabilities[row] for said, row in steps]),
            np.stack(attention) if attention else None,
        )

    def best(self) -> Step:
        """The first photo's first sequence."""
        return Step(self.words[0, 1:].tolist(), self.told[0].tolist())

    def _keep(self, rows: np.ndarray) -> None:
        self.words, self.told, self._way = self.words[rows], self.told[rows], self._way[rows]
        self.added = self.added[rows]
        self.state = self.speaker.take(self.state, rows)
        if self._unsaid:
            self._unsaid.rows = self._unsaid.rows[rows]
