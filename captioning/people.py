"""Words for people: which ones say woman or man, and when a neutral word is used instead.

A captioner guesses: it has seen more men than women. Where it spreads its probability over both,
the caption says "person", as a careful person would. Needs no torch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from captioning.caption import Word
from captioning.vocabulary import Vocabulary

_WOMEN = """
woman women girl girls lady ladies female females mother mom mum mothers moms daughter daughters
sister sisters bride brides bridesmaid bridesmaids grandmother grandma aunt wife cowgirl actress
waitress housewife ballerina ballerinas cheerleader cheerleaders
"""
_MEN = """
man men boy boys guy guys gentleman gentlemen male males father dad fathers dads son sons brother
brothers groom grandfather grandpa uncle husband cowboy cowboys actor businessman businessmen
fisherman fishermen fireman firemen policeman policemen workman workmen
"""
#: Nouns that say woman or girl, and nouns that say man or boy.
WOMEN = frozenset(_WOMEN.split())
MEN = frozenset(_MEN.split())

#: The word that says the same of anybody.
NEUTRAL = {
    "man": "person", "woman": "person", "men": "people", "women": "people",
    "boy": "child", "girl": "child", "boys": "children", "girls": "children",
    "guy": "person", "lady": "person", "guys": "people", "ladies": "people",
    "male": "person", "female": "person", "males": "people", "females": "people",
    "gentleman": "person", "gentlemen": "people",
    "his": "their", "her": "their", "him": "them", "he": "they", "she": "they",
    "himself": "themselves", "herself": "themselves",
}  # fmt: skip

_SEVERAL = {"person": "people", "child": "children"}
_PRONOUNS = {"his": "men", "him": "men", "he": "men", "himself": "men"}
_PRONOUNS |= {"her": "women", "she": "women", "herself": "women"}


@dataclass(frozen=True)
class Sure:
    """Thresholds for saying a word for one sex: its sex has at least this share, 0..1, of
    the probability of all words for women and men in its place.

    women, men: the share for words of that sex; fitted on validation photos by
        `python -m train.captioning.words.calibration`.
    """

    women: float
    men: float

    def to_dict(self) -> dict[str, float]:
        return {"women": round(self.women, 4), "men": round(self.men, 4)}

    @classmethod
    def from_dict(cls, facts: Mapping[str, float]) -> "Sure":
        return cls(facts["women"], facts["men"])


class NeutralWords:
    """Puts "person", "people" or "child" in the place of a word for one sex that is not sure."""

    def __init__(self, vocabulary: Vocabulary, sure: Sure) -> None:
        self.sure = sure
        self._sexes = {"women": _numbers(vocabulary, WOMEN), "men": _numbers(vocabulary, MEN)}
        self._covered = {
            neutral: _numbers(
                vocabulary, [neutral, *(w for w, n in NEUTRAL.items() if n == neutral)]
            )
            for neutral in set(NEUTRAL.values())
        }

    def __call__(
        self, words: Sequence[Word], probabilities: Callable[[int], np.ndarray], given: int = 0
    ) -> list[Word]:
        """The words of a caption, those for people neutral where they are not sure.

        probabilities: of all words of the vocabulary, (V,), in the place of the word with this
            index. A neutral word has the sum of those of the words that it stands for.
        given: so many first words stay as they are.
        """
        told = list(words)
        left_open: set[str] = set()
        said: set[str] = set()
        for place, word in enumerate(words):
            sex = "women" if word.word in WOMEN else "men" if word.word in MEN else None
            if sex is None:
                continue
            here = probabilities(place)
            if (
                place < given
                or word.word not in NEUTRAL
                or self.share(sex, here) >= self._least(sex)
            ):
                said.add(sex)
            else:
                told[place] = self._neutral(word, here)
                left_open.add(sex)
        for place, word in enumerate(words):
            sex = _PRONOUNS.get(word.word)
            if place >= given and sex in left_open and sex not in said:
                told[place] = self._neutral(word, probabilities(place))
        return _two_people(told)

    def share(self, sex: str, probabilities: np.ndarray) -> float:
        """That of the words for "women" or "men" of the probability of all words for both."""
        both = {name: probabilities[numbers].sum() for name, numbers in self._sexes.items()}
        return float(both[sex] / max(sum(both.values()), 1e-9))

    def _least(self, sex: str) -> float:
        return self.sure.women if sex == "women" else self.sure.men

    def _neutral(self, word: Word, probabilities: np.ndarray) -> Word:
        neutral = NEUTRAL[word.word]
        chance = float(probabilities[self._covered[neutral]].sum())
        return replace(word, word=neutral, probability=min(1.0, max(chance, word.probability)))


def _numbers(vocabulary: Vocabulary, words: Iterable[str]) -> np.ndarray:
    return np.array(vocabulary.encode(word for word in words if word in vocabulary), np.int64)


def _two_people(words: list[Word]) -> list[Word]:
    """The words with "two people" for "a person and a person"."""
    texts = [word.word for word in words]
    for start in range(len(texts) - 4):
        one = texts[start + 1]
        if one in _SEVERAL and texts[start : start + 5] == ["a", one, "and", "a", one]:
            two = replace(words[start], word="two")
            several = replace(words[start + 1], word=_SEVERAL[one])
            return [*words[:start], two, several, *words[start + 5 :]]
    return words
