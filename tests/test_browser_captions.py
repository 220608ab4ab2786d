"""The captioning tab of the real page in a real browser, with the project's own weights."""

import json
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import BROWSER_MARKS, LIMIT, in_base64, watched_page
from tests.picture_files import HEIC

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def page(browser: Browser, app_address: str) -> Iterator[Page]:
    """The page at its captions, with the example answered; the tests go on from each other's state,
    as one visitor does, for opening a page takes a second and a half of the machine."""
    allowed = ["clipboard-read", "clipboard-write"]
    with watched_page(browser, f"{app_address}?tab=captions", permissions=allowed) as page:
        expect(status(page)).to_contain_text("flower.jpg")
        yield page


def status(page: Page) -> Locator:
    return page.locator("#captions-status")


def words(page: Page) -> Locator:
    """The buttons of the caption in view."""
    return page.locator("#captions-told button.word:visible")


def caption(page: Page) -> str:
    """The caption in view, when it is finished, as its words say it."""
    expect(words(page).first).to_be_visible()
    faces = page.locator("#captions-told button.word:visible > span:first-child")
    return " ".join(faces.all_inner_texts()).replace(" 's", "'s")


def heat(page: Page) -> Locator:
    return page.locator("#captions-shown .heat:visible")


def reasons(page: Page) -> Locator:
    return page.locator("#captions-shown .reasons section:visible")


def upload(page: Page, photo: Path) -> None:
    box = page.locator("#captions-photo")
    if box.get_by_label("Remove Image").count():
        box.get_by_label("Remove Image").click()
    box.locator("input[type=file]").set_input_files(photo)


def open_fold(page: Page) -> Locator:
    page.get_by_role("button", name="Advanced: how captions are searched for").click()
    fold = page.locator("#search")
    expect(fold.get_by_label("Begin with these words")).to_be_visible()
    return fold


def set_number(page: Page, label: str, value: int) -> None:
    field = page.locator("#search").get_by_label(f"number input for {label}")
    field.fill(str(value))
    field.press("Enter")


def test_opens_with_an_example_captioned(page: Page) -> None:
    expect(status(page)).to_contain_text("3 captions")
    assert {"flower", "flowers"} & set(caption(page).split())
    expect(heat(page)).to_have_count(0)
    expect(reasons(page)).to_contain_text("Why these words?")
    expect(page.locator("#captions-shown .photo")).to_be_visible()


def test_why_a_word(page: Page) -> None:
    third = words(page).nth(2)
    third.click()
    expect(third).to_have_attribute("aria-pressed", "true")
    expect(heat(page)).to_have_count(1)
    assert "Where the model looked" in (heat(page).get_attribute("alt") or "")
    text = third.locator("span").first.inner_text()
    expect(reasons(page)).to_contain_text(f"Why “{text}”?")
    expect(reasons(page).locator(".rivals li")).to_have_count(6)
    photo, map_ = page.locator("#captions-shown .photo").bounding_box(), heat(page).bounding_box()
    assert photo == pytest.approx(map_, abs=1)
    third.click()
    expect(heat(page)).to_have_count(0)


def test_words_by_keyboard(page: Page) -> None:
    words(page).first.focus()
    page.keyboard.press("Enter")
    expect(words(page).first).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(words(page).nth(1)).to_be_focused()
    expect(words(page).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".word[aria-pressed=true]")).to_have_count(1)
    picture = heat(page).get_attribute("src")
    page.keyboard.press("ArrowLeft")
    expect(words(page).first).to_be_focused()
    assert heat(page).get_attribute("src") != picture
    page.keyboard.press("ArrowLeft")
    expect(words(page).first).to_be_focused()


def test_copying(page: Page) -> None:
    shown = caption(page)
    page.locator(".copies:visible").get_by_role("button", name="Alt text", exact=True).click()
    expect(page.locator(".copies:visible [role=status]")).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text in (f"{shown}.", f"Probably: {shown[0].lower()}{shown[1:]}.")
    page.locator(".copies:visible").get_by_role("button", name="HTML with alt text").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.startsWith('<img'))")
    expected = f'<img src="flower.jpg" alt="{text}">'
    assert page.evaluate("navigator.clipboard.readText()") == expected
    expect(page.locator(".copies:visible code")).to_have_text(expected)


def test_download(page: Page, tmp_path: Path) -> None:
    with page.expect_download(timeout=LIMIT) as waiting:
        page.locator(".downloads:visible").get_by_role("button", name="JSON").click()
    assert waiting.value.suggested_filename == "flower_captions.json"
    waiting.value.save_as(tmp_path / "captions.json")
    (record,) = json.loads((tmp_path / "captions.json").read_text())
    assert record["file"] == "flower.jpg" and len(record["captions"]) == 3
    assert record["captions"][0]["text"] == caption(page).lower()


def test_a_caption_goes_on_from_a_runner_up_and_starts_over(page: Page) -> None:
    before = caption(page)
    words(page).nth(1).focus()
    page.keyboard.press("Enter")
    other = reasons(page).locator("button").first
    text = other.inner_text()
    other.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#captions-told")).to_contain_text("Begins with")
    expect(words(page).nth(1)).to_be_focused()
    expect(words(page).nth(1).locator("span").first).to_have_text(text)
    expect(reasons(page)).to_contain_text("It was given")
    assert caption(page) != before
    page.get_by_role("button", name="Start over").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#captions-told")).not_to_contain_text("Begins with")
    assert caption(page) == before
    expect(words(page).first).to_be_focused()


def test_other_captions(page: Page) -> None:
    best = caption(page)
    rows = page.locator(".ranking button")
    expect(rows).to_have_count(3)
    words(page).first.click()
    rows.nth(1).click()
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(heat(page)).to_have_count(0)
    assert caption(page) != best
    assert caption(page).lower().split()[0] == rows.nth(1).inner_text().lower().split()[0]
    words(page).last.click()
    expect(heat(page)).to_have_count(1)


def test_a_photo_is_captioned_word_by_word(page: Page, examples: Path) -> None:
    page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => {
            const making = document.querySelector("#captions-told [aria-busy=true]");
            if (making) window.seen.push(making.innerText);
          }).observe(document.querySelector("#captions-told"), {childList: true, subtree: true});
        }"""
    )
    upload(page, examples / "astronaut.jpg")
    expect(status(page)).to_contain_text("astronaut.jpg")
    seen = page.evaluate("window.seen")
    lengths = [len(text.split()) for text in seen]
    assert len(set(lengths)) > 2 and lengths == sorted(lengths)
    expect(words(page).first).to_be_visible()
    told = words(page).filter(has_text="%").first
    assert "% sure" in (told.get_attribute("aria-label") or "")
    expect(page.locator("#captions-told")).to_contain_text("one of five people would use it")


def test_a_bad_file_gets_one_sentence_and_the_next_photo_works(
    page: Page, examples: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.jpg").write_text("only text")
    upload(page, tmp_path / "notes.jpg")
    alert = page.get_by_role("alert").filter(has_text="This photo cannot be used")
    expect(alert).to_contain_text("The file is text; a photo can be JPEG")
    expect(words(page)).to_have_count(0)
    expect(page.locator("#captions-shown img")).to_have_count(0)
    upload(page, examples / "coffee.jpg")
    expect(status(page)).to_contain_text("coffee.jpg")
    expect(words(page).nth(3)).to_be_visible()


def test_heic_which_the_browser_cannot_show_is_shown(
    page: Page, examples: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "phone.heic"
    pillow_heif.from_pillow(Image.open(examples / "coffee.jpg")).save(photo, **HEIC)
    upload(page, photo)
    expect(status(page)).to_contain_text("phone.heic")
    width = "document.querySelector('#captions-shown .photo').naturalWidth"
    assert page.evaluate(width) == 600


def test_a_file_name_is_text_whatever_it_looks_like(
    page: Page, examples: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "{{value}}${6*7}<b>.jpg"
    photo.write_bytes((examples / "coffee.jpg").read_bytes())
    upload(page, photo)
    expect(status(page)).to_contain_text("{{value}}${6*7}<b>.jpg")
    expect(page.locator(".copies:visible code")).to_contain_text("{{value}}${6*7}")


def test_examples_by_keyboard(page: Page) -> None:
    page.get_by_role("button", name="A cup of coffee").focus()
    page.keyboard.press("Enter")
    expect(status(page)).to_contain_text("coffee.jpg")


def test_a_photo_dropped_beside_the_box_comes_to_this_tab(page: Page, examples: Path) -> None:
    page.evaluate(
        """(data) => {
          const files = new DataTransfer();
          const bytes = Uint8Array.fromBase64(data);
          files.items.add(new File([bytes], "dropped.jpg", {type: "image/jpeg"}));
          const options = {dataTransfer: files, bubbles: true, cancelable: true};
          document.querySelector("h1").dispatchEvent(new DragEvent("drop", options));
        }""",
        in_base64(examples / "coffee.jpg"),
    )
    expect(status(page)).to_contain_text("dropped.jpg")


def test_nothing_moves_for_those_who_ask_for_it(page: Page, examples: Path) -> None:
    page.emulate_media(reduced_motion="reduce")
    upload(page, examples / "coffee.jpg")
    expect(status(page)).to_contain_text("coffee.jpg")
    name = "getComputedStyle(document.querySelector('#captions-told .word')).animationName"
    assert page.evaluate(name) == "none"


def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    open_fold(page)
    words(page).nth(1).click()
    expect(heat(page)).to_be_visible()
    for width in (360, 390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        photo, panel = (
            page.locator(f"#captions-shown {name}").bounding_box() or {}
            for name in (".photo", ".reasons")
        )
        if width < 1000:
            assert panel["y"] >= photo["y"] + photo["height"]  # below it
        else:
            assert panel["x"] >= photo["x"] + photo["width"]  # beside it


def test_first_words(page: Page) -> None:
    box = page.locator("#search").get_by_label("Begin with these words")
    box.fill("A black")
    box.press("Enter")
    expect(page.locator("#captions-told")).to_contain_text("Begins with “a black”")
    assert caption(page).lower().startswith("a black")
    box.fill("a qwertyuiop")
    box.press("Enter")
    alert = page.get_by_role("alert").filter(has_text="No caption can be found so")
    expect(alert).to_contain_text("has not learnt the word 'qwertyuiop'")
    assert caption(page).lower().startswith("a black")
    box.fill("")
    box.press("Enter")
    expect(page.locator("#captions-told")).not_to_contain_text("Begins with")
    expect(alert).to_have_count(0)


def test_options_search_again_in_the_same_look(page: Page) -> None:
    looked = status(page).inner_text().split(" ms to look")[0].split()[-1]
    set_number(page, "Number of captions", 5)
    expect(status(page)).to_contain_text("5 captions")
    assert status(page).inner_text().split(" ms to look")[0].split()[-1] == looked
    set_number(page, "Number of captions", 1)
    expect(status(page)).to_contain_text("1 caption")
    expect(page.locator(".ranking")).to_have_count(0)
    set_number(page, "Words at least", 10)
    expect(words(page).nth(9)).to_be_visible()
    page.get_by_label("Sampling").click()
    expect(page.get_by_role("button", name="Draw again")).to_be_visible()
    expect(page.get_by_label("number input for Beam size")).to_have_count(0)
    drawn = {caption(page)}
    for _ in range(4):
        before = status(page).inner_html()
        page.get_by_role("button", name="Draw again").click()
        page.wait_for_function(
            "before => document.querySelector('#captions-status .summary')"
            " && !document.querySelector('#captions-told [aria-busy]')"
            " && !before.includes(document.querySelector('#captions-status .summary').innerHTML)",
            arg=before,
        )
        drawn.add(caption(page))
        if len(drawn) > 1:
            break
    assert len(drawn) > 1
