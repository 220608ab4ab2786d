"""What the tests of the real page in a real browser, Debian's Chromium, share."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from train.benchmark.running_app import CHROMIUM, CHROMIUM_ARGUMENTS

LIMIT = 90_000  # milliseconds; all of it takes a second where nothing else runs

#: For `pytestmark`.
BROWSER_MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="no Chromium found; on Debian: apt-get install chromium-headless-shell",
    ),
]


class SharedBrowser:
    """Chromium, started when it is first needed, and again after `close`."""

    def __init__(self) -> None:
        self._browser: Browser | None = None
        self._open = ExitStack()

    def started(self, arguments: list[str]) -> Browser:
        """The browser; the arguments come after `CHROMIUM_ARGUMENTS`."""
        if self._browser is None:
            playwright = self._open.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*CHROMIUM_ARGUMENTS, *arguments]
            )
            self._open.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        """Ends the browser, if it runs."""
        self._browser = None
        self._open.close()


_contexts: WeakKeyDictionary[Browser, dict[str, BrowserContext]] = WeakKeyDictionary()


def warm_context(browser: Browser, **options: Any) -> BrowserContext:
    """The same context whenever the options are the same, with the page's scripts in its cache: a
    new one costs the machine a second. The page keeps nothing in it, no cookie and no storage.

    options: of a Playwright context; 1280 × 900 pixels without.
    """
    known = _contexts.setdefault(browser, {})
    options = {"viewport": {"width": 1280, "height": 900}, **options}
    key = repr(sorted(options.items()))
    if key not in known:
        known[key] = browser.new_context(**options)
    return known[key]


@contextmanager
def watched_page(browser: Browser, address: str, **context: Any) -> Iterator[Page]:
    """The page, opened. In the end there was no script error and no request to elsewhere.

    context: as for `warm_context`.
    """
    expect.set_options(timeout=LIMIT)
    page = warm_context(browser, **context).new_page()
    page.set_default_timeout(LIMIT)
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert errors == [], errors
    origin = address.partition("?")[0]
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []


def in_base64(file: Path) -> str:
    """What `Uint8Array.fromBase64` reads there; Playwright takes a second for as many numbers."""
    return base64.b64encode(file.read_bytes()).decode()
