"""A training run by two processes, as `torchrun --nproc-per-node 2 -m MODULE …` starts it."""

import importlib
import io
import multiprocessing
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from multiprocessing.connection import Connection

import pytest

from tests.caption_world import shallow_encoders
from train.benchmark.running_app import free_port

#: Each second process is a copy of one that has imported the trainings, which takes seconds.
TRAININGS = [f"train.{name}.__main__" for name in ("captioning", "detector", "keypoints")]
_copies = multiprocessing.get_context("forkserver")
_copies.set_forkserver_preload([__name__, *TRAININGS])


def _join(module: str, arguments: list[str], group: dict[str, str], printed: Connection) -> None:
    os.environ |= group
    with redirect_stdout(io.StringIO()) as text, shallow_encoders():
        importlib.import_module(module).main(arguments)
    printed.send(text.getvalue())


def train_in_two(
    main: Callable[[list[str]], None], arguments: list[str], patch: pytest.MonkeyPatch
) -> str:
    """Runs the module of `main` with these arguments: this process is the first, another one joins
    it. Gives what the other one prints."""
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    group |= {"WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    here, there = _copies.Pipe(duplex=False)
    second = group | {"RANK": "1", "LOCAL_RANK": "1"}
    other = _copies.Process(target=_join, args=(main.__module__, arguments, second, there))
    other.start()
    there.close()
    for name, value in (group | {"RANK": "0", "LOCAL_RANK": "0"}).items():
        patch.setenv(name, value)
    try:
        main(arguments)
        printed = here.recv() if here.poll(300) else ""
        other.join(60)
    finally:
        other.kill()
        other.join()
    assert other.exitcode == 0
    return printed
