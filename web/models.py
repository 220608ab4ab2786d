"""The page's models: loaded in the background, run in a bounded number of compute slots."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar

from keypoints_captions.cores import usable_cores

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: One loads at a time: they import the same libraries, and of those that import each other in
#: circles Python gives a second thread half of one.
_turn = threading.Lock()


class Background(Generic[T]):
    """The result of `load`, called once, in a thread of its own.

    load: takes nothing, and waits for no other `Background`. What it raises is raised by every
        `get`.
    """

    def __init__(self, load: Callable[[], T]):
        self._load = load
        self._result: Future[T] = Future()
        self._started = threading.Lock()

    def start(self) -> None:
        """Begins to load; does nothing from the second call on."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._run, daemon=True, name="load-model").start()

    @property
    def state(self) -> Literal["loading", "ready", "failed"]:
        """How far it is; "loading" before it starts too."""
        if not self._result.done():
            return "loading"
        return "ready" if self._result.exception() is None else "failed"

    def get(self) -> T:
        """The result; waits for it, and starts where nobody did. May be called by any thread."""
        self.start()
        return self._result.result()

    def _run(self) -> None:
        try:
            with _turn:
                result = self._load()
            self._result.set_result(result)
        except BaseException as error:  # it belongs to those who call `get`
            _log.error("a model could not be loaded: %s: %s", type(error).__name__, error)
            self._result.set_exception(error)


class Turns:
    """So many pieces of work at once. Every method may be called by any thread.

    Where several want a turn, each runs on one core: split over the cores, the small layers of
    these models wait for one another more than they compute. A piece of work that is alone gets
    every core, because then its visitor's wait is all that counts.
    """

    def __init__(self, count: int, cores: int):
        self.count, self._cores = count, cores
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._wanted = 0  # turns that are taken or waited for

    @property
    def busy(self) -> bool:
        """Whether somebody has a turn or waits for one."""
        return self._wanted > 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn and holds it until the end of the `with`. Not to be nested, and not to
        be held while waiting for anything else."""
        with self._lock:
            self._wanted += 1
        try:
            with self._free:
                self._share_cores()
                yield
        finally:
            with self._lock:
                self._wanted -= 1

    def one_by_one(self, steps: Iterable[T]) -> Iterator[T]:
        """The same items, each of them made in a turn of its own."""
        items = iter(steps)
        while True:
            with self.turn():
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item

    def _share_cores(self) -> None:
        import torch  # here, because it takes seconds; whoever has a turn has loaded a model

        torch.set_num_threads(1 if self._wanted > 1 else self._cores)


#: A photo in work takes up to 400 MB, so that more at once would need a larger machine too.
MAX_AT_ONCE = 4

#: The turns of this process, for both halves of the page.
MODELS = Turns(min(usable_cores(), MAX_AT_ONCE), usable_cores())
