"""Screenshots of the page: `python -m tests.screenshots [--all FOLDER] [--address URL]`.

Writes the README's pictures to assets/screenshots, of the free example photos only. With --all,
every state at every width, light and dark, goes to FOLDER, for a person to look through.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from keypoints_captions.photos.reader import read_photo
from train.benchmark.fake_camera import RATE, camera_arguments, write_y4m
from train.benchmark.moving_face import FRAME_SIZE
from train.benchmark.running_app import CHROMIUM, CHROMIUM_ARGUMENTS, ROOT, app_process

FOLDER = ROOT / "assets" / "screenshots"
WIDTHS = (1440, 820, 390)
QUALITY = 82  # of the JPEGs
LIMIT = 120_000  # milliseconds


def opened(page: Page) -> None:
    """As the page opens."""


def two_faces(page: Page) -> None:
    """An example with two faces, boxes drawn too."""
    page.get_by_role("button", name="Two portraits side by side").click()
    _expect_status(page, "two_portraits.jpg")
    _choose(page, "Boxes")


def dressed_up(page: Page) -> None:
    """Everything to wear and everything to draw."""
    for label in ("Points", "Contours", "Sunglasses", "Hat", "Moustache"):
        _choose(page, label)
    for label in ("Numbers", "Pose axes"):
        _choose(page, label)


def looked_inside(page: Page) -> None:
    """The fold with the layers, from a card."""
    page.get_by_role("button", name="Look inside", exact=True).first.click()
    expect(page.locator("#inside-effect img")).to_be_visible(timeout=LIMIT)


def no_face(page: Page) -> None:
    """The cat."""
    page.get_by_role("button", name="A cat").click()
    _expect_status(page, "No face found")


def bad_file(page: Page) -> None:
    """Text that calls itself a photo."""
    page.get_by_label("Remove Image").click()
    page.locator("#keypoints-photo input[type=file]").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"only text"}
    )
    _expect_status(page, "cannot be used")


def how_good(page: Page) -> None:
    """The fold with figures and hard cases, of the tab in view."""
    page.get_by_role("button", name="How good is it?").locator("visible=true").click()
    expect(page.locator(".cases:visible figure").nth(5)).to_be_visible(timeout=LIMIT)


def carried_over(page: Page) -> None:
    """Two faces, captioned too: the alt text of both."""
    page.get_by_role("button", name="Two portraits side by side").click()
    _expect_status(page, "two_portraits.jpg")
    page.get_by_role("button", name="Caption this photo").click()
    expect(page.locator(".alt-text:visible")).to_be_visible(timeout=LIMIT)


def captioned(page: Page) -> None:
    """The captioning tab with an example, and why its second word."""
    page.get_by_role("tab", name="Photo captions").click()
    for text, name in (("A cat", "cat.jpg"), ("An orange flower", "flower.jpg")):
        page.get_by_role("button", name=text).last.click()
        _expect_status(page, name, "captions")
    page.locator("[data-word='0-1']").click()


def continued(page: Page) -> None:
    """A caption that goes on from a runner-up, with the search's choices unfolded."""
    page.get_by_role("button", name="Advanced: how captions are searched for").click()
    page.locator(".rivals button:visible").first.click()
    expect(page.locator(".begun")).to_be_visible(timeout=LIMIT)


def bad_file_to_caption(page: Page) -> None:
    """Text that calls itself a photo, for the captioner."""
    page.locator("#captions-photo").get_by_label("Remove Image").click()
    page.locator("#captions-photo input[type=file]").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"only text"}
    )
    _expect_status(page, "cannot be used", "captions")


def kept_on_the_device(page: Page) -> None:
    """Two faces, found in the browser, with everything drawn."""
    page.get_by_role("tab", name="Facial keypoints").click()
    page.get_by_label("Keep this photo on my device").check()
    page.locator(".own-photo").get_by_role("button", name="Two portraits").click()
    expect(page.locator(".own-photo .summary")).to_contain_text("2 faces", timeout=LIMIT)
    for label in ("Boxes", "Pose axes", "Sunglasses"):
        page.locator(".own-photo").get_by_label(label).check()


def live_off(page: Page) -> None:
    """The live view before the camera is on."""
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("[data-live=begin]")).to_be_enabled()


def live_on_the_server(page: Page) -> None:
    """The same, to be run on the server."""
    page.get_by_role("radio", name="On the server").click()


def live(page: Page) -> None:
    """A face, found in the browser."""
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("radio", name="On this device").click()
    page.locator("[data-live=begin]").click()
    expect(page.locator(".gauges")).to_have_count(1, timeout=LIMIT)
    page.wait_for_timeout(4000)  # until gauges and readout are steady
    slow = page.get_by_role("button", name="Stay here")  # where other work makes the machine slow
    if slow.is_visible():
        slow.click()
    page.evaluate("window.scrollTo(0, 0)")


#: In this order, one after the other on the same page.
STATES: tuple[Callable[[Page], None], ...] = (
    opened,
    two_faces,
    looked_inside,
    dressed_up,
    no_face,
    bad_file,
    how_good,
    carried_over,
    captioned,
    continued,
    bad_file_to_caption,
    how_good,
    kept_on_the_device,
    live_off,
    live_on_the_server,
    live,
)


def main() -> None:
    """Takes the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every state, for looking at")
    parser.add_argument("--address", help="of a page that runs already")
    options = parser.parse_args()
    with ExitStack() as stack:
        address = options.address
        if address is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            _, address = stack.enter_context(app_process(Path(folder)))
        playwright = stack.enter_context(sync_playwright())
        video = stack.enter_context(tempfile.TemporaryDirectory())
        camera = camera_arguments(write_y4m(Path(video) / "y4m", portrait()))
        arguments = [*CHROMIUM_ARGUMENTS, *camera]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        if options.all:
            _take_all(browser, address, options.all)
        else:
            _take_readme(browser, address)
        browser.close()


def portrait() -> Iterator[np.ndarray]:
    """Two seconds of a camera, (480, 640, 3) uint8 RGB: the astronaut, who sways a little."""
    width, height = FRAME_SIZE
    photo = read_photo(ROOT / "assets" / "examples" / "astronaut.jpg")
    for index in range(2 * RATE):
        phase = 2 * np.pi * index / (2 * RATE)
        zoom = 1.35 * width / photo.shape[1]
        x, y = 0.44 * photo.shape[1] + 3 * np.sin(phase), 0.31 * photo.shape[0] + np.cos(phase)
        matrix = np.array([[zoom, 0, width / 2 - zoom * x], [0, zoom, height / 2 - zoom * y]])
        yield cv2.warpAffine(photo, matrix, FRAME_SIZE, flags=cv2.INTER_CUBIC)


def _take_readme(browser: Browser, address: str) -> None:
    for name, width, height, scheme, state in (
        ("live", 1280, 920, "light", live),
        ("desktop", 1280, 860, "light", two_faces),
        ("phone", 390, 1040, "dark", two_faces),
        ("captions", 1280, 860, "light", captioned),
    ):
        page = _open(browser, address, width, height, scheme)
        state(page)
        page.wait_for_timeout(700)  # transitions
        _save(page.screenshot(), FOLDER / f"{name}.jpg")
        page.close()


def _take_all(browser: Browser, address: str, folder: Path) -> None:
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page = _open(browser, address, width, 900, scheme)
            for number, state in enumerate(STATES):
                state(page)
                page.wait_for_timeout(700)  # transitions
                picture = page.screenshot(full_page=True)
                _save(picture, folder / f"{width}-{scheme}-{number:02}-{state.__name__}.png")
            page.close()


def _open(browser: Browser, address: str, width: int, height: int, scheme: str) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["camera"]
    )
    page.set_default_timeout(LIMIT)
    page.goto(address)
    _expect_status(page, "astronaut.jpg")
    page.wait_for_timeout(700)
    return page


def _expect_status(page: Page, text: str, tab: str = "keypoints") -> None:
    expect(page.locator(f"#{tab}-status")).to_contain_text(text, timeout=LIMIT)


def _choose(page: Page, label: str) -> None:
    """Click a check box and wait for the new drawing."""
    before = page.locator("#keypoints-view img").get_attribute("src")
    page.get_by_label(label, exact=True).click()
    page.wait_for_function(
        "before => document.querySelector('#keypoints-view img').src !== before", arg=before
    )


def _save(picture: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.save(path, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
