"""Which of the captions found is told: fitted on validation photos.

    python -m train.captioning.words.choice --data DATA --weights weights

The weights in the folder look for captions of all validation photos. A ridge regression learns from
what `captioning.engine.choice` reads of each caption, and from the search's own score, how much
higher or lower its CIDEr-D is than that of the photo's other captions; the two sets weigh alike.
Printed are the figures of the search's first captions, and of those chosen on photos that the fit
did not see (five-fold); the fit of all photos is written into the decoder's JSON. Run it after
every training, before `train.captioning.words.calibration`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from captioning.captioner import DECODER_NAME, Captioner
from captioning.engine.choice import FEATURES, Choice
from captioning.options import SearchOptions
from captioning.search import Rules, beam_search, drain
from keypoints_captions.weights import read_facts, set_facts
from train.captioning.data import CaptionedPhoto, load_set
from train.captioning.metrics import CiderD
from train.captioning.words.content import content_stems
from train.captioning.words.figures import Told, measure
from train.captioning.words.inference import TRAINING, look, score
from train.captioning.words.validation import FitOptions, read_options
from train.command_line import UsageError, run
from train.figures import Column, Report

_FOLDS = 5
_DECAY = 3.0  # pull of the weights towards 0


@dataclass(frozen=True)
class Candidates:
    """The captions found for one photo, the search's first one first.

    read: (N, 1 + features), the search's score and what `Choice.read` tells. right: (N,) CIDEr-D.
    """

    words: list[list[str]]
    texts: list[str]
    read: np.ndarray
    right: np.ndarray


def usual_log_odds(photos: Sequence[CaptionedPhoto], tags: Sequence[str]) -> np.ndarray:
    """(tags,) log-odds that a caption of any photo has the word, by its stem."""
    captions = [content_stems(words) for photo in photos for words in photo.words]
    counts = Counter(one for caption in captions for one in caption)
    said = np.array([counts[tag] for tag in tags]) + 1
    return np.log(said) - np.log(len(captions) + 2 - said)


def find(captioner: Captioner, photos: Sequence[CaptionedPhoto]) -> list[Candidates]:
    """Every caption that the search ends with, of each photo."""
    options = SearchOptions()
    found: list[Candidates] = []
    rules, scorer = Rules(captioner.vocabulary, options), CiderD([one.words for one in photos])
    for batch in look(captioner, photos)[0]:
        for captions in drain(beam_search(captioner.speaker, batch, rules, every=True)):
            told = [captioner.tell(caption, options) for caption in captions]
            words = [[word.word for word in caption.words] for caption in told]
            read = [
                (caption.score, *(caption.read or [0.0] * len(FEATURES))) for caption in captions
            ]
            right = scorer.score(len(found), words)
            texts = [caption.text for caption in told]
            found.append(Candidates(words, texts, np.array(read), np.array(right)))
    return found


def fit(candidates: Sequence[Candidates], shares: Sequence[float]) -> np.ndarray:
    """(features,) weights beside the search's score, which has 1. shares: of each photo."""
    inputs = np.concatenate([one.read - one.read.mean(0) for one in candidates])
    targets = np.concatenate([one.right - one.right.mean() for one in candidates])
    share = np.repeat(shares, [len(one.right) for one in candidates])
    scale = inputs.std(0) + 1e-9
    scaled = inputs / scale
    curve = (scaled * share[:, None]).T @ scaled + _DECAY * np.eye(len(scale))
    weights = np.linalg.solve(curve, scaled.T @ (share * targets)) / scale
    if weights[0] <= 0:
        raise UsageError("captions that the search ranks higher are not better: too few photos?")
    return weights[1:] / weights[0]


def choose(candidates: Candidates, weights: np.ndarray) -> int:
    return int((candidates.read @ np.array([1.0, *weights])).argmax())


def cross_chosen(candidates: Sequence[Candidates], shares: Sequence[float]) -> list[int]:
    """Of each photo the caption that a fit chooses which did not see the photo.

    The folds take every fifth photo, so that each has its share of every set.
    """
    chosen = [0] * len(candidates)
    for fold in range(_FOLDS):
        seen = [number for number in range(len(candidates)) if number % _FOLDS != fold]
        weights = fit([candidates[n] for n in seen], [shares[n] for n in seen])
        for number in range(fold, len(candidates), _FOLDS):
            chosen[number] = choose(candidates[number], weights)
    return chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Looks for captions of the validation photos, fits, prints the figures, writes the fit."""
    options = read_options("captioning.words.choice", __doc__, arguments)
    captioner, choice = _unweighted(options)
    sets = options.sets
    found = {name: find(captioner, photos) for name, photos in sets.items()}
    candidates = [one for part in found.values() for one in part]
    most = max(len(part) for part in found.values())
    shares = [most / len(part) for part in found.values() for _ in part]
    chosen = cross_chosen(candidates, shares)
    weights = tuple(fit(candidates, shares).tolist())
    fitted = Choice(weights, choice.usual, choice.strength)
    set_facts(options.weights / DECODER_NAME, "choice", fitted.to_dict())
    print_figures(options.report, sets, found, chosen)


def _unweighted(options: FitOptions) -> tuple[Captioner, Choice]:
    """The captioner with a choice that changes nothing."""
    votes = read_facts(options.weights / DECODER_NAME).get("votes")
    if votes is None:
        raise UsageError("this decoder has no votes to choose by: python -m train.captioning votes")
    training = [one for name in TRAINING for one in load_set(str(options.data / f"{name}.json"))]
    usual = usual_log_odds(training, votes["tags"])
    choice = Choice([0.0] * len(FEATURES), usual, votes["strength"])
    captioner = Captioner.load(options.weights)
    captioner.speaker.choice = choice
    return captioner, choice


_COLUMNS = [
    Column("captions to choose from", "{:.1f}"),
    Column("CIDEr", "{:.1f}"),
    Column("BLEU-4", "{:.1f}"),
    Column("words", "{}"),
    Column("distinct", "{:.0f} %"),
    Column("said", "{:.1f} %"),
    Column("unused", "{:.1f} %"),
    Column("repeated nouns", "{:.1f} %"),
]


def print_figures(
    report: Report,
    sets: Mapping[str, Sequence[CaptionedPhoto]],
    found: Mapping[str, Sequence[Candidates]],
    chosen: Sequence[int],
) -> None:
    """Of each set the search's first captions, those chosen, and those with the most CIDEr-D."""
    title, below = "Which caption is told", "Chosen: on photos that the fit did not see."
    with report.table("choice", title, ["set", "caption"], _COLUMNS, below=below) as add:
        numbers = iter(chosen)
        for name, photos in sets.items():
            ways = {
                "the search's first": [0] * len(photos),
                "chosen": [next(numbers) for _ in photos],
                "best by CIDEr-D": [int(one.right.argmax()) for one in found[name]],
            }
            for way, places in ways.items():
                add(name, way, *_figures(photos, found[name], places))


def _figures(
    photos: Sequence[CaptionedPhoto], found: Sequence[Candidates], places: Sequence[int]
) -> list[float | int | None]:
    pairs = list(zip(found, places, strict=True))
    scores = score(photos, [one.texts[place] for one, place in pairs])
    read = measure(photos, [Told(one.words[place]) for one, place in pairs])
    each = float(np.mean([len(one.right) for one in found]))
    return [
        each, scores.cider, scores.bleu[3], scores.vocabulary, scores.distinct,
        read.said, read.unused, read.repeated,
    ]  # fmt: skip


if __name__ == "__main__":
    run(main)
