"""The video part of the page in a real browser."""

import csv
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import BROWSER_MARKS, watched_page
from tests.clips import write_clip
from train.benchmark.moving_face import Place, render

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def page(browser: Browser, app_address: str) -> Iterator[Page]:
    """The page with its video part in view."""
    with watched_page(browser, f"{app_address}?view=video") as page:
        yield page


def status(page: Page) -> Locator:
    return page.locator("#video-status")


def upload(page: Page, clip: Path) -> None:
    remove = page.locator("#video-upload").get_by_label("Clear")
    if remove.count():
        remove.first.click()
    page.locator("#video-upload input[type=file]").set_input_files(clip)


def start(page: Page) -> Locator:
    return page.get_by_role("button", name="Draw the faces")


def downloaded(page: Page, label: str) -> Path:
    with page.expect_download() as download:
        page.locator(".downloads :visible").filter(has_text=label).last.click()
    return Path(download.value.path())


def clip_of_a_face(path: Path, frames: int) -> Path:
    places = [Place(250 + 2 * index, 240, 110) for index in range(frames)]
    return write_clip(path, [render([place]) for place in places])


def test_limits_are_said_before(page: Page) -> None:
    expect(status(page)).to_contain_text("up to 10 minutes, 500 MB")
    expect(start(page)).to_be_disabled()


def test_a_clip_comes_back_drawn(page: Page, tmp_path: Path) -> None:
    upload(page, clip_of_a_face(tmp_path / "me.mp4", 30))
    expect(status(page)).to_contain_text("0:01 minutes, 640 × 480 pixels, with sound")
    start(page).click()
    expect(status(page)).to_contain_text("1 face followed through 30 pictures")
    player = page.locator("#video-result video")
    expect(player).to_be_visible()
    page.wait_for_function("document.querySelector('#video-result video')?.videoWidth === 640")
    with av.open(str(downloaded(page, "Video"))) as video:
        assert video.streams.video[0].codec.name == "h264"
        assert video.streams.audio[0].codec.name == "aac"
    rows = list(csv.DictReader(downloaded(page, "CSV").read_text().splitlines()))
    assert [row["track"] for row in rows] == ["1"] * 30
    assert float(rows[-1]["x30"]) - float(rows[0]["x30"]) == pytest.approx(58, abs=4)


def test_cancelling_keeps_the_clip_and_allows_another_start(page: Page, tmp_path: Path) -> None:
    upload(page, write_clip(tmp_path / "long.mp4", [render([Place(320, 240, 110)])] * 300))
    expect(status(page)).to_contain_text("long.mp4")
    start(page).click()
    expect(status(page).get_by_role("progressbar")).to_be_visible()
    expect(status(page)).to_contain_text("left")
    page.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_contain_text("Cancelled")
    expect(start(page)).to_be_enabled()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_another_clip_ends_the_work_on_the_last_one(page: Page, tmp_path: Path) -> None:
    start(page).click()
    expect(status(page)).to_contain_text("left")
    upload(page, clip_of_a_face(tmp_path / "other.mp4", 10))
    expect(status(page)).to_contain_text("other.mp4")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    start(page).click()
    expect(status(page)).to_contain_text("1 face followed through 10 pictures")


def test_what_is_no_video_gets_a_sentence(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("only text")
    upload(page, tmp_path / "notes.mp4")
    expect(status(page).get_by_role("alert")).to_contain_text("This video cannot be used")
    expect(start(page)).to_be_disabled()
