"""The keypoint tab of the real page in a real browser."""

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
    """The page with its example answered; the tests go on from each other's state, as one visitor
    does, for opening a page takes a second and a half of the machine."""
    allowed = ["camera", "clipboard-read"]
    with watched_page(browser, app_address, permissions=allowed) as page:
        expect(status(page)).to_contain_text("astronaut.jpg")
        yield page


@pytest.fixture(scope="module")
def heic(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait as an iPhone saves it."""
    photo = tmp_path_factory.mktemp("heic") / "phone.heic"
    pillow_heif.from_pillow(Image.open(examples / "admiral.jpg")).save(photo, **HEIC)
    return photo


def status(page: Page) -> Locator:
    return page.locator("#keypoints-status")


def drawn(page: Page) -> str:
    """The annotated photo, as a `data:` URL."""
    return page.locator("#keypoints-view img").get_attribute("src") or ""


def clear(page: Page) -> None:
    """Empties the box of the photo."""
    remove = page.get_by_label("Remove Image")
    if remove.count():
        remove.click()
        expect(remove).to_have_count(0)


def upload(page: Page, photo: Path) -> None:
    clear(page)
    page.locator("#keypoints-photo input[type=file]").set_input_files(photo)


def choose(page: Page, label: str) -> None:
    """Click a check box below the photo and wait for the new drawing."""
    before = drawn(page)
    page.get_by_role("checkbox", name=label, exact=True).click()
    page.wait_for_function(
        "before => document.querySelector('#keypoints-view img').src !== before", arg=before
    )


def test_opens_with_an_example_answered(page: Page) -> None:
    expect(status(page)).to_contain_text("1 face")
    expect(page.locator(".card")).to_have_count(1)
    assert drawn(page).startswith("data:image/jpeg")
    expect(page.get_by_role("heading", name="Drop a photo here")).to_be_visible()


def test_downloads(page: Page, tmp_path: Path) -> None:
    for button, name in (
        ("JSON", "astronaut_keypoints.json"),
        ("CSV", "astronaut_keypoints.csv"),
        ("Annotated photo", "astronaut_keypoints.jpg"),
    ):
        with page.expect_download(timeout=LIMIT) as waiting:
            page.get_by_role("button", name=button).click()
        assert waiting.value.suggested_filename == name
        waiting.value.save_as(tmp_path / name)
    (record,) = json.loads((tmp_path / "astronaut_keypoints.json").read_text())
    assert len(record["faces"][0]["points"]) == 68
    with Image.open(tmp_path / "astronaut_keypoints.jpg") as photo:
        assert photo.size == (512, 512)
        assert not photo.getexif()


TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def nothing_is_wider_than_the_screen(page: Page) -> None:
    usual = page.viewport_size
    assert usual is not None
    for width in (320, 390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)  # Gradio measures its tabs
        expect(page.locator(".halves > .tab-wrapper").get_by_role("tab")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box, result = (
            page.locator(name).bounding_box() or {}
            for name in ("#keypoints-photo", "#keypoints-view")
        )
        if width < 600:
            assert result["y"] > box["y"] + box["height"]  # below it
        else:
            assert result["x"] > box["x"] + box["width"]  # beside it
    page.set_viewport_size(usual)


def test_look_inside_from_a_card_on_every_screen(page: Page) -> None:
    page.get_by_role("button", name="Look inside", exact=True).click()
    maps, effect = page.locator("#inside-maps img"), page.locator("#inside-effect img")
    expect(maps).to_be_visible()
    expect(effect).to_be_visible()
    nothing_is_wider_than_the_screen(page)
    first, picture = maps.get_attribute("src"), effect.get_attribute("src")
    number = page.locator("#inside-filter input[type=number]")
    number.fill("5")
    number.press("Enter")
    expect(effect).not_to_have_attribute("src", picture or "")
    page.get_by_label("Layer").click()
    page.get_by_role("option").nth(1).click()
    expect(maps).not_to_have_attribute("src", first or "")


def test_upload_toggle_and_dress_up(page: Page, examples: Path) -> None:
    upload(page, examples / "two_portraits.jpg")
    expect(status(page)).to_contain_text("2 faces")
    expect(status(page)).to_contain_text("two_portraits.jpg")
    expect(page.locator(".card")).to_have_count(2)
    found = status(page).inner_text()
    for label in ("Points", "Boxes", "Numbers", "Pose axes", "Sunglasses", "Hat", "Moustache"):
        choose(page, label)
    assert status(page).inner_text() == found  # with its time: the model did not run again


def test_what_arrives_is_said_in_a_region_that_stays(page: Page, examples: Path) -> None:
    region = page.locator("#said[role=status]")
    expect(region).to_have_count(1)
    stays = region.element_handle()
    for name in ("cat.jpg", "astronaut.jpg"):
        upload(page, examples / name)
        expect(status(page)).to_contain_text("No face" if name == "cat.jpg" else name)
        expect(region).to_contain_text("No face found. The detector" if name == "cat.jpg" else name)
    assert stays.evaluate("region => region.isConnected")


def test_no_face(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), (120, 140, 160)).save(tmp_path / "wall.png")
    upload(page, tmp_path / "wall.png")
    expect(status(page)).to_contain_text("No face found")
    expect(status(page)).to_contain_text("brighter")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#inside")).to_have_count(0)


def test_a_bad_file_gets_one_sentence_and_the_next_photo_works(
    page: Page, examples: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.jpg").write_text("only text")
    upload(page, tmp_path / "notes.jpg")
    alert = page.get_by_role("alert").filter(has_text="This photo cannot be used")
    expect(alert).to_contain_text("The file is text; a photo can be JPEG")
    expect(page.get_by_text("Your photo cannot be shown")).to_have_count(0)
    upload(page, examples / "admiral.jpg")
    expect(status(page)).to_contain_text("admiral.jpg")
    expect(alert).to_have_count(0)


def test_heic_which_the_browser_cannot_show(page: Page, heic: Path) -> None:
    upload(page, heic)
    expect(status(page)).to_contain_text("phone.heic")
    expect(status(page)).to_contain_text("1 face")
    expect(page.locator("#keypoints-photo.no-preview")).to_have_count(1)


def test_examples_by_keyboard(page: Page) -> None:
    page.get_by_role("button", name="Two portraits side by side").focus()
    page.keyboard.press("Enter")
    expect(status(page)).to_contain_text("two_portraits.jpg")


def test_a_photo_dropped_beside_the_box(page: Page, examples: Path) -> None:
    page.evaluate(
        """([data, name]) => {
          const files = new DataTransfer();
          files.items.add(new File([Uint8Array.fromBase64(data)], name, {type: "image/jpeg"}));
          const options = {dataTransfer: files, bubbles: true, cancelable: true};
          const drop = new DragEvent("drop", options);
          document.querySelector("h1").dispatchEvent(drop);
        }""",
        [in_base64(examples / "admiral.jpg"), "dropped.jpg"],
    )
    expect(status(page)).to_contain_text("dropped.jpg")


def test_a_file_without_a_type_is_not_refused(page: Page, heic: Path) -> None:
    clear(page)
    page.evaluate(
        """(data) => {
          const files = new DataTransfer();
          files.items.add(new File([Uint8Array.fromBase64(data)], "untyped.heic", {type: ""}));
          const input = document.querySelector("#keypoints-photo input[type=file]");
          input.files = files.files;
          input.dispatchEvent(new Event("change", {bubbles: true}));
        }""",
        in_base64(heic),
    )
    expect(status(page)).to_contain_text("untyped.heic")


def test_a_photo_pasted_anywhere(page: Page, examples: Path) -> None:
    clear(page)
    page.get_by_label("Paste from clipboard").click()  # in this state there is no input for files
    page.evaluate(
        """(data) => {
          const files = new DataTransfer();
          const bytes = Uint8Array.fromBase64(data);
          files.items.add(new File([bytes], "pasted.jpg", {type: "image/jpeg"}));
          const options = {clipboardData: files, bubbles: true, cancelable: true};
          document.body.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        in_base64(examples / "admiral.jpg"),
    )
    expect(status(page)).to_contain_text("pasted.jpg")


def test_a_snapshot_of_the_webcam(page: Page) -> None:
    clear(page)
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Access Webcam").click()
    page.wait_for_function("document.querySelector('#keypoints-photo video')?.videoWidth > 0")
    page.get_by_label("capture photo").click()
    expect(status(page)).to_contain_text("1 face")
