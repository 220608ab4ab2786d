"""Loading in the background: once, for everybody, errors included."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from web.models import Background, start_in_order


def test_loads_once_for_all_who_wait() -> None:
    release, calls = threading.Event(), []

    def load() -> str:
        calls.append(threading.current_thread().name)
        assert release.wait(10)
        return "model"

    model = Background(load)
    assert calls == []
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(model.get) for _ in range(8)]
        release.set()
        assert [each.result(10) for each in waiting] == ["model"] * 8
    model.start()
    assert calls == ["load-model"]


def test_one_loads_at_a_time() -> None:
    loading, together = [], []

    def load() -> None:
        loading.append(1)
        together.append(len(loading))
        time.sleep(0.02)
        loading.pop()

    models = [Background(load) for _ in range(4)]
    for model in models:
        model.start()
    for model in models:
        model.get()
    assert together == [1] * 4


def test_what_loading_raises_is_raised_by_each_get() -> None:
    def load() -> str:
        raise FileNotFoundError("no weights")

    model = Background(load)
    model.start()
    frames = []
    for _ in range(3):
        with pytest.raises(FileNotFoundError, match="no weights") as raised:
            model.get()
        frames.append(len(raised.traceback))
    assert len(set(frames)) == 1  # it keeps nothing of those who asked before


def test_each_begins_when_those_before_it_are_ready() -> None:
    begun: list[str] = []
    release = threading.Event()

    def fail() -> None:
        begun.append("first")
        assert release.wait(10)
        raise FileNotFoundError("no weights")

    models = [Background(fail), Background(lambda: begun.append("second"))]
    start_in_order(models)
    time.sleep(0.05)
    assert begun == ["first"]
    release.set()
    models[1].wait()
    assert begun == ["first", "second"]
    assert [model.state for model in models] == ["failed", "ready"]
