"""The chance that a person would use a word of a caption, fitted on validation photos.

    python -m train.captioning.words.calibration --data DATA --weights weights

The weights in the folder caption all validation photos. A logistic regression learns, from what
the decoder says of each content word (`captioning.confidence.FEATURES`), from its class and from
the word itself, whether one of the photo's people used it or a synonym. Printed is the expected
calibration error on photos that the fit did not see (five-fold, a photo's words in one fold); the
fit of all of them is written into the decoder's JSON. Run it again after every training.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioning.caption import Caption
from captioning.captioner import DECODER_NAME, Captioner
from captioning.confidence import FEATURES, Confidence, word_features
from captioning.options import SearchOptions
from captioning.people import MEN, NEUTRAL, WOMEN
from captioning.vocabulary import SPECIAL_WORDS
from keypoints_captions.weights import set_facts
from train.captioning.data import CaptionedPhoto, load_set
from train.captioning.words.figures import DESCRIBING_WORDS, calibration_error, is_content
from train.captioning.words.synonyms import Synonyms
from train.command_line import program, run
from train.evaluate.captioning import VALIDATION, look

_FOLDS = 5
_STEPS = 30  # of Newton's method
#: Pull towards 0 of the features, the classes and the words: a word that is said twice says little
#: of itself.
_DECAY = {"feature": 0.3, "class": 1.0, "word": 3.0}
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
    synonyms = Synonyms()
    words, rows, right, numbers = [], [], [], []
    for number, (photo, told) in enumerate(zip(photos, captions, strict=True)):
        stems = {synonyms.stem(word) for person in photo.words for word in person}
        for caption in told:
            for word, features in zip(caption.words, word_features(caption), strict=True):
                if is_content(word.word):
                    words.append(word.word)
                    rows.append(features)
                    right.append(synonyms.agree(word.word, stems))
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
    table = Synonyms()
    model, stated, right = [], [], []
    for photo, caption in zip(photos, captions, strict=True):
        stems = {table.stem(word) for person in photo.words for word in person}
        for word in caption.words:
            if word.confidence is not None and is_content(word.word):
                model.append(word.probability)
                stated.append(word.confidence)
                same = table.stem(word.word) in stems
                right.append(table.agree(word.word, stems) if synonyms else same)
    return model, stated, right


def main(arguments: Sequence[str] | None = None) -> None:
    """Captions the validation photos, fits, prints the errors, writes the fit."""
    parser = program("captioning.words.calibration", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of annotation files")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--photos", type=int, default=0, help="of each set; all by default")
    options = parser.parse_args(arguments)
    captioner = Captioner.load(options.weights)
    photos: list[CaptionedPhoto] = []
    captions: list[list[Caption]] = []
    ends = {}
    for name in VALIDATION:
        part = load_set(str(options.data / f"{name}.json"))[: options.photos or None]
        seen, _ = look(captioner, part)
        photos += part
        for batch in seen:
            captions += captioner.caption(batch, SearchOptions(num_captions=3))
        ends[name] = slice(len(photos) - len(part), len(photos))
    words = captioner.vocabulary.words
    told = cross_fitted(photos, captions, words)
    print(report({name: (photos[part], told[part]) for name, part in ends.items()}))
    confidence = fit(check(photos, captions), words)
    set_facts(options.weights / DECODER_NAME, "confidence", confidence.to_dict())


def report(sets: dict[str, tuple[Sequence[CaptionedPhoto], Sequence[Caption]]]) -> str:
    """The errors of each set before and after, as Markdown."""
    lines = [
        "| set | content words | people agree % | ECE of the model | ECE | ECE, without synonyms |",
        "|---|---|---|---|---|---|",
    ]
    for name, (photos, captions) in sets.items():
        model, stated, right = stated_and_true(photos, captions)
        strict = stated_and_true(photos, captions, synonyms=False)[2]
        errors = [calibration_error(model, right), calibration_error(stated, right)]
        errors.append(calibration_error(stated, strict))
        agree = f"{100 * np.mean(right):.1f}"
        figures = " | ".join(f"{error:.1f}" for error in errors)
        lines.append(f"| {name} | {len(right)} | {agree} | {figures} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
