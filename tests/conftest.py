"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from train.running_app import CHROMIUM, CHROMIUM_ARGUMENTS, running_app

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
    with running_app(app_folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; for a file at a time, because Playwright's event loop disturbs other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the example photos."""
    return Path(__file__).resolve().parent.parent / "assets" / "examples"
