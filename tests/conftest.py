"""Fixtures that several test files share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from keypoints_captions.cores import usable_cores
from train.benchmark.running_app import CHROMIUM, CHROMIUM_ARGUMENTS, app_process

# Processes that run tests side by side share the cores, and so do the pages that they start:
# more threads than cores wait for one another. Before anything imports torch.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ["OMP_NUM_THREADS"] = str(max(1, usable_cores() // _WORKERS))

# Examples are timed by the wall clock, which on a busy machine says nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that page writes: its output to `log`, visitors' files below `uploads`."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="session")
def app_address(app_folder: Path) -> Iterator[str]:
    """Address of the real page, in a process of its own for the whole test run."""
    with app_process(app_folder) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; for a file at a time, because Playwright's event loop disturbs other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def run_main(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command's main in this process -> exit code, standard output, standard error."""

    def call(main: Callable[[list[str]], int], *arguments: object) -> tuple[Any, str, str]:
        try:
            code: object = main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = error.code or 0
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the example photos."""
    return Path(__file__).resolve().parent.parent / "assets" / "examples"
