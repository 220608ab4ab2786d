"""The article that its next word asks for: "an elephant", "a unicycle"."""

from collections.abc import Sequence
from dataclasses import replace

from captioning.caption import Word

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
