"""What the tests of the real page in a real browser, Debian's Chromium, share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from train.running_app import CHROMIUM

LIMIT = 90_000  # milliseconds; all of it takes a second where nothing else runs

#: For `pytestmark`.
BROWSER_MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium found; on Debian: apt-get install chromium"
    ),
]


@contextmanager
def watched_page(browser: Browser, address: str, **context: Any) -> Iterator[Page]:
    """The page, opened. In the end there was no script error and no request to elsewhere.

    context: options of a Playwright context; 1280 × 900 pixels without.
    """
    expect.set_options(timeout=LIMIT)
    opened = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    page = opened.new_page()
    page.set_default_timeout(LIMIT)
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    opened.close()
    assert errors == [], errors
    origin = address.partition("?")[0]
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []
