"""Photos through a model in batches: reading ahead in threads, work on all cores.

Each core works on batches of its own with one torch thread: networks this small lose more by
splitting each layer over the cores than they gain, above all where other programs run.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from keypoints_captions.cores import usable_cores, use_one_core
from keypoints_captions.photos.reader import PhotoError

BATCH = 16  # photos
READERS = min(4, usable_cores())  # threads; decoders release Python's lock
#: Bytes of photos that wait to be worked on; above it, only `READERS` are read ahead.
MOST_WAITING = 256 * 2**20

S = TypeVar("S")  # where a photo comes from
P = TypeVar("P")  # a photo as the model wants it
R = TypeVar("R")  # the model's result for one photo


@dataclass(frozen=True)
class Outcome(Generic[S, R]):
    """One photo's result, or, where that is None, the sentence that says what went wrong.

    path: where the photo came from, as it was given.
    """

    path: S
    result: R | None
    error: str | None


def usual_workers() -> int:
    """One more than there are cores, where there are several: each waits for others at times."""
    return usable_cores() + (usable_cores() > 1)


def run_batches(
    sources: Iterable[S],
    read: Callable[[S], P],
    handle: Callable[[list[P]], Sequence[R]],
    *,
    batch_size: int = BATCH,
    workers: int | None = None,
    weigh: Callable[[P], int] = lambda photo: 0,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome[S, R]]:
    """The outcome of every source, in order, each as soon as it and those before it are known.

    Args:
        read: source -> what the model takes; called in threads ahead of the model.
        handle: what was read, `batch_size` or fewer -> a result for each; called in several
            threads at once. If it fails on several photos, they are tried again one by one, so
            that one photo takes no other with it.
        workers: threads that call `handle`; by default `usual_workers`. A single one keeps torch's
            usual number of threads.
        weigh: bytes of what was read: large photos go in smaller batches.
        stopped: once it is true, no more batches are begun; those in hand are finished.
    """
    workers = workers or usual_workers()
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="photo-reader")
    prepare = use_one_core if workers > 1 else lambda: None
    hands = ThreadPoolExecutor(workers, "photo-worker", initializer=prepare)
    in_hand: deque[Future[list[Outcome[S, R]]]] = deque()
    try:
        ahead = _read_ahead(readers, sources, read, batch_size + READERS, weigh)
        for chunk in _chunks(ahead, batch_size, weigh):
            if stopped():
                break
            in_hand.append(hands.submit(_outcomes, chunk, handle))
            while len(in_hand) > workers or (in_hand and in_hand[0].done()):
                yield from in_hand.popleft().result()
        while in_hand:
            yield from in_hand.popleft().result()
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
        hands.shutdown(wait=False, cancel_futures=True)


def _read_ahead(
    readers: ThreadPoolExecutor,
    sources: Iterable[S],
    read: Callable[[S], P],
    limit: int,
    weigh: Callable[[P], int],
) -> Iterator[tuple[S, Future[P]]]:
    """Every source with its reading, in order and finished; at most `limit` wait to be taken."""
    waiting: deque[tuple[S, Future[P]]] = deque()
    upcoming = iter(sources)
    while True:
        heavy = sum(_weight(reading, weigh) for _, reading in waiting) > MOST_WAITING
        for source in itertools.islice(
            upcoming, max(0, (READERS if heavy else limit) - len(waiting))
        ):
            waiting.append((source, readers.submit(read, source)))
        if not waiting:
            return
        source, reading = waiting.popleft()
        reading.exception()  # waits; what it was is looked at in its turn
        yield source, reading


def _weight(reading: Future[P], weigh: Callable[[P], int]) -> int:
    return weigh(reading.result()) if reading.done() and reading.exception() is None else 0


def _chunks(
    readings: Iterable[tuple[S, Future[P]]], size: int, weigh: Callable[[P], int]
) -> Iterator[list[tuple[S, Future[P]]]]:
    chunk: list[tuple[S, Future[P]]] = []
    weight = 0
    for source, reading in readings:
        chunk.append((source, reading))
        weight += _weight(reading, weigh)
        if len(chunk) == size or weight > MOST_WAITING:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def _outcomes(
    chunk: list[tuple[S, Future[P]]], handle: Callable[[list[P]], Sequence[R]]
) -> list[Outcome[S, R]]:
    good = [reading.result() for _, reading in chunk if reading.exception() is None]
    results = iter(_handled(good, handle))
    outcomes: list[Outcome[S, R]] = []
    for source, reading in chunk:
        failure = reading.exception()
        result = next(results) if failure is None else failure
        if isinstance(result, BaseException):
            outcomes.append(Outcome(source, None, _explained(result)))
        else:
            outcomes.append(Outcome(source, result, None))
    return outcomes


def _handled(photos: list[P], handle: Callable[[list[P]], Sequence[R]]) -> list[R | Exception]:
    if not photos:
        return []
    try:
        results = list(handle(photos))
        if len(results) != len(photos):
            raise RuntimeError(f"expected {len(photos)} results, got {len(results)}")
        return [*results]
    except Exception as error:  # whatever it is, the other photos go on
        if len(photos) == 1:
            return [error]
        return [result for photo in photos for result in _handled([photo], handle)]


def _explained(error: BaseException) -> str:
    if isinstance(error, PhotoError):
        return str(error)
    return f"This photo could not be processed ({type(error).__name__}: {error})."
