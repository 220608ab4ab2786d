"""The vocabulary: captions as word numbers, and back."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SPECIAL_WORDS = ("<pad>", "<start>", "<end>", "<unk>")
PAD, START, END, UNKNOWN = range(4)

# A run of letters and digits, joined by hyphens ("t-shirt") and contracted ("don't"); the
# possessive stands alone ("man's" is "man" and "'s"), as in the Penn Treebank's tokens.
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*(?:'(?!s\b)[^\W_]+)?|'s\b")


def tokenize(text: str) -> list[str]:
    """The words of a caption in lower case, without punctuation."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def join_words(words: Iterable[str]) -> str:
    """The opposite of `tokenize`: words to a text, the possessive joined to its noun."""
    return " ".join(words).replace(" 's", "'s")


class Vocabulary:
    """A list of words; a word's number is its place in the list.

    words: the whole list, beginning with `SPECIAL_WORDS`.
    Raises ValueError where the list does not begin so, or holds a word twice.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if tuple(words[: len(SPECIAL_WORDS)]) != SPECIAL_WORDS:
            raise ValueError(
                f"a vocabulary must begin with {SPECIAL_WORDS}, this one begins with "
                f"{tuple(words[: len(SPECIAL_WORDS)])}"
            )
        self.words = list(words)
        self._numbers = {word: number for number, word in enumerate(self.words)}
        if len(self._numbers) != len(self.words):
            raise ValueError("a vocabulary must not hold a word twice")

    @classmethod
    def build(cls, counts: Mapping[str, int], min_count: int = 1) -> "Vocabulary":
        """The words that are counted at least `min_count` times.

        The most frequent come first; equally frequent ones in alphabetical order.
        """
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls([*SPECIAL_WORDS, *sorted(kept, key=lambda word: (-counts[word], word))])

    def grown(self, words: Iterable[str]) -> "Vocabulary":
        """These words, and behind them those of the given ones that are new."""
        return Vocabulary([*self.words, *(word for word in words if word not in self)])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def encode(self, words: Iterable[str]) -> list[int]:
        """Words to their numbers; `UNKNOWN` stands for a word that is not in the list."""
        return [self._numbers.get(word, UNKNOWN) for word in words]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Numbers to words, up to the first `END`; `PAD` and `START` are left out."""
        words = []
        for number in numbers:
            if number == END:
                break
            if number not in (PAD, START):
                words.append(self.words[number])
        return words

    def save(self, path: Path) -> None:
        """Writes the list as JSON."""
        path.write_text(json.dumps(self.words, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads what `save` wrote."""
        return cls(json.loads(path.read_text(encoding="utf-8")))
