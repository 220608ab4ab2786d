"""A training run by two processes, as `torchrun --nproc-per-node 2 -m MODULE …` starts it."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from train.benchmark.running_app import ROOT, free_port


def train_in_two(
    main: Callable[[list[str]], None], arguments: list[str], patch: pytest.MonkeyPatch
) -> str:
    """Runs the module of `main` with these arguments: this process is the first, which torch is
    loaded in already; another one joins it. Gives what the other one prints."""
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    group |= {"WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    other = subprocess.Popen(
        [sys.executable, "-m", main.__module__, *arguments],
        env=os.environ | group | {"RANK": "1", "LOCAL_RANK": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    for name, value in (group | {"RANK": "0", "LOCAL_RANK": "0"}).items():
        patch.setenv(name, value)
    try:
        main(arguments)
        printed, _ = other.communicate(timeout=300)
    finally:
        other.kill()
    assert other.returncode == 0
    return printed
