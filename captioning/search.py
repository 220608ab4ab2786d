"""From word probabilities to captions: greedy, beam search and sampling over one step.

Everything is batched: B photos with K sequences each are B * K rows of one decoder step.
Each search is a generator that yields its best caption so far after every word, for showing
a caption as it is found, and returns the finished ones.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from captioning.decoder import Photos, State
from captioning.ensemble import AnyDecoder
from captioning.options import SearchOptions
from captioning.vocabulary import END, PAD, START, UNKNOWN, Vocabulary, tokenize

# No caption ends on these: an article, preposition or conjunction announces another word.
DANGLING_WORDS = frozenset(
    tokenize(
        "a an the its his her their and or but while as that with of in on at to from by for into "
        "onto over under near next through behind beside between above below is are"
    )
)


@dataclass(frozen=True)
class Found:
    """A caption found: its words' numbers, without <start> and <end>, and its rank score."""

    words: tuple[int, ...]
    score: float


class Step(NamedTuple):
    """A caption in the making: the numbers of its words so far, and each one's log-probability
    after the ones before it."""

    words: list[int]
    log_probabilities: list[float]


class Rules:
    """What a caption must not do, as masks over the next word."""

    def __init__(
        self, vocabulary: Vocabulary, options: SearchOptions, device: torch.device | str = "cpu"
    ) -> None:
        self.vocabulary = vocabulary
        self.options = options
        banned = frozenset() if options.dangling_ends else DANGLING_WORDS
        dangling = [word in banned for word in vocabulary.words]
        self.dangling = torch.tensor(dangling, device=device)  # (vocabulary,) bool

    def first_words(self) -> list[int]:
        """Numbers of the given first words; ValueError where the model has not learnt one."""
        for word in self.options.first_words:
            if word not in self.vocabulary or self.vocabulary.encode([word])[0] <= UNKNOWN:
                raise ValueError(f"the captioner has not learnt the word {word!r}; choose another")
        return self.vocabulary.encode(self.options.first_words)

    def allow(self, log_probabilities: Tensor, words: Tensor) -> Tensor:
        """Log-probabilities with -inf for what must not follow.

        log_probabilities: (N, vocabulary); words: (N, t), those so far, <start> first.
        """
        allowed = log_probabilities.clone()
        length = words.shape[1] - 1
        if length >= self.options.max_length:
            end = allowed[:, END].clone()
            allowed.fill_(-torch.inf)
            allowed[:, END] = end
        if length < self.options.min_length:
            allowed[:, END] = -torch.inf
        else:
            allowed[:, END].masked_fill_(self.dangling[words[:, -1]], -torch.inf)
        self._ban_repeats(allowed, words)
        return allowed

    def _ban_repeats(self, allowed: Tensor, words: Tensor) -> None:
        size = self.options.no_repeat
        if size and words.shape[1] > 1:
            allowed.scatter_(1, words[:, -1:], -torch.inf)
        if size < 2 or words.shape[1] < size + 1:
            return
        runs = words[:, 1:].unfold(1, size, 1)  # (N, t - size, size)
        last = words[:, words.shape[1] - size + 1 :]
        again = (runs[:, :, :-1] == last[:, None]).all(-1)
        ban = torch.zeros_like(again, dtype=allowed.dtype).masked_fill_(again, -torch.inf)
        allowed.scatter_add_(1, runs[:, :, -1], ban)

    def strip(self, words: Sequence[int]) -> tuple[int, ...]:
        """The words without an ending that announces more."""
        kept = list(words)
        while len(kept) > 1 and self.dangling[kept[-1]]:
            kept.pop()
        return tuple(kept)


def next_word(
    decoder: AnyDecoder, photos: Photos, state: State, words: Tensor
) -> tuple[Tensor, State]:
    """The one decoding step that every search shares.

    words: (N, t) so far. Returns log-probabilities, (N, vocabulary) float32, of the word
    that follows; <pad>, <start> and <unk> are never spoken and have -inf.
    """
    logits, state = decoder.step(photos, state, words[:, -1])
    return spoken(logits), state


def spoken(logits: Tensor) -> Tensor:
    """Logits (…, vocabulary) to log-probabilities over the words that may be spoken."""
    never = torch.tensor([PAD, START, UNKNOWN], device=logits.device)
    return logits.float().index_fill(-1, never, -torch.inf).log_softmax(-1)


Result = TypeVar("Result")


def drain(search: Generator[Step, None, Result]) -> Result:
    """Runs a search to its end and returns what it found."""
    while True:
        try:
            next(search)
        except StopIteration as stop:
            return stop.value


def begin(
    decoder: AnyDecoder, photos: Photos, first_words: Sequence[int], sequences: int
) -> tuple[State, Tensor, Tensor]:
    """State and words after <start> and all given words but the last one's step.

    Returns the state of B * sequences rows, their words, (B * sequences, 1 + given), and the
    log-probabilities of the given ones, (B * sequences, given).
    """
    count, device = photos.grid.shape[0], photos.grid.device
    state = decoder.start(photos)
    words = torch.tensor([[START, *first_words]] * count, device=device)
    told = torch.zeros(count, 0, device=device)
    for place in range(words.shape[1] - 1):
        log_probabilities, state = next_word(decoder, photos, state, words[:, : place + 1])
        told = torch.cat([told, log_probabilities.gather(1, words[:, place + 1, None])], 1)
    rows = torch.arange(count, device=device).repeat_interleave(sequences)
    return state.take(rows), words[rows], told[rows]


def beam_search(
    decoder: AnyDecoder, photos: Photos, rules: Rules
) -> Generator[Step, None, list[list[Found]]]:
    """Beam search for B photos at once; beam 1 is greedy search.

    Yields the first photo's best caption so far; returns for each photo the distinct captions
    found, best first, at most `num_captions`. They do not depend on the batch's other photos.
    """
    options = rules.options
    beams = max(options.beam_size, options.num_captions)
    count, device = photos.grid.shape[0], photos.grid.device
    state, words, told = begin(decoder, photos, rules.first_words(), beams)
    scores = torch.full((count, beams), -torch.inf, device=device)
    scores[:, 0] = 0  # all beams of a photo are equal at first: only one may grow
    found: list[list[Found]] = [[] for _ in range(count)]
    settled = [False] * count
    row_start = torch.arange(count, device=device)[:, None] * beams
    for length in range(words.shape[1] - 1, options.max_length + 1):
        log_probabilities, state = next_word(decoder, photos, state, words)
        grown = scores[..., None] + rules.allow(log_probabilities, words).unflatten(0, scores.shape)
        # 2 * beams candidates leave `beams` that go on, whichever of them end.
        best, place = grown.flatten(1).topk(2 * beams, dim=1)
        row, word = row_start + place // grown.shape[-1], place % grown.shape[-1]
        rank = (length + 1) ** options.length_penalty
        ends = (word == END) & (best > -torch.inf) & ~torch.tensor(settled, device=device)[:, None]
        _collect(found, ends[:, :beams], best, row, words, rank)
        scores, keep = best.masked_fill(word == END, -torch.inf).topk(beams, dim=1)
        chosen = row.gather(1, keep).flatten()
        next_words = word.gather(1, keep).flatten()
        words = torch.cat([words[chosen], next_words[:, None]], 1)
        told = torch.cat([told[chosen], log_probabilities[chosen, next_words][:, None]], 1)
        state = state.take(chosen)
        open_scores = (scores[:, 0] / rank).tolist()
        settled = [
            before or _is_settled(captions, open_score, beams)
            for before, captions, open_score in zip(settled, found, open_scores, strict=True)
        ]
        if all(settled):
            break
        yield Step(words[0, 1:].tolist(), told[0].tolist())
    return [
        sorted(captions, key=lambda caption: -caption.score)[: options.num_captions]
        or [Found(rules.strip(words[i * beams, 1:-1].tolist()), float("-inf"))]
        for i, captions in enumerate(found)
    ]


def _collect(
    found: list[list[Found]],
    ends: Tensor,
    best: Tensor,
    row: Tensor,
    words: Tensor,
    rank: float,
) -> None:
    """Adds the captions that end among each photo's best candidates, (B, beams) bool."""
    for photo, candidate in ends.nonzero().tolist():
        ended = tuple(words[row[photo, candidate], 1:].tolist())
        found[photo].append(Found(ended, best[photo, candidate].item() / rank))


def _is_settled(captions: list[Found], open_score: float, beams: int) -> bool:
    """Whether no living beam of a photo, the best of which has this score, outranks, as it stands,
    the worst of the captions that are kept."""
    if len(captions) < beams:
        return False
    return open_score <= sorted((caption.score for caption in captions), reverse=True)[beams - 1]


def sample(
    decoder: AnyDecoder,
    photos: Photos,
    rules: Rules,
    sequences: int,
    generator: torch.Generator | None = None,
) -> Generator[Step, None, Tensor]:
    """Draws captions word by word, with temperature and top-p.

    Yields the first photo's first caption so far; returns (B, sequences, T) word numbers
    without <start>, each ended by <end> and filled up with <pad>.
    """
    options = rules.options
    count = photos.grid.shape[0]
    state, words, told = begin(decoder, photos, rules.first_words(), sequences)
    ended = torch.zeros_like(words[:, 0], dtype=torch.bool)
    for _ in range(words.shape[1] - 1, options.max_length + 1):
        log_probabilities, state = next_word(decoder, photos, state, words)
        allowed = rules.allow(log_probabilities, words)
        # A caption that stands at its maximum length on a dangling word has nothing allowed.
        stuck = allowed.max(1).values == -torch.inf
        allowed[stuck, END] = 0
        drawn = _draw(allowed, options, generator).masked_fill(ended, PAD)
        words = torch.cat([words, drawn[:, None]], 1)
        told = torch.cat([told, log_probabilities.gather(1, drawn[:, None])], 1)
        ended |= drawn == END
        yield Step(words[0, 1:].tolist(), told[0].tolist())
        if ended.all():
            break
    return words[:, 1:].unflatten(0, (count, sequences))


def _draw(allowed: Tensor, options: SearchOptions, generator: torch.Generator | None) -> Tensor:
    probabilities = (allowed / options.temperature).softmax(-1)
    if options.top_p < 1:
        ordered, places = probabilities.sort(dim=-1, descending=True)
        before = ordered.cumsum(-1) - ordered
        ordered = ordered.masked_fill(before >= options.top_p, 0)
        probabilities = torch.zeros_like(probabilities).scatter_(1, places, ordered)
    # The inverse of the cumulative distribution: one random number a row, where
    # torch.multinomial draws one a word, which takes as long as the network.
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    points = torch.rand(total.shape, generator=generator, device=total.device) * total
    below_total = torch.nextafter(total, torch.zeros_like(total))
    return torch.searchsorted(cumulative, points.minimum(below_total), right=True)[:, 0]


def sample_captions(
    decoder: AnyDecoder, photos: Photos, rules: Rules
) -> Generator[Step, None, list[list[Found]]]:
    """`num_captions` distinct sampled captions a photo, the most probable first.

    Draws anew, a few times at most, where the same caption was drawn twice; a photo may
    come back with fewer captions.
    """
    options = rules.options
    generator = torch.Generator(photos.grid.device)
    if options.seed is None:
        generator.seed()
    else:
        generator.manual_seed(options.seed)
    found: list[dict[tuple[int, ...], Found]] = [{} for _ in range(photos.grid.shape[0])]
    for _ in range(4):
        drawn = yield from sample(decoder, photos, rules, options.num_captions, generator)
        stripped = [
            [rules.strip(row[: row.index(END)] if END in row else row) for row in rows]
            for rows in drawn.tolist()
        ]
        scores = log_probability(decoder, photos, _ended(stripped, drawn))
        for captions, rows, values in zip(found, stripped, scores.tolist(), strict=True):
            for words, value in zip(rows, values, strict=True):
                captions.setdefault(words, Found(words, value))
        if all(len(captions) >= options.num_captions for captions in found):
            break
    return [
        sorted(captions.values(), key=lambda c: -c.score)[: options.num_captions]
        for captions in found
    ]


def _ended(captions: Sequence[Sequence[Sequence[int]]], like: Tensor) -> Tensor:
    """Words of K captions for each of B photos as (B, K, T), ended by <end>, filled with <pad>."""
    length = 1 + max(len(words) for photo in captions for words in photo)
    rows = [
        [[*words, END] + [PAD] * (length - 1 - len(words)) for words in photo] for photo in captions
    ]
    return like.new_tensor(rows)


def log_probability(decoder: AnyDecoder, photos: Photos, words: Tensor) -> Tensor:
    """(B, K) log-probabilities of (B, K, T) captions ended by <end>, filled with <pad>."""
    start = torch.full_like(words[..., :1], START)
    logits = decoder(photos, torch.cat([start, words[..., :-1]], -1))
    chosen = spoken(logits).gather(-1, words[..., None])[..., 0]
    return chosen.masked_fill(words == PAD, 0).sum(-1)
