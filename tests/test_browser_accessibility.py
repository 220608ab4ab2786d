"""The real page as axe-core sees it: no serious fault in either tab, light or dark, and what can be
done by keyboard alone. A photo kept on the device: `test_browser_device.py`."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import BROWSER_MARKS, watched_page

pytestmark = BROWSER_MARKS

#: Colours are those that come in the end.
NO_TRANSITIONS = "*, ::before, ::after { transition: none !important }"


@pytest.fixture(scope="module")
def page(browser: Browser, app_address: str) -> Iterator[Page]:
    """The page with its first example answered; the tests go on from each other's state."""
    with watched_page(browser, app_address, reduced_motion="reduce") as page:
        expect(page.locator("#keypoints-status")).to_contain_text("astronaut.jpg")
        page.add_style_tag(content=NO_TRANSITIONS)
        yield page


def faults(page: Page) -> list[str]:
    """What is serious or critical, in light and in dark."""
    found = []
    for dark in (False, True):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
        for fault in Axe().run(page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                found += [f"dark={dark} {fault['id']}: {n['html']}" for n in fault["nodes"]]
    return found


def seen(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name).locator("visible=true").first


def open_quality(page: Page) -> None:
    seen(page, "How good is it?").click()
    expect(page.locator(".bars:visible").first).to_be_visible()
    expect(page.locator(".cases:visible figure").nth(5)).to_be_visible()


def test_a_fault_would_be_found(page: Page) -> None:
    faint = '<p style="color: var(--body-text-color); background: #eee">in the dark</p>'
    bad = f'<div id="bad"><button id="nameless"></button>{faint}</div>'
    page.evaluate("bad => document.body.insertAdjacentHTML('beforeend', bad)", bad)
    found = faults(page)
    assert any(fault.startswith("dark=False") and "nameless" in fault for fault in found)
    assert any(fault.startswith("dark=True color-contrast") for fault in found)
    page.evaluate("document.getElementById('bad').remove()")


def test_the_photo_part_and_all_its_folds(page: Page) -> None:
    open_quality(page)
    seen(page, "Compare detectors").click()
    expect(page.locator("#compare-view img")).to_be_visible()
    seen(page, "Look inside").click()
    expect(page.locator("#inside-effect img")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("part", ["Live", "Video"])
def test_the_other_parts(page: Page, part: str) -> None:
    page.get_by_role("tab", name=part).click()
    assert faults(page) == []


def test_the_captions_and_all_their_folds(page: Page) -> None:
    page.get_by_role("tab", name="Photo captions").click()
    expect(page.locator("#captions-status")).to_contain_text("flower.jpg")
    open_quality(page)
    seen(page, "Advanced").click()
    page.locator("[data-word='0-1']").click()
    expect(page.locator(".heat:visible")).to_have_count(1)
    assert faults(page) == []


def test_a_message_about_a_bad_file(page: Page) -> None:
    page.locator("#captions-photo input[type=file]").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"only text"}
    )
    expect(page.get_by_role("alert").filter(has_text="cannot be used")).to_be_visible()
    assert faults(page) == []


def test_pictures_have_a_text_and_results_are_announced(page: Page) -> None:
    assert page.locator("img:not([alt])").count() == 0
    for tab in ("keypoints", "captions"):
        told = page.locator(f"#{tab}-status").locator("[data-said], [role=alert]")
        expect(told).to_have_count(1)
