"""The page's models: loaded in the background, run in a bounded number of compute slots."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, Literal, TypeVar

from keypoints_captions.cores import share_cores, usable_cores
from web.memory import trim_memory

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: One model loads at a time: they import the same libraries, and Python gives a second thread half
#: of a library that is part of a circle of imports.
_turn = threading.Lock()


class Background(Generic[T]):
    """The result of `load`, called once, in a thread of its own.

    load: takes no arguments and waits for no other `Background`. Every `get` raises what it
        raises.
    """

    def __init__(self, load: Callable[[], T]):
        self._load = load
        self._result: Future[T] = Future()
        self._started = threading.Lock()

    def start(self) -> None:
        """Starts loading; later calls do nothing."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._run, daemon=True, name="load-model").start()

    @property
    def state(self) -> Literal["loading", "ready", "failed"]:
        """State of loading; "loading" before the start too."""
        if not self._result.done():
            return "loading"
        return "ready" if self._result.exception() is None else "failed"

    def get(self) -> T:
        """Starts where needed, waits for the result and returns it. Thread-safe."""
        self.start()
        if error := self._result.exception():
            raise error.with_traceback(None)  # or it would keep everything of all who asked before
        return self._result.result()

    def wait(self) -> None:
        """Waits until it is loaded, or cannot be."""
        self._result.exception()

    def _run(self) -> None:
        try:
            with _turn:
                result = self._load()
            trim_memory()
            self._result.set_result(result)
        except BaseException as error:  # raised by `get`
            _log.error("a model could not be loaded: %s: %s", type(error).__name__, error)
            self._result.set_exception(error)


def start_in_order(models: Sequence[Background[Any]]) -> None:
    """Loads them one after the other, so that the first has the machine to itself; what is wanted
    before its turn comes at once."""

    def run() -> None:
        for model in models:
            model.start()
            model.wait()

    threading.Thread(target=run, daemon=True, name="load-models").start()


class ComputeSlots:
    """A bounded number of compute slots; thread-safe. What has waited longest gets the next one.

    A piece of work that is alone gets every core, so that its visitor waits least. Where several
    want a slot, each runs on one core: split over the cores, the small layers of these models wait
    for one another more than they compute.

    The rule by which the cores are shared: photos and captions wait for a slot. Live frames do not,
    because one batch of captions would delay a dozen of them: they run beside the slots, on one
    core each, at most `LiveSessions.workers` at once. One clip at a time runs beside them too, on
    one core at low priority. `python -m train.evaluate sharing` measures what this costs.
    """

    def __init__(self, count: int, cores: int):
        self.count, self._cores = count, cores
        self._lock = threading.Lock()
        self._wanted = 0  # slots that are taken or waited for
        self._waiting: deque[threading.Event] = deque()  # set when the slot is theirs

    @property
    def busy(self) -> bool:
        """Whether a slot is taken or waited for."""
        return self._wanted > 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a slot and holds it until the end of the `with`. Do not nest it, and wait for
        nothing else inside.

        Not a semaphore: a thread that gives its slot back and wants another at once, as that of a
        tab under load does, would take it again before a waiting thread is awake.
        """
        mine = threading.Event()
        with self._lock:
            self._wanted += 1
            if self._wanted <= self.count:
                mine.set()
            else:
                self._waiting.append(mine)
        mine.wait()
        try:
            share_cores(self._wanted > 1, self._cores)
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if self._waiting:
                    self._waiting.popleft().set()

    def one_by_one(self, steps: Iterable[T]) -> Iterator[T]:
        """The same items, each made in a slot of its own."""
        items = iter(steps)
        while True:
            with self.turn():
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


#: A photo in work takes up to 400 MB; more at once would need a larger machine.
MAX_AT_ONCE = 4

#: The compute slots of this process, for both tabs.
MODELS = ComputeSlots(min(usable_cores(), MAX_AT_ONCE), usable_cores())
