"""What takes seconds to load, loaded in a thread while the page is already up."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Literal, TypeVar

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
