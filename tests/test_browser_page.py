"""What the tabs of the real page share, in a real browser: one photo in both, and links."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import BROWSER_MARKS, watched_page

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def page(browser: Browser, app_address: str) -> Iterator[Page]:
    """The page with its first example answered; the tests go on from each other's state."""
    with watched_page(browser, app_address, permissions=["clipboard-read"]) as page:
        expect(status(page, "keypoints")).to_contain_text("astronaut.jpg")
        yield page


def status(page: Page, tab: str) -> Locator:
    return page.locator(f"#{tab}-status")


def selected(page: Page, name: str) -> Locator:
    return page.get_by_role("tab", name=name, selected=True)


def test_the_address_follows_the_visitor(page: Page, app_address: str) -> None:
    page.get_by_role("tab", name="Live").click()
    page.wait_for_url(f"{app_address}?view=live")
    page.get_by_role("tab", name="Photo", exact=True).click()
    page.wait_for_url(app_address)
    page.get_by_role("checkbox", name="Boxes").click()
    page.wait_for_url(f"{app_address}?show=points+contours+boxes")
    page.get_by_role("checkbox", name="Boxes").click()
    page.wait_for_url(app_address)
    page.get_by_role("tab", name="Photo captions").click()
    page.wait_for_url(f"{app_address}?tab=captions")
    page.get_by_role("tab", name="Facial keypoints").click()
    page.wait_for_url(app_address)


def test_the_example_that_the_page_opens_with_goes_over_too(page: Page) -> None:
    page.get_by_role("button", name="Caption this photo").click()
    expect(status(page, "captions")).to_contain_text("astronaut.jpg")
    expect(page.locator(".alt-text:visible")).to_contain_text(", 1 face.")
    page.get_by_role("tab", name="Facial keypoints").click()


def test_a_photo_goes_to_the_captions_and_back(page: Page, examples: Path) -> None:
    page.evaluate(
        """() => {
          window.told = new Set();
          new MutationObserver(() => {
            const summary = document.querySelector("#captions-status .summary");
            if (summary) window.told.add(summary.textContent);
          }).observe(document.body, {childList: true, subtree: true});
        }"""
    )
    page.locator("#keypoints-photo input[type=file]").set_input_files(
        examples / "two_portraits.jpg"
    )
    expect(status(page, "keypoints")).to_contain_text("two_portraits.jpg")
    expect(page.locator(".alt-text:visible")).to_have_count(0)
    page.get_by_role("button", name="Caption this photo").click()
    expect(selected(page, "Photo captions")).to_be_focused()
    expect(status(page, "captions")).to_contain_text("two_portraits.jpg")
    line = page.locator(".alt-text:visible")
    # The faces are told, or the caption of one person is told of two.
    expect(line).to_contain_text(re.compile(r", 2 faces\.$|^Probably: .*two people"))
    text = line.locator("p").inner_text()
    line.get_by_role("button", name="Copy alt text").click()
    assert page.evaluate("navigator.clipboard.readText()") == text
    page.get_by_role("button", name="A cat").last.click()
    expect(status(page, "captions")).to_contain_text("cat.jpg")
    expect(page.locator(".alt-text:visible")).to_have_count(0)
    answers = page.evaluate("[...window.told].filter((text) => text.includes('two_portraits'))")
    assert len(answers) == 1  # with its milliseconds: the model ran once
    page.get_by_role("button", name="Find faces in this photo").click()
    expect(selected(page, "Facial keypoints")).to_have_count(1)
    expect(selected(page, "Photo")).to_be_focused()
    expect(status(page, "keypoints")).to_contain_text("No face found")
    expect(page.locator(".alt-text:visible")).to_have_count(1)


def test_a_link_to_a_tab_and_its_settings(browser: Browser, app_address: str) -> None:
    address = f"{app_address}?tab=captions&beam=5&captions=1&view=live"
    with watched_page(browser, address) as page:
        expect(status(page, "captions")).to_contain_text("1 caption")
        page.get_by_role("button", name="Advanced: how captions are searched for").click()
        expect(page.get_by_label("number input for Beam size")).to_have_value("5")
        page.get_by_role("tab", name="Facial keypoints").click()
        expect(page.get_by_role("button", name="Start camera")).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Start camera")).to_be_visible()


def test_a_link_that_makes_no_sense(browser: Browser, app_address: str) -> None:
    address = f"{app_address}?tab=nowhere&view=<b>&beam=99&show=boxes&detector=eyes"
    with watched_page(browser, address) as page:
        expect(status(page, "keypoints")).to_contain_text("astronaut.jpg")
        expect(page.get_by_role("checkbox", name="Boxes")).to_be_checked()
        expect(page.get_by_role("checkbox", name="Points", exact=True)).not_to_be_checked()
        expect(selected(page, "Photo")).to_have_count(1)
        told = page.locator(".toast-body")
        expect(told.first).to_contain_text("This link sets")
        expect(page.get_by_label("Our CNN")).to_be_checked()
