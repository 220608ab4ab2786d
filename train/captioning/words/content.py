"""Content words of captions, by their stems."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from train.captioning.data import CaptionedPhoto

_FUNCTION_WORDS = """
a an the and or but of to in on at by for with from as is are was were be been being am it its
's this that these those there here his her hers their theirs them they he she him we us our you
your i my me who whom which what where when while how why not no nor do does did done doing has
have had having can could will would may might must shall should some any each every other
another one both all few more most many much so than too very just only own same such up down
out off over under again then once into onto about against between through during before after
above below near next along around across behind beside towards toward upon within without also
like get gets getting go goes going themselves himself herself itself
"""
#: Words that say nothing of what a photo shows.
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@cache
def stem(word: str) -> str:
    """A word without its ending (Porter 1980): "run" of "running"."""
    return _stemmer().stem(word)


@cache
def _stemmer() -> Any:
    from nltk.stem import PorterStemmer  # a second, for all of SciPy's statistics come with it

    return PorterStemmer()


def content_stems(words: Sequence[str]) -> set[str]:
    """The stems of a caption's content words."""
    return {stem(word) for word in words if word not in FUNCTION_WORDS and len(word) > 1}


def stem_shares(photo: CaptionedPhoto) -> dict[str, float]:
    """The stems of the content words of a photo's captions: the share of captions with each."""
    counts = Counter(one for words in photo.words for one in content_stems(words))
    return {one: count / len(photo.words) for one, count in counts.items()}
