"""Live view and photo on the visitor's own device, in a real browser: what is found, what is said,
and that no picture leaves the page."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from facial_keypoints.export import CSV_COLUMNS
from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.pipeline import FacialKeypoints
from keypoints_captions.photos.reader import read_photo
from tests.browser import BROWSER_MARKS, warm_context
from tests.test_browser_accessibility import NO_TRANSITIONS, faults
from train.benchmark.device.relay import Relay, relaying
from web.device.files import device_files

LIMIT = 240_000  # milliseconds; all of it takes a second where nothing else runs

pytestmark = [
    *BROWSER_MARKS,
    pytest.mark.skipif(bool(device_files().missing), reason=device_files().missing or "-"),
]


@pytest.fixture(scope="module")
def listened(app_address: str) -> Iterator[tuple[str, Relay]]:
    """The page, and a listener between it and the browser."""
    with relaying(app_address) as (address, relay):
        yield address, relay


def opened(browser: Browser, address: str, script: str = "") -> Page:
    expect.set_options(timeout=LIMIT)
    page = warm_context(browser, permissions=["camera"]).new_page()
    page.set_default_timeout(LIMIT)
    if script:
        page.add_init_script(script)
    page.goto(address)
    return page


def start(page: Page) -> None:
    expect(page.locator("[data-live=begin]")).to_be_enabled()
    page.locator("[data-live=begin]").click()


def readout(page: Page, text: str) -> None:
    expect(page.locator("[data-live=readout]")).to_contain_text(text)


def listen(page: Page, relay: Relay) -> None:
    """Hears two seconds of the page, after the requests with which Gradio begins: faces are there
    before it has made them all."""
    while True:
        relay.forget()
        page.wait_for_timeout(2000)
        if not any("queue" in request for request in relay.requests):
            return


@pytest.fixture(scope="module")
def visit(browser: Browser, listened: tuple[str, Relay]) -> Iterator[Page]:
    """The live view on the device, before its networks came; the tests go on from each other's
    state, as one visitor does, for page and networks take seconds of the machine."""
    page = opened(browser, "about:blank")
    page.context.route(MODELS, lambda route: route.abort())
    page.goto(f"{listened[0]}?view=live&runs=nowhere")
    yield page
    page.close()


MODELS = "**/device/models/**"


def test_faces_are_found_on_the_device_where_a_link_names_no_place(visit: Page) -> None:
    expect(visit.get_by_role("radio", name="On this device")).to_be_checked()
    expect(visit.locator("[data-live=text]")).to_contain_text("never leave this device")


def test_networks_that_do_not_arrive_are_said_and_asked_for_again(visit: Page) -> None:
    start(visit)
    trouble = visit.locator("[data-live=trouble]")
    expect(trouble).to_contain_text("do not run on this device")
    expect(trouble.get_by_role("button", name="Use the server")).to_be_visible()
    visit.context.unroute(MODELS)
    trouble.get_by_role("button", name="Try again").click()
    expect(visit.locator(".gauges")).to_have_count(1)
    expect(trouble).to_be_hidden()


FRAMES = """count => new Promise((done) => {
  const video = document.querySelector(".live video");
  const next = () => count-- ? video.requestVideoFrameCallback(next) : done();
  next();
})"""


def test_a_picture_that_does_not_arrive_is_not_asked_for_with_every_frame(visit: Page) -> None:
    asked: list[Route] = []

    def refuse(route: Route) -> None:
        asked.append(route)
        route.abort()

    visit.context.route("**/filters/hat.png", refuse)
    visit.locator(".live input[name=hat]").check()
    visit.evaluate(FRAMES, 8)
    visit.locator(".live input[name=hat]").uncheck()
    visit.context.unroute("**/filters/hat.png")
    assert len(asked) == 1


def test_no_picture_leaves_the_page_until_the_server_is_chosen(
    visit: Page, listened: tuple[str, Relay]
) -> None:
    address, relay = listened
    readout(visit, "on this device")
    listen(visit, relay)
    assert not [request for request in relay.requests if "heartbeat" not in request]
    assert relay.sent < 1000
    record = visit.locator("[data-live=record]")
    record.click()
    expect(record).to_have_text(re.compile("0:0[1-9]"))
    visit.get_by_role("radio", name="On the server").click()
    visit.wait_for_url(f"{address}?view=live&runs=server")
    readout(visit, "on the server")
    expect(visit.locator(".gauges")).to_have_count(1)
    assert any("component_server" in request for request in relay.requests)
    assert relay.sent > 10_000  # so the listener would have heard a picture
    visit.get_by_role("radio", name="On this device").click()
    visit.wait_for_url(f"{address}?view=live")
    readout(visit, "on this device")
    expect(visit.locator(".gauges")).to_have_count(1)
    record.click()
    with visit.expect_download() as download:
        visit.locator("[data-live=csv]").click()
    rows = csv.DictReader(Path(download.value.path()).read_text().splitlines())
    tracks = [int(row["track"]) for row in rows if row["track"]]
    assert tracks == sorted(tracks) and len(set(tracks)) == 3  # no id is another face's, too
    visit.locator("[data-live=end]").click()


#: For this page time passes ten times as fast from now on, so that its networks take ten times as
#: long.
SLOW = """() => {
  const now = performance.now.bind(performance);
  performance.now = () => 10 * now();
}"""


def test_a_slow_device_is_told_and_goes_over_only_when_asked(visit: Page) -> None:
    visit.evaluate(SLOW)
    expect(visit.get_by_role("radio", name="On this device")).to_be_checked()
    start(visit)
    trouble = visit.locator("[data-live=trouble]")
    expect(trouble).to_contain_text("This device is slow")
    expect(visit.locator(".live")).to_have_attribute("data-runs", "device")
    expect(visit.locator(".gauges")).to_have_count(1)  # it goes on meanwhile
    trouble.get_by_role("button", name="Stay here").click()
    expect(trouble).to_be_hidden()
    expect(visit.locator(".live")).to_have_attribute("data-runs", "device")
    visit.locator("[data-live=end]").click()
    start(visit)
    trouble.get_by_role("button", name="Use the server").click()
    readout(visit, "on the server")
    expect(visit.get_by_role("radio", name="On the server")).to_be_checked()
    visit.locator("[data-live=end]").click()


COUNTED = """
window.workers = 0;
const Plain = Worker;
window.Worker = class extends Plain {
  constructor(...given) { super(...given); window.workers++; }
};"""


@pytest.fixture
def before_the_view(browser: Browser) -> Iterator[tuple[Page, list[Route]]]:
    """A page on which the live view's script does not come before its route goes on."""
    page, held = opened(browser, "about:blank", COUNTED), list[Route]()
    page.context.route("**/page.js", lambda route: held.append(route))
    yield page, held
    page.context.unroute("**/page.js")
    page.close()


def let_go(page: Page, held: list[Route]) -> None:
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()


def test_a_link_starts_the_networks_and_a_choice_counts_before_the_view_s_script_came(
    before_the_view: tuple[Page, list[Route]], app_address: str
) -> None:
    page, held = before_the_view
    page.goto(f"{app_address}?view=live&runs=device")
    page.wait_for_function("window.workers === 1")
    server = page.get_by_role("radio", name="On the server")
    server.click()
    let_go(page, held)
    start(page)
    readout(page, "on the server")
    expect(server).to_be_checked()
    assert page.url == f"{app_address}?view=live&runs=server"
    page.get_by_role("radio", name="On this device").click()
    readout(page, "on this device")
    assert page.evaluate("window.workers") == 1  # the view uses what is there already
    held.clear()
    page.goto(f"{app_address}?view=live&runs=server")
    let_go(page, held)
    expect(server).to_be_checked()
    expect(page.locator("[data-live=text]")).to_contain_text("are sent to the machine")
    assert page.evaluate("window.workers") == 0


NO_SIMD = "WebAssembly.validate = () => false;"


def test_a_browser_without_simd_is_told_and_nothing_is_sent_unasked(
    browser: Browser, listened: tuple[str, Relay]
) -> None:
    address, relay = listened
    page = opened(browser, f"{address}?view=live&runs=device", NO_SIMD)
    expect(page.locator("[data-live=text]")).to_contain_text("no SIMD")
    expect(page.locator("[data-live=text]")).to_contain_text("are sent to the machine")
    expect(page.get_by_role("radio", name="On this device")).to_be_disabled()
    relay.forget()
    page.wait_for_timeout(500)
    assert not [request for request in relay.requests if "component_server" in request]
    start(page)
    readout(page, "on the server")
    page.close()


def turned(examples: Path, folder: Path) -> Path:
    """The two portraits as a camera held upright stores them: lying, with a tag."""
    image = Image.open(examples / "two_portraits.jpg").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    image.save(folder / "turned, so.jpg", quality=95, exif=exif)
    return folder / "turned, so.jpg"


@pytest.fixture(scope="module")
def kept(browser: Browser, listened: tuple[str, Relay]) -> Iterator[Page]:
    """A page that keeps photos on the device; the tests go on from each other's state, for the
    networks take seconds of the machine."""
    page = opened(browser, f"{listened[0]}?runs=device")
    expect(page.get_by_label("Keep this photo on my device")).to_be_checked()
    expect(page.locator("#keypoints-photo")).to_be_hidden()
    yield page
    page.close()


def test_files_that_do_not_arrive_are_said_and_asked_for_again(kept: Page, examples: Path) -> None:
    files, status = (
        re.compile(r"/device/.*(constants\.json|cat\.jpg)"),
        kept.locator("[data-own=status]"),
    )
    kept.context.route(files, lambda route: route.fulfill(status=404, json={"detail": "gone"}))
    kept.locator(".own-photo").get_by_role("button", name="A cat").click()
    expect(status).to_contain_text("got status 404; reload the page")
    kept.locator("[data-own=file]").set_input_files(examples / "admiral.jpg")
    expect(status).to_contain_text("got status 404; reload the page")
    kept.context.unroute(files)  # the next test does without a reload


def test_a_photo_is_answered_on_the_device(
    kept: Page, listened: tuple[str, Relay], examples: Path, tmp_path: Path
) -> None:
    page, (_, relay) = kept, listened
    relay.forget()
    photo = turned(examples, tmp_path)
    page.locator("[data-own=file]").set_input_files(photo)
    status = page.locator("[data-own=status]")
    expect(status).to_contain_text("2 faces found on this device")
    expect(page.locator(".own-photo .card")).to_have_count(2)
    (record,) = json.loads(saved(page, "JSON", "turned, so_keypoints.json"))
    assert (record["file"], record["width"], record["height"]) == (photo.name, 960, 600)
    faces = FacialKeypoints.load(device="cpu")(read_photo(photo))
    assert len(record["faces"]) == len(faces)
    for found, face in zip(record["faces"], faces, strict=True):
        assert set(found) == set(face.to_dict())
        error = np.linalg.norm(np.array(found["points"]) - face.points, axis=1).mean()
        # Browser and Pillow decode a JPEG's colours a little differently.
        assert error < 0.01 * interocular_distance(face.points)
    rows = list(csv.DictReader(io.StringIO(saved(page, "CSV", "turned, so_keypoints.csv"))))
    assert list(rows[0]) == CSV_COLUMNS and [row["face"] for row in rows] == ["0", "1"]
    assert rows[0]["file"] == photo.name
    assert float(rows[1]["x36"]) == record["faces"][1]["points"][36][0]
    with page.expect_download() as download:
        page.locator(".own-photo").get_by_role("button", name="Annotated photo").click()
    assert Image.open(download.value.path()).size == (960, 600)
    assert not [request for request in relay.requests if "upload" in request]
    assert relay.sent < 20_000 < photo.stat().st_size  # the page asked for its scripts and networks


def saved(page: Page, button: str, name: str) -> str:
    with page.expect_download() as download:
        page.locator(".own-photo").get_by_role("button", name=button).click()
    assert download.value.suggested_filename == name
    return Path(download.value.path()).read_text()


#: Saves the photo, and opens another before the browser has encoded it.
SAVE_AND_GO_ON = """() => {
  document.querySelector("[data-own=jpeg]").click();
  document.querySelector(".own-examples button").click();
}"""


def test_a_photo_is_saved_under_its_name_though_another_comes(kept: Page) -> None:
    with kept.expect_download() as download:
        kept.evaluate(SAVE_AND_GO_ON)
    assert download.value.suggested_filename == "turned, so_keypoints.jpg"
    expect(kept.locator("[data-own=status]")).to_contain_text("astronaut.jpg")


def test_axe_finds_no_fault_in_an_answer_on_the_device(kept: Page) -> None:
    kept.add_style_tag(content=NO_TRANSITIONS)
    assert faults(kept) == []


def test_what_is_no_photo_is_said_and_a_cat_has_no_face(kept: Page) -> None:
    kept.locator("[data-own=file]").set_input_files(
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"only text"}
    )
    status = kept.locator("[data-own=status]")
    expect(status).to_contain_text("This photo cannot be used")
    kept.locator(".own-photo").get_by_role("button", name="A cat").click()
    expect(status).to_contain_text("No face found")
    expect(kept.locator(".own-photo .card")).to_have_count(0)


def test_it_is_the_visitor_s_choice(kept: Page, listened: tuple[str, Relay]) -> None:
    choice, address = kept.get_by_label("Keep this photo on my device"), listened[0]
    choice.uncheck()
    kept.wait_for_url(address)
    expect(kept.locator("#keypoints-photo")).to_be_visible()
    expect(kept.locator(".own-photo")).to_be_hidden()
    choice.check()
    kept.wait_for_url(f"{address}?runs=device")
    expect(kept.locator("#keypoints-photo")).to_be_hidden()
