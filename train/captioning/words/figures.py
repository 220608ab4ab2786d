"""Figures of captions as readers see them: words said, missed and wrong.

Words are compared by their stems (Porter 1980), so that "runs" and "running" are one. Content words
are all that say something of the photo, see `train.captioning.words.content`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from captioning.people import MEN, WOMEN
from train.captioning.data import CaptionedPhoto
from train.captioning.words.content import FUNCTION_WORDS, content_stems, stem
from train.captioning.words.synonyms import agree
from train.figures import Column

#: People whose captions must agree before a word, or what somebody is, counts as seen.
AGREED = 3
_BINS = 10  # of the calibration error

_DESCRIBING = """
white black red blue green yellow orange brown pink purple gray grey tan silver gold dark light
bright colorful colored young old little small big large long short tall high one two three four
five six several many some wooden wet snowy grassy sandy rocky dirty empty full different other
"""
#: Said twice they are no mistake: "a white dog on a white boat".
DESCRIBING_WORDS = frozenset(_DESCRIBING.split())
_NOUNS_IN_ING = frozenset(("building", "ceiling", "clothing", "railing", "wing", "ring"))


class Told(NamedTuple):
    """A caption's words, and for each of them a stated chance, 0..1, where there is one."""

    words: Sequence[str]
    chances: Sequence[float] | None = None


#: How well captions find their photos again: (N photos, N captions) to (N, N) likeness of each
#: caption (row) to each photo (column).
Retrieval = Callable[[Sequence[CaptionedPhoto], Sequence[Sequence[str]]], np.ndarray]


@dataclass(frozen=True)
class WordFigures:
    """Figures of one caption for each photo; shares in %, None where there is nothing to count.

    words: different ones. distinct: captions that differ. length: words a caption.
    said: of the content words that three or more people use; mean over photos.
    unused: of the caption's content words, those that nobody uses; mean over photos.
    with_unused: photos with such a word. repeated: captions that say a noun twice.
    recall: captions that find their photo at place 1, and among the first 5, of all photos.
    calibration: expected calibration error of the content words' stated chances, that one of the
        people uses the word or one that says the same, in ten bins.
    women_called_men, men_called_women: of the photos whose people three or more captions call
        women and none men, those that the caption calls men, and the other way round.
    women, men: how many photos these are.
    """

    words: int
    distinct: float
    length: float
    said: float | None
    unused: float
    with_unused: float
    repeated: float
    recall: tuple[float, float] | None
    calibration: float | None
    women_called_men: float | None
    men_called_women: float | None
    women: int
    men: int


def measure(
    photos: Sequence[CaptionedPhoto], told: Sequence[Told], retrieval: Retrieval | None = None
) -> WordFigures:
    """The figures of one caption for each photo, in their order.

    Raises ValueError where photos and captions are not as many.
    """
    if len(photos) != len(told):
        raise ValueError(f"{len(photos)} photos, but {len(told)} captions")
    said, unused, checks = [], [], []
    for photo, caption in zip(photos, told, strict=True):
        people = Counter(s for words in photo.words for s in content_stems(words))
        stems = content_stems(caption.words)
        agreed = {s for s, count in people.items() if count >= AGREED}
        if agreed:
            said.append(len(agreed & stems) / len(agreed))
        unused.append(len(stems - people.keys()) / len(stems) if stems else 0.0)
        checks += checked_words(photo, caption)
    return WordFigures(
        words=len({word for caption in told for word in caption.words}),
        distinct=_percent(len({tuple(caption.words) for caption in told}), len(told)),
        length=float(np.mean([len(caption.words) for caption in told])),
        said=100 * float(np.mean(said)) if said else None,
        unused=100 * float(np.mean(unused)),
        with_unused=_percent(sum(share > 0 for share in unused), len(told)),
        repeated=_percent(sum(bool(repeated_nouns(c.words)) for c in told), len(told)),
        recall=recall(retrieval(photos, [c.words for c in told])) if retrieval else None,
        calibration=calibration_error(*zip(*checks, strict=True)) if checks else None,
        **_by_gender(photos, told),
    )


def is_content(word: str) -> bool:
    """Whether a word says something of the photo."""
    return word not in FUNCTION_WORDS and len(word) > 1


def checked_words(photo: CaptionedPhoto, caption: Told) -> list[tuple[float, bool]]:
    """Of each content word the stated chance, and whether one of the people uses it or a word that
    says the same."""
    if caption.chances is None:
        return []
    people = {one for words in photo.words for one in content_stems(words)}
    return [
        (chance, agree(word, people))
        for word, chance in zip(caption.words, caption.chances, strict=True)
        if is_content(word)
    ]


def calibration_error(chances: Sequence[float], true: Sequence[bool]) -> float:
    """Expected calibration error in % (Guo et al. 2017): the mean distance of stated chances
    from the share that came true, in ten bins of equal width, weighted by their words."""
    stated, came = np.asarray(chances, float), np.asarray(true, float)
    bins = np.minimum((stated * _BINS).astype(int), _BINS - 1)
    gaps = [abs((stated - came)[bins == place].sum()) for place in range(_BINS)]
    return 100 * sum(gaps) / len(stated)


def recall(likeness: np.ndarray) -> tuple[float, float]:
    """In %, the captions whose own photo is the first, and among the first five.

    likeness: (N, N) of caption (row) to photo (column); equal ones stand before the own.
    """
    own = np.diagonal(likeness)[:, None]
    ahead = (likeness >= own).sum(1) - 1
    return 100 * float(np.mean(ahead < 1)), 100 * float(np.mean(ahead < 5))


def repeated_nouns(words: Sequence[str]) -> list[str]:
    """Stems that a caption says twice, without colours, numbers, sizes and what ends in -ing."""
    counts = Counter(
        stem(word)
        for word in words
        if is_content(word)
        and word not in DESCRIBING_WORDS
        and (not word.endswith("ing") or word in _NOUNS_IN_ING)
    )
    return [found for found, count in counts.items() if count > 1]


def called(photo: CaptionedPhoto) -> str | None:
    """ "women" where three or more captions of the photo say so and none says man or boy; "men"
    the other way round; None for all other photos."""
    counts = {
        name: sum(any(word in group for word in words) for words in photo.words)
        for name, group in (("women", WOMEN), ("men", MEN))
    }
    if counts["women"] >= AGREED and not counts["men"]:
        return "women"
    return "men" if counts["men"] >= AGREED and not counts["women"] else None


def _by_gender(photos: Sequence[CaptionedPhoto], told: Sequence[Told]) -> dict[str, Any]:
    found: dict[str, list[bool]] = {"women": [], "men": []}
    for photo, caption in zip(photos, told, strict=True):
        if group := called(photo):
            wrong = MEN if group == "women" else WOMEN
            found[group].append(any(word in wrong for word in caption.words))
    women, men = found["women"], found["men"]
    return {
        "women_called_men": _percent(sum(women), len(women)) if women else None,
        "men_called_women": _percent(sum(men), len(men)) if men else None,
        "women": len(women),
        "men": len(men),
    }


def people_figures(
    photos: Sequence[CaptionedPhoto], retrieval: Retrieval | None = None
) -> WordFigures:
    """The same of each person against the photo's other people, mean over the persons.

    Of five people each is measured against four: three or more of those agree on fewer words, and
    a word of theirs is less likely to be used by one of them.
    """
    persons = min(len(photo.words) for photo in photos)
    rows = []
    for person in range(persons):
        others = [_without(photo, person) for photo in photos]
        told = [Told(photo.words[person]) for photo in photos]
        rows.append(measure(others, told, retrieval))
    return _mean(rows)


def _without(photo: CaptionedPhoto, person: int) -> CaptionedPhoto:
    def others(parts: tuple) -> tuple:
        return parts[:person] + parts[person + 1 :]

    return CaptionedPhoto(photo.path, others(photo.captions), others(photo.words))


def _mean(rows: Sequence[WordFigures]) -> WordFigures:
    values: dict[str, Any] = {}
    for name in WordFigures.__dataclass_fields__:
        column = [getattr(row, name) for row in rows]
        if any(value is None for value in column):
            values[name] = None
        elif name == "recall":
            values[name] = tuple(np.mean(column, axis=0).tolist())
        else:
            values[name] = type(column[0])(np.mean(column))
    return WordFigures(**values)


#: Of a table, for what `word_cells` gives; the names are those in the model card.
WORD_COLUMNS = [
    Column("words used", "{}", "words_used"),
    Column("distinct", "{:.0f} %", "distinct"),
    Column("length", "{:.1f}", "length"),
    Column("said", "{:.1f} %", "said"),
    Column("unused", "{:.1f} %", "unused"),
    Column("photos with one", "{:.1f} %", "with_unused"),
    Column("repeated nouns", "{:.1f} %", "repeated"),
    Column("recall at 1 / 5", "{:.1f} / {:.1f} %", "recall_1 recall_5"),
    Column("ECE", "{:.1f} %", "ece"),
    Column("women called men", "{:.1f} %", "women_called_men"),
    Column("men called women", "{:.1f} %", "men_called_women"),
]


def word_cells(figures: WordFigures) -> list[Any]:
    """A row of such a table."""
    f = figures
    cells = [f.words, f.distinct, f.length, f.said, f.unused, f.with_unused, f.repeated, f.recall]
    return [*cells, f.calibration, f.women_called_men, f.men_called_women]


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole
