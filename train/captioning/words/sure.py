"""Thresholds for saying woman or man, fitted on validation photos.

A word for one sex is said where that sex has a large enough share of the decoder's probability, and
"person" otherwise, see `captioning.people`. Found here are the smallest shares that keep the
mistakes rare: men's words of photos that people call women's, and the other way round.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from captioning.caption import Caption, Word, with_articles
from captioning.people import MEN, NEUTRAL, WOMEN, NeutralWords, Sure
from captioning.vocabulary import Vocabulary, join_words
from train.captioning.data import CaptionedPhoto
from train.captioning.words.figures import called

#: In %, of the photos of women and of men, those that may be called otherwise. Below what is wanted
#: of photos that the fit did not see.
ALLOWED = {"women": 7.0, "men": 2.5}
_OTHER = {"women": "men", "men": "women"}


@dataclass(frozen=True)
class Drawn:
    """A caption as it was found, and by the places of its words for people the probabilities of all
    words there, (V,)."""

    words: Sequence[Word]
    probabilities: dict[int, np.ndarray] = field(default_factory=dict)

    def shares(self, neutral: NeutralWords, sex: str) -> list[float]:
        """Of each word for that sex that has a neutral one, how sure it is; 1 of the others."""
        group = WOMEN if sex == "women" else MEN
        return [
            neutral.share(sex, self.probabilities[place]) if word.word in NEUTRAL else 1.0
            for place, word in enumerate(self.words)
            if word.word in group
        ]


class Recorder(NeutralWords):
    """Takes the place of a captioner's `NeutralWords`: keeps what it is asked, changes nothing."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary, Sure(0.0, 0.0))
        self.drawn: list[Drawn] = []

    def __call__(
        self, words: Sequence[Word], probabilities: Callable[[int], np.ndarray], given: int = 0
    ) -> list[Word]:
        people = [
            place for place, word in enumerate(words) if word.word in WOMEN | MEN | set(NEUTRAL)
        ]
        self.drawn.append(Drawn(words, {place: probabilities(place) for place in people}))
        return list(words)


def fit_sure(
    photos: Sequence[CaptionedPhoto], drawn: Sequence[Drawn], neutral: NeutralWords
) -> Sure:
    """The smallest shares at which no more than `ALLOWED` are called otherwise.

    drawn: the best caption of each photo.
    """
    least = {}
    for group, other in _OTHER.items():
        surest = [  # the share that the caption's surest word for the other sex has; 0 without one
            max(caption.shares(neutral, other), default=0.0)
            for photo, caption in zip(photos, drawn, strict=True)
            if called(photo) == group
        ]
        may = int(len(surest) * ALLOWED[group] / 100)
        mistaken = sorted(surest, reverse=True)[may:]  # those that must be kept from being said
        least[other] = float(np.nextafter(max(mistaken, default=0.0), 2)) if mistaken else 0.0
    return Sure(women=min(least["women"], 1.0), men=min(least["men"], 1.0))


def settled(caption: Caption, drawn: Drawn, neutral: NeutralWords) -> Caption:
    """The caption with neutral words where it is not sure."""
    words = tuple(with_articles(neutral(drawn.words, drawn.probabilities.__getitem__)))
    return replace(caption, words=words, text=join_words(word.word for word in words))


def cross_settled(
    photos: Sequence[CaptionedPhoto],
    captions: Sequence[Caption],
    drawn: Sequence[Drawn],
    vocabulary: Vocabulary,
) -> list[Caption]:
    """Each photo's caption with neutral words by the shares fitted on the other half of the photos:
    every second one."""
    told = list(captions)
    for half in (0, 1):
        other = slice(1 - half, None, 2)
        neutral = Recorder(vocabulary)
        sure = fit_sure(photos[other], drawn[other], neutral)
        speaking = NeutralWords(vocabulary, sure)
        for number in range(half, len(photos), 2):
            told[number] = settled(captions[number], drawn[number], speaking)
    return told
