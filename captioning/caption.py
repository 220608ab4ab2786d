"""The typed result: a caption, its words, and why each word was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

#: A caption of less confidence is a guess.
GUESS = 0.5


@dataclass(frozen=True)
class Alternative:
    """A word that could have stood in a word's place, with its probability, 0..1."""

    word: str
    probability: float


@dataclass(frozen=True)
class Word:
    """One word of a caption.

    probability: 0..1, of this word after the ones before it, under the model.
    alternatives: the most probable other words in its place, best first; "<end>" says that
        the caption would have ended here.
    attention: (rows, columns) float32, where in the photo the model looked for this word:
        a share for each cell of the grid that covers the whole photo, row 0 at the top, sum
        1; None for a model without attention.
    confidence: 0..1, the chance that one of five people would use this word, or one that says the
        same, to describe the photo, see `captioning.confidence`; None for a word such as "with",
        which says nothing of the photo, and for a model without that calibration.
    """

    word: str
    probability: float
    alternatives: tuple[Alternative, ...]
    attention: np.ndarray | None
    confidence: float | None = None


@dataclass(frozen=True)
class Caption:
    """One caption of a photo.

    text: lower-case words, without a full stop.
    log_probability: natural logarithm of the probability of the whole caption, its end
        included, under the model.
    words: the caption's words; joined they make `text`.
    score: what the search ranked the caption by, the highest first.
    """

    text: str
    log_probability: float
    words: tuple[Word, ...]
    score: float = 0.0

    @property
    def confidence(self) -> float | None:
        """The share of the caption's content words that people would use, as expected: the mean
        of their confidences, 0..1. None where no word has one."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known else None

    @property
    def is_guess(self) -> bool:
        """Whether people would not use most of the caption's content words, as expected."""
        return self.confidence is not None and self.confidence < GUESS

    @property
    def sentence(self) -> str:
        """The text as a sentence, with a capital and a full stop, as for an alt text."""
        return f"{self.text[:1].upper()}{self.text[1:]}." if self.text else ""

    def to_dict(self) -> dict[str, Any]:
        """The caption as the public JSON contract spells it."""
        return {
            "text": self.text,
            "log_probability": round(self.log_probability, 4),
            "words": [
                {
                    "word": word.word,
                    "probability": round(word.probability, 4),
                    "confidence": word.confidence and round(word.confidence, 4),
                }
                for word in self.words
            ],
        }


_SPOKEN_WITH_CONSONANT = ("uni", "use", "usu", "uti", "ute", "eur", "one", "once")
_SPOKEN_WITH_VOWEL = ("hour", "honest", "heir")


def begins_with_vowel(word: str) -> bool:
    """Whether it is spoken with a vowel first."""
    if word.startswith(_SPOKEN_WITH_VOWEL):
        return True
    return word[:1] in tuple("aeiou") and not word.startswith(_SPOKEN_WITH_CONSONANT)


def with_articles(words: Sequence[Word], given: int = 0) -> list[Word]:
    """The words, "a" or "an" as the next word asks for; the first `given` words stay."""
    told = list(words)
    for place in range(given, len(words) - 1):
        if words[place].word in ("a", "an"):
            article = "an" if begins_with_vowel(words[place + 1].word) else "a"
            told[place] = replace(words[place], word=article)
    return told
