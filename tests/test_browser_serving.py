"""What programs and those who wait are told on the page, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import BROWSER_MARKS, LIMIT, warm_context, watched_page
from web.api_section import ADDRESS, EXAMPLES

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def page(browser: Browser, app_address: str) -> Iterator[Page]:
    permissions = ["clipboard-read", "clipboard-write"]
    with watched_page(browser, app_address, permissions=permissions) as page:
        expect(page.locator("#keypoints-status")).to_contain_text("astronaut.jpg")
        yield page


def test_examples_have_the_page_s_address_and_are_copied(page: Page, app_address: str) -> None:
    page.get_by_role("button", name="Use it from a program").click()
    codes = page.locator("#api code").filter(has_text=app_address)
    expect(codes).to_have_count(len(EXAMPLES))
    expect(page.locator("#api").get_by_text(ADDRESS)).to_have_count(0)
    page.get_by_role("button", name="Copy the example in curl").click()
    expect(page.locator("#api figure").nth(2)).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"API={app_address}gradio_api")


def test_the_place_in_the_line_is_told_in_words(page: Page) -> None:
    page.evaluate(
        """() => {
          const text = document.createElement("div");
          text.className = "progress-text";
          text.id = "made-up";
          text.append("queue: 3/7 |", " 1.2s");
          document.querySelector("#keypoints-status").append(text);
        }"""
    )
    line = page.locator("#made-up")
    expect(line).to_have_text("Busy: you are number 3 of 7 who wait. 1.2s")
    page.evaluate("document.getElementById('made-up').firstChild.data = 'queue: 2/6 |'")
    expect(line).to_contain_text("number 2 of 6")


#: The end of Gradio's stream of answers arrives late, as it may where the machine is busy.
LATE_END = """
const plain = window.fetch;
window.fetch = async (...given) => {
  const answer = await plain(...given);
  if (!answer.url.includes("/queue/data")) return answer;
  const late = new TransformStream({async transform(chunk, out) {
    const text = new TextDecoder().decode(chunk);
    const end = text.indexOf('data: {"msg":"close_stream"');
    if (end < 0) return out.enqueue(chunk);
    out.enqueue(new TextEncoder().encode(text.slice(0, end)));
    await new Promise((go) => setTimeout(go, 700));
    window.lateEnds = (window.lateEnds ?? 0) + 1;
    out.enqueue(new TextEncoder().encode(text.slice(end)));
  }});
  return new Response(answer.body.pipeThrough(late), answer);
};"""


def test_what_is_asked_as_the_stream_of_answers_ends_is_answered(
    browser: Browser, app_address: str
) -> None:
    page = warm_context(browser).new_page()
    page.set_default_timeout(LIMIT)
    page.add_init_script(LATE_END)
    page.goto(app_address)
    expect(page.locator("#keypoints-status")).to_contain_text("astronaut.jpg")
    for name in ("JSON", "CSV", "JSON", "CSV"):
        with page.expect_download(timeout=LIMIT):
            page.get_by_role("button", name=name).click()
    assert page.evaluate("window.lateEnds") >= 3
    page.close()
