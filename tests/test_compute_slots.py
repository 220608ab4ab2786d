"""Compute slots: how many at once, on how many cores."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from keypoints_captions.cores import may_use_all, share_cores, usable_cores
from web.models import ComputeSlots


def test_no_more_at_once_than_there_are_slots() -> None:
    slots, inside, most = ComputeSlots(2, cores=2), [], []

    def work(_: int) -> None:
        with slots.turn():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(12)))
    assert max(most) == 2
    assert not slots.busy


def test_alone_it_gets_every_core_and_among_others_one() -> None:
    slots, seen = ComputeSlots(2, cores=3), []
    first_inside, release = threading.Event(), threading.Event()

    def first() -> None:
        with slots.turn():
            seen.append((torch.get_num_threads(), may_use_all()))
            first_inside.set()
            assert release.wait(10)

    usual = torch.get_num_threads()
    thread = threading.Thread(target=first)
    thread.start()
    assert first_inside.wait(10) and slots.busy
    with slots.turn():
        seen.append((torch.get_num_threads(), may_use_all()))
    release.set()
    thread.join()
    share_cores(False, usual)
    assert seen == [(3, True), (1, False)]


def test_an_error_frees_the_slot() -> None:
    slots = ComputeSlots(1, cores=1)
    with pytest.raises(KeyError), slots.turn():
        raise KeyError
    assert not slots.busy


def test_who_waits_comes_before_who_has_just_had_one() -> None:
    slots, order = ComputeSlots(1, cores=1), []

    def visitor(name: str) -> None:
        with slots.turn():
            order.append(name)

    threads = [threading.Thread(target=visitor, args=(name,)) for name in "abc"]
    with slots.turn():
        for count, thread in enumerate(threads, 1):
            thread.start()
            while len(slots._waiting) < count:
                time.sleep(0.001)
    visitor("the one that had it")  # at once, before the others are awake
    for thread in threads:
        thread.join(10)
    assert order == ["a", "b", "c", "the one that had it"]


def test_steps_leave_room_between_them() -> None:
    slots = ComputeSlots(1, cores=1)
    steps = slots.one_by_one(slots.busy for _ in range(3))
    assert [(step, slots.busy) for step in steps] == [(True, False)] * 3


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("limit", "cores"), [("100000 100000", 1), ("150000 100000", 2), ("1000 100000", 1)]
)
def test_a_container_may_get_fewer_cores(tmp_path: Path, limit: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert usable_cores(tmp_path / "cpu.max") == cores


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize("text", ["max 100000\n", "", None])
def test_without_a_limit_it_gets_them_all(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path / "cpu.max") == 8


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("wanted", "cores"), [("3", 3), ("64", 8), ("0", 8), ("2,1", 8), ("", 8)])
def test_the_usual_variable_may_ask_for_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, cores: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert usable_cores(tmp_path / "no limit") == cores
