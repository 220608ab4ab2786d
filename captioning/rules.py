"""What a caption must not do: end on \"with the\", say the same twice, be too short or too long."""

from collections.abc import Sequence

import numpy as np

from captioning.options import SearchOptions
from captioning.vocabulary import END, UNKNOWN, Vocabulary, tokenize

# No caption ends on these: an article, preposition or conjunction announces another word.
DANGLING_WORDS = frozenset(
    tokenize(
        "a an the its his her their and or but while as that with of in on at to from by for into "
        "onto over under near next through behind beside between above below is are"
    )
)


class Rules:
    """What a caption must not do, as masks over the next word."""

    def __init__(self, vocabulary: Vocabulary, options: SearchOptions) -> None:
        self.vocabulary = vocabulary
        self.options = options
        banned = frozenset() if options.dangling_ends else DANGLING_WORDS
        self.dangling = np.array([word in banned for word in vocabulary.words])  # (V,) bool

    def first_words(self) -> list[int]:
        """Numbers of the given first words; ValueError where the model has not learnt one."""
        for word in self.options.first_words:
            if word not in self.vocabulary or self.vocabulary.encode([word])[0] <= UNKNOWN:
                raise ValueError(f"the captioner has not learnt the word {word!r}; choose another")
        return self.vocabulary.encode(self.options.first_words)

    def allow(self, log_probabilities: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Log-probabilities with -inf for what must not follow.

        log_probabilities: (N, V); words: (N, t), those so far, <start> first.
        """
        allowed = log_probabilities.copy()
        length = words.shape[1] - 1
        if length >= self.options.max_length:
            allowed.fill(-np.inf)
            allowed[:, END] = log_probabilities[:, END]
        if length < self.options.min_length:
            allowed[:, END] = -np.inf
        else:
            allowed[self.dangling[words[:, -1]], END] = -np.inf
        self._ban_repeats(allowed, words)
        return allowed

    def _ban_repeats(self, allowed: np.ndarray, words: np.ndarray) -> None:
        size = self.options.no_repeat
        rows = np.arange(len(words))
        if size and words.shape[1] > 1:
            allowed[rows, words[:, -1]] = -np.inf
        runs = words.shape[1] - size
        if size < 2 or runs < 1:
            return
        is_last = np.ones((len(words), runs), bool)  # whether a run begins as the next one would
        for place in range(1, size):
            is_last &= words[:, place : place + runs] == words[:, runs + place, None]
        row, run = np.nonzero(is_last)
        allowed[row, words[row, run + size]] = -np.inf

    def strip(self, words: Sequence[int]) -> tuple[int, ...]:
        """The words without an ending that announces more."""
        kept = list(words)
        while len(kept) > 1 and self.dangling[kept[-1]]:
            kept.pop()
        return tuple(kept)
