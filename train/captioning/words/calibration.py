"""The chance that a person would use a word of a caption, fitted on validation photos.

    python -m train.captioning.words.calibration --data DATA --weights weights

The weights in the folder caption all validation photos. A logistic regression learns, from what
the decoder says of each content word (`captioning.confidence.FEATURES`), from its class and from
the word itself, whether one of the photo's people used it or a synonym; before that it is fitted
when "man" and "woman" are sure enough to be said (`train.captioning.words.sure`). Printed are the
errors on photos that the fit did not see (five-fold for the chances, by halves for man and woman);
the fits of all of them are written into the decoder's JSON. Run it again after every training.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioning.caption import Caption, with_articles
from captioning.captioner import DECODER_NAME, Captioner
from captioning.confidence import FEATURES, Confidence, word_features
from captioning.options import SearchOptions
from captioning.people import MEN, NEUTRAL, WOMEN, NeutralWords, Sure
from captioning.vocabulary import SPECIAL_WORDS, Vocabulary
from keypoints_captions.weights import set_facts
from train.captioning.data import CaptionedPhoto
from train.captioning.words.content import stem
from train.captioning.words.figures import (
    DESCRIBING_WORDS,
    Told,
    WordFigures,
    calibration_error,
    is_content,
    measure,
)
from train.captioning.words.inference import look
from train.captioning.words.sure import Drawn, Recorder, cross_settled, fit_sure, settled
from train.captioning.words.synonyms import agree
from train.captioning.words.validation import read_options
from train.command_line import run
from train.figures import Column

_FOLDS = 5
_STEPS = 30  # of Newton's method
#: Pull towards 0 of the features, the classes and the words: a word that is said twice says little
#: of itself.
_DECAY = {"feature": 0.3, "class": 1.0, "word": 6.0}
_COLOUR_WORDS = "white black red blue green yellow orange brown pink purple gray grey tan"
_COLOURS = frozenset(_COLOUR_WORDS.split())
_NUMBERS = frozenset(("two", "three", "four", "five", "six", "several", "many", "some"))
_CLASSES = ("people", "colour", "number", "description", "action", "thing")


def word_class(word: str) -> str:
    """One of the classes whose words are about as reliable."""
    if word in MEN or word in WOMEN or word in NEUTRAL.values():
        return "people"
    if word in _COLOURS:
        return "colour"
    if word in _NUMBERS:
        return "number"
    if word in DESCRIBING_WORDS:
        return "description"
    return "action" if word.endswith("ing") else "thing"


@dataclass(frozen=True)
class Checked:
    """Content words of captions: (N,) words, (N, F) features, (N,) whether people agree, and
    (N,) the number of the photo."""

    words: np.ndarray
    features: np.ndarray
    right: np.ndarray
    photo: np.ndarray


def check(photos: Sequence[CaptionedPhoto], captions: Sequence[Sequence[Caption]]) -> Checked:
    """The content words of each photo's captions."""
    words, rows, right, numbers = [], [], [], []
    for number, (photo, told) in enumerate(zip(photos, captions, strict=True)):
        stems = {stem(word) for person in photo.words for word in person}
        for caption in told:
            for word, features in zip(caption.words, word_features(caption), strict=True):
                if is_content(word.word):
                    words.append(word.word)
                    rows.append(features)
                    right.append(agree(word.word, stems))
                    numbers.append(number)
    return Checked(np.array(words), np.array(rows), np.array(right), np.array(numbers))


def fit(checked: Checked, vocabulary: Sequence[str]) -> Confidence:
    """The regression for the words of the vocabulary, those without a caption by their class."""
    known = [word for word, count in Counter(checked.words.tolist()).items() if count >= 2]
    place = {word: number for number, word in enumerate(known)}
    mean, scale = checked.features.mean(0), checked.features.std(0) + 1e-6
    rank = {word: np.log(1 + number) for number, word in enumerate(vocabulary)}
    typical = float(np.mean([rank.get(word, 0) for word in checked.words]))

    def design(words: Iterable[str]) -> np.ndarray:
        """Columns of what is the word's own: one, its rarity, its class, itself."""
        rows = np.zeros((len(words := list(words)), 2 + len(_CLASSES) + len(known)))
        for row, word in zip(rows, words, strict=True):
            row[:2] = 1, rank.get(word, typical) - typical
            row[2 + _CLASSES.index(word_class(word))] = 1
            if word in place:
                row[2 + len(_CLASSES) + place[word]] = 1
        return rows

    inputs = np.hstack([(checked.features - mean) / scale, design(checked.words)])
    decay = np.array(
        [_DECAY["feature"]] * len(FEATURES)
        + [1e-3, _DECAY["feature"]]
        + [_DECAY["class"]] * len(_CLASSES)
        + [_DECAY["word"]] * len(known)
    )
    weights = _logistic(inputs, checked.right.astype(float), decay)
    own = weights[: len(FEATURES)] / scale
    content = [w for w in vocabulary if w not in SPECIAL_WORDS and is_content(w)]
    shares = design(content) @ weights[len(FEATURES) :] - own @ mean
    return Confidence(tuple(own.tolist()), dict(zip(content, shares.tolist(), strict=True)))


def _logistic(inputs: np.ndarray, targets: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Weights of the logistic regression with these penalties, by Newton's method."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chance - targets) + decay * weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + np.diag(decay)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def cross_fitted(
    photos: Sequence[CaptionedPhoto],
    captions: Sequence[Sequence[Caption]],
    vocabulary: Sequence[str],
) -> list[Caption]:
    """The best caption of each photo with the confidence of a fit that did not see the photo.

    The folds take every fifth photo, so that each has its share of every set.
    """
    checked = check(photos, captions)
    told: list[Caption] = [found[0] for found in captions]
    for fold in range(_FOLDS):
        seen = checked.photo % _FOLDS != fold
        part = Checked(*(column[seen] for column in vars(checked).values()))
        confidence = fit(part, vocabulary)
        for number in range(fold, len(photos), _FOLDS):
            told[number] = confidence.tell(told[number])
    return told


def stated_and_true(
    photos: Sequence[CaptionedPhoto], captions: Sequence[Caption], synonyms: bool = True
) -> tuple[list[float], list[float], list[bool]]:
    """Of all content words: the model's probability, the confidence, whether people agree (where
    asked for so, with a synonym too)."""
    model, stated, right = [], [], []
    for photo, caption in zip(photos, captions, strict=True):
        stems = {stem(word) for person in photo.words for word in person}
        for word in caption.words:
            if word.confidence is not None and is_content(word.word):
                model.append(word.probability)
                stated.append(word.confidence)
                same = stem(word.word) in stems
                right.append(agree(word.word, stems) if synonyms else same)
    return model, stated, right


def main(arguments: Sequence[str] | None = None) -> None:
    """Captions the validation photos, fits, prints the errors, writes the fits."""
    options = read_options("captioning.words.calibration", __doc__, arguments)
    sets = options.sets
    captioner = Captioner.load(options.weights)
    captioner.neutral = recorder = Recorder(captioner.vocabulary)
    captions: list[list[Caption]] = []
    for part in sets.values():
        for batch in look(captioner, part)[0]:
            captions += captioner.caption(batch, SearchOptions(num_captions=3))
    photos = [photo for part in sets.values() for photo in part]
    fitted = calibrate(sets, photos, captions, recorder.drawn, captioner.vocabulary)
    set_facts(options.weights / DECODER_NAME, "sure of people", fitted.sure.to_dict())
    set_facts(options.weights / DECODER_NAME, "confidence", fitted.confidence.to_dict())
    keys, title = ["set", "photos"], "Chances of words, and words for people"
    with options.report.table("word-chances", title, keys, _COLUMNS, below=_BELOW) as add:
        for row in fitted.rows:
            add(*row)


_BELOW = (
    "On photos that the fit did not see. A word counts as used where one of five people used it or "
    "a word that says the same. Photos of women are those that three or more captions call so and "
    "none men, and the other way round; before: without neutral words."
)


class Fitted(NamedTuple):
    """What is written beside the decoder, and the errors on photos that the fits did not see."""

    sure: Sure
    confidence: Confidence
    rows: list[tuple]


def calibrate(
    sets: Mapping[str, Sequence[CaptionedPhoto]],
    photos: Sequence[CaptionedPhoto],
    captions: Sequence[Sequence[Caption]],
    drawn: Sequence[Drawn],
    vocabulary: Vocabulary,
) -> Fitted:
    """Fits when to say man or woman first, then the chances of the words that are then said.

    photos: those of all sets. captions: of each, best first; drawn: of each of the captions.
    """
    each = iter(drawn)
    of_photo = [[_drawn_as(caption, each) for caption in found] for found in captions]
    best = [found[0] for found in captions]
    first = [found[0] for found in of_photo]
    sure = fit_sure(photos, first, Recorder(vocabulary))
    neutral = NeutralWords(vocabulary, sure)
    told = [
        [settled(caption, one, neutral) for caption, one in zip(found, some, strict=True)]
        for found, some in zip(captions, of_photo, strict=True)
    ]
    chances = cross_fitted(photos, told, vocabulary.words)
    apart = cross_settled(photos, best, first, vocabulary)
    confidence = fit(check(photos, told), vocabulary.words)
    rows, start = [], 0
    for name, part in sets.items():
        where = slice(start, start := start + len(part))
        before, after = (measure(part, _words(some[where])) for some in (best, apart))
        rows.append((name, len(part), *_errors(part, chances[where]), *_people(before, after)))
    return Fitted(sure, confidence, rows)


def _drawn_as(caption: Caption, drawn: Iterator[Drawn]) -> Drawn:
    """The next one that reads as the caption. Between them are those that only the article told
    apart, "a elephant" beside "an elephant": the captioner keeps one of them."""
    words = [word.word for word in caption.words]
    return next(one for one in drawn if [w.word for w in with_articles(one.words)] == words)


_PAIR = "{:.1f} %, {:.1f} %"
_COLUMNS = [
    Column("content words", "{}"),
    Column("used by people", "{:.1f} %"),
    Column("ECE of the model's probability", "{:.1f} %"),
    Column("ECE", "{:.1f} %", "calibrated_ece"),
    Column("ECE, synonyms not counted", "{:.1f} %", "calibrated_ece_without_synonyms"),
    Column("women called men, before", _PAIR, "women_called_men women_called_men_before"),
    Column("men called women, before", _PAIR, "men_called_women men_called_women_before"),
]


def _errors(photos: Sequence[CaptionedPhoto], captions: Sequence[Caption]) -> list[float]:
    model, stated, right = stated_and_true(photos, captions)
    strict = stated_and_true(photos, captions, synonyms=False)[2]
    errors = [calibration_error(model, right), calibration_error(stated, right)]
    return [len(right), 100 * float(np.mean(right)), *errors, calibration_error(stated, strict)]


def _people(before: WordFigures, after: WordFigures) -> list[tuple[float | None, float | None]]:
    return [
        (after.women_called_men, before.women_called_men),
        (after.men_called_women, before.men_called_women),
    ]


def _words(captions: Sequence[Caption]) -> list[Told]:
    return [Told([word.word for word in caption.words]) for caption in captions]


if __name__ == "__main__":
    run(main)
