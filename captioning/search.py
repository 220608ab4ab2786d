"""From word probabilities to captions: greedy, beam search and sampling over one step.

Everything is batched: B photos with K sequences each are B * K rows of one decoder step.
Each search is a generator that yields its best caption so far after every word, for showing
a caption as it is found, and returns the finished ones. It works on numpy arrays, whatever runs
the decoder: see `captioning.engine.speaker`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from captioning.engine.choice import agreement
from captioning.engine.highest import highest
from captioning.engine.rows import Evidence, Rows, Step
from captioning.engine.speaker import Lift, Speaker
from captioning.options import SearchOptions as SearchOptions
from captioning.rules import Rules as Rules
from captioning.vocabulary import END, PAD


@dataclass(frozen=True)
class Found:
    """A caption found: its words' numbers, without <start> and <end>, its rank score, what the
    model thought, and what `Choice.read` read of it."""

    words: tuple[int, ...]
    score: float
    evidence: Evidence = field(compare=False, repr=False)
    read: tuple[float, ...] = field(default=(), compare=False, repr=False)


Result = TypeVar("Result")


def drain(search: Generator[Step, None, Result]) -> Result:
    """Runs a search to its end and returns what it found."""
    while True:
        try:
            next(search)
        except StopIteration as stop:
            return stop.value


@dataclass(frozen=True)
class _Ended:
    """A caption that has ended: its words, its rank score, its row at each step, what the photo has
    added to its log-probability, and what `Choice.read` reads of it."""

    words: tuple[int, ...]
    score: float
    way: list[int]
    added: float
    read: tuple[float, ...] = ()


def beam_search(
    speaker: Speaker, photos: Any, rules: Rules, every: bool = False
) -> Generator[Step, None, list[list[Found]]]:
    """Beam search for B photos at once; beam 1 is greedy search.

    Where photos add to words, the captions found are ranked by how well they fit the photo, too:
    see `SearchOptions.agreement` and `captioning.engine.choice`. Yields the first photo's best
    caption so far; returns for each photo the distinct captions found, best first, at most
    `num_captions`, or every one. They do not depend on the batch's other photos.
    """
    options = rules.options
    lift = speaker.lift(photos) if options.agreement and options.beam_size > 1 else None
    width = options.beam_size * (options.spread if lift else 1)
    beams = max(width, options.num_captions)
    rows = Rows(speaker, photos, rules.first_words(), beams)
    count = len(rows.words) // beams
    scores = np.full((count, beams), -np.inf, np.float32)
    scores[:, 0] = 0  # all beams of a photo are equal at first: only one may grow
    ended: list[list[_Ended]] = [[] for _ in range(count)]
    settled = np.zeros(count, bool)
    row_start = np.arange(count)[:, None] * beams
    for length in range(rows.words.shape[1] - 1, options.max_length + 1):
        allowed = rules.allow(rows.say(), rows.words)
        grown = scores[..., None] + allowed.reshape(count, beams, -1)
        # 2 * beams candidates leave `beams` that go on, whichever of them end.
        place = highest(grown.reshape(count, -1), 2 * beams)
        best = np.take_along_axis(grown.reshape(count, -1), place, 1)
        row, word = row_start + place // grown.shape[-1], place % grown.shape[-1]
        rank = (length + 1) ** options.length_penalty
        ends = (word == END) & (best > -np.inf) & ~settled[:, None]
        for photo, candidate in np.argwhere(ends[:, :beams]).tolist():
            own = int(row[photo, candidate])
            words = tuple(rows.words[own, 1:].tolist())
            score = float(best[photo, candidate]) / rank
            added = float(rows.added[own] + rows.adds(np.array([own]), np.array([END]))[0])
            ended[photo].append(_Ended(words, score, rows.way(own), added))
        going = np.where(word == END, -np.inf, best)
        keep = highest(going, beams)
        scores = np.take_along_axis(going, keep, 1)
        rows.grow(
            np.take_along_axis(row, keep, 1).ravel(), np.take_along_axis(word, keep, 1).ravel()
        )
        for photo in np.flatnonzero(~settled).tolist():
            settled[photo] = _is_settled(ended[photo], float(scores[photo, 0]) / rank, beams)
        if settled.all():
            break
        yield rows.best()
    if lift:
        for photo, captions in enumerate(ended):
            ended[photo] = [_fitting(one, lift, photo, options.agreement) for one in captions]
    most = None if every else options.num_captions
    return [
        [
            Found(one.words, one.score, rows.evidence(one.way), one.read)
            for one in sorted(captions, key=lambda one: -one.score)[:most]
        ]
        or [_unfinished(rows, photo * beams, rules)]
        for photo, captions in enumerate(ended)
    ]


def _fitting(caption: _Ended, lift: Lift, photo: int, weight: float) -> _Ended:
    """The caption with how well it fits the photo in its score."""
    tags, votes = lift.tag_of[list(caption.words)], lift.tags[photo]
    tags = tags[tags >= 0]
    score = caption.score + weight * agreement(votes, tags)
    if lift.choice is None:
        return replace(caption, score=score)
    read = lift.choice.read(votes, tags, len(caption.words), caption.added)
    return replace(caption, score=score + lift.choice.weigh(read), read=read)


def _unfinished(rows: Rows, row: int, rules: Rules) -> Found:
    words = rules.strip(rows.words[row, 1:-1].tolist())
    return Found(words, float("-inf"), rows.evidence(rows.way(row)[: len(words) + 1]))


def _is_settled(captions: Sequence[_Ended], open_score: float, beams: int) -> bool:
    """Whether no living beam of a photo, the best of which has this score, outranks, as it stands,
    the worst of the captions that are kept."""
    if len(captions) < beams:
        return False
    return open_score <= sorted((caption.score for caption in captions), reverse=True)[beams - 1]


def sample(
    speaker: Speaker,
    photos: Any,
    rules: Rules,
    sequences: int,
    random: np.random.Generator | None = None,
) -> Generator[Step, None, np.ndarray]:
    """Draws captions word by word, with temperature and top-p.

    Yields the first photo's first caption so far; returns (B, sequences, T) int64 word numbers
    without <start>, each ended by <end> and filled up with <pad>.
    """
    options = rules.options
    random = random or np.random.default_rng()
    rows = Rows(speaker, photos, rules.first_words(), sequences)
    every = np.arange(len(rows.words))
    ended = np.zeros(len(every), bool)
    for _ in range(rows.words.shape[1] - 1, options.max_length + 1):
        allowed = rules.allow(rows.say(), rows.words)
        # A caption that stands at its maximum length on a dangling word has nothing allowed.
        allowed[allowed.max(1) == -np.inf, END] = 0
        drawn = np.where(ended, PAD, _draw(allowed, options, random))
        rows.grow(every, drawn)
        rows.history.clear()  # nobody asks for it, and a training samples hundreds at once
        ended |= drawn == END
        yield rows.best()
        if ended.all():
            break
    return rows.words[:, 1:].reshape(-1, sequences, rows.words.shape[1] - 1)


def _draw(allowed: np.ndarray, options: SearchOptions, random: np.random.Generator) -> np.ndarray:
    """(N,) words drawn by (N, V) log-probabilities."""
    scaled = allowed / options.temperature
    probabilities = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    if options.top_p < 1:
        places = np.argsort(-probabilities, axis=1, kind="stable")
        ordered = np.take_along_axis(probabilities, places, 1)
        before = np.cumsum(ordered, axis=1) - ordered
        ordered[before >= options.top_p] = 0
        np.put_along_axis(probabilities, places, ordered, 1)
    # The inverse of the cumulative distribution: one random number a row.
    cumulative = np.cumsum(probabilities, axis=1, dtype=np.float64)
    points = random.random((len(allowed), 1)) * cumulative[:, -1:]
    return (cumulative > np.minimum(points, np.nextafter(cumulative[:, -1:], 0))).argmax(1)


def sample_captions(
    speaker: Speaker, photos: Any, rules: Rules
) -> Generator[Step, None, list[list[Found]]]:
    """`num_captions` distinct sampled captions a photo, the most probable first.

    Draws anew, a few times at most, where the same caption was drawn twice; a photo may
    come back with fewer captions.
    """
    options = rules.options
    random = np.random.default_rng(options.seed)
    found: list[dict[tuple[int, ...], Found]] = [{} for _ in range(speaker.count(photos))]
    for _ in range(4):
        drawn = yield from sample(speaker, photos, rules, options.num_captions, random)
        stripped = [
            [rules.strip(row[: row.index(END)] if END in row else row) for row in rows]
            for rows in drawn.tolist()
        ]
        thought = explain(speaker, photos, stripped)
        for captions, rows, evidence in zip(found, stripped, thought, strict=True):
            for words, why in zip(rows, evidence, strict=True):
                captions.setdefault(words, Found(words, float(why.of(words).sum()), why))
        if all(len(captions) >= options.num_captions for captions in found):
            break
    return [
        sorted(captions.values(), key=lambda c: -c.score)[: options.num_captions]
        for captions in found
    ]


def explain(
    speaker: Speaker, photos: Any, captions: Sequence[Sequence[Sequence[int]]]
) -> list[list[Evidence]]:
    """What the model thinks in each place of K given captions for each of B photos."""
    each = len(captions[0])
    flat = [list(words) for photo in captions for words in photo]
    rows = Rows(speaker, photos, [], each)
    every = np.arange(len(flat))
    length = max(map(len, flat))
    for place in range(length + 1):
        rows.say()
        if place < length:
            rows.grow(
                every, np.array([words[place] if place < len(words) else END for words in flat])
            )
    thought = [rows.evidence([row] * (len(words) + 1)) for row, words in enumerate(flat)]
    return [thought[start : start + each] for start in range(0, len(flat), each)]


def log_probability(speaker: Speaker, photos: Any, words: Sequence[int]) -> float:
    """Of one caption of the first photo, its end included."""
    every = [[words]] * speaker.count(photos)
    return float(explain(speaker, photos, every)[0][0].of(words).sum())
