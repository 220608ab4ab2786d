"""The live view in a real browser, its camera a face that moves along a known path."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    TimeoutError,
    expect,
)

from facial_keypoints.drawing.filters import FILTERS
from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.video.recording import RECORDING_COLUMNS
from tests.browser import BROWSER_MARKS, warm_context
from train.benchmark.fake_camera import RATE, ROUTE, WATCH, WATCH_FOR, lag
from train.benchmark.moving_face import moved
from train.benchmark.running_app import CHROMIUM, CHROMIUM_ARGUMENTS

LIMIT = 240_000  # milliseconds; all of it takes a second where nothing else runs

pytestmark = BROWSER_MARKS


def opened(context: BrowserContext, address: str, script: str = "") -> Page:
    """The page with its live part in view, the camera still off."""
    expect.set_options(timeout=LIMIT)
    page = context.new_page()
    page.set_default_timeout(LIMIT)
    if script:
        page.add_init_script(script)
    page.goto(f"{address}?view=live&runs=server")
    expect(start(page)).to_be_enabled()
    return page


@pytest.fixture(scope="module")
def visit(browser: Browser, app_address: str) -> Iterator[Page]:
    """The page for the tests that go on from each other's state, as one visitor does: opening a
    page takes a second and a half of the machine. No script error."""
    context = warm_context(browser, permissions=["camera"])
    errors: list[str] = []
    page = opened(context, app_address, KEEP_STREAMS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def live(visit: Page) -> Iterator[Page]:
    """The page with its camera on, a face found, and everything chosen as in the beginning."""
    choose(visit, **CHOICES)
    start(visit).click()
    expect(visit.locator(".gauges")).to_have_count(1)
    yield visit
    visit.locator("[data-live=end]").click()
    camera_is_off(visit)


#: What is checked when the page opens.
CHOICES = {"points": True, "contours": True, "mesh": False, "mirror": True}
CHOICES |= dict.fromkeys(FILTERS, False)

#: Lets a test see whether the camera is on.
KEEP_STREAMS = """
const devices = navigator.mediaDevices;
const ask = devices.getUserMedia.bind(devices);
window.streams = [];
devices.getUserMedia = async (wishes) => {
  const stream = await ask(wishes);
  window.streams.push(stream);
  return stream;
};"""


def start(page: Page) -> Locator:
    return page.locator("[data-live=begin]")


def choose(page: Page, **choices: bool) -> None:
    for name, wanted in choices.items():
        page.locator(f".live input[name={name}]").set_checked(wanted)


def camera_is_off(page: Page) -> None:
    page.wait_for_function(
        "streams.every((s) => s.getTracks().every((track) => track.readyState === 'ended'))"
    )
    assert page.evaluate("streams.length") > 0


def recorded(page: Page, seconds: float, name: str) -> str:
    """What the page saves after recording for a while: `csv` or `json`."""
    page.locator("[data-live=record]").click()
    page.wait_for_timeout(1000 * seconds)
    page.locator("[data-live=record]").click()
    with page.expect_download() as download:
        page.locator(f"[data-live={name}]").click()
    return Path(download.value.path()).read_text()


def resting_points(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """(68, 2) each: the median points while the face rests at the path's start and at its end."""
    frames = json.loads(recorded(page, 1.2 * ROUTE.frames / RATE, "json"))
    points = np.array([f["faces"][0]["points"] for f in frames if f["faces"]])
    middles = points.mean(axis=1)
    still = np.zeros(len(points), bool)
    still[4:] = np.linalg.norm(middles[4:] - middles[:-4], axis=1) < 1.0
    halfway = (middles[still, 0].min() + middles[still, 0].max()) / 2
    return tuple(  # type: ignore[return-value]
        np.median(points[still & side], axis=0)
        for side in (middles[:, 0] < halfway, middles[:, 0] > halfway)
    )


def needs_updates(page: Page, least: float) -> None:
    """Skips where other work leaves too little of the machine: on two idle cores there are 25
    updates a second."""
    enough = "least => document.querySelector('.live').dataset.rate >= least"
    try:
        page.wait_for_function(enough, arg=least, timeout=2500)
    except TimeoutError:
        rate = page.locator(".live").get_attribute("data-rate")
        pytest.skip(f"the machine is busy: {rate} updates a second")


def test_points_land_where_the_known_motion_says(live: Page) -> None:
    needs_updates(live, 3)
    there, elsewhere = resting_points(live)
    expected = moved(there, ROUTE.start, ROUTE.end)
    error = np.linalg.norm(elsewhere - expected, axis=1).mean()
    assert error < 0.02 * interocular_distance(expected)
    assert there[36, 0] < there[45, 0]  # the person's right eye is on the left of the camera's


def test_the_drawing_keeps_up_in_motion(live: Page) -> None:
    needs_updates(live, 10)
    choose(live, contours=False)
    seen = live.evaluate(WATCH, {"count": round(1.2 * ROUTE.frames), **WATCH_FOR})
    assert sum(None not in entry for entry in seen) > 0.9 * ROUTE.frames
    milliseconds = abs(lag(seen, ROUTE))
    if milliseconds > 100:  # has other work begun meanwhile?
        needs_updates(live, 10)
    assert milliseconds < 100


def test_mesh_and_filters_are_drawn(live: Page) -> None:
    def inked(least: float, most: float = 1e9) -> int:
        """Pixels drawn on, once they are as many."""
        count = """([least, most]) => {
          const canvas = document.querySelector(".live canvas");
          const context = canvas.getContext("2d");
          const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
          const count = data.filter((value, i) => i % 4 === 3 && value > 0).length;
          return count >= least && count <= most ? {count} : null;
        }"""
        return live.wait_for_function(count, arg=[least, most]).json_value()["count"]

    choose(live, points=False, contours=False)
    inked(0, 0)
    choose(live, mesh=True)
    mesh = inked(1000)
    choose(live, mesh=False, hat=True)
    hat = inked(2 * mesh)
    choose(live, sunglasses=True, moustache=True)
    inked(1.2 * hat)


def test_gauges_and_readout(live: Page) -> None:
    gauges = live.locator(".gauges")
    expect(gauges.locator("[data-reading=left_eye]")).to_have_text("open")
    expect(gauges.get_by_role("meter", name="Smile")).to_be_visible()
    # That attribute makes a word of a caption: a click on it would choose the word.
    expect(gauges.locator("[data-word]")).to_have_count(0)
    expect(live.locator("[data-live=readout]")).to_contain_text("updates/s")
    expect(live.locator("[data-live=readout]")).to_contain_text("ms on the server")


def test_a_snapshot_and_a_recording_are_as_the_camera_sees(live: Page) -> None:
    expect(live.locator(".live")).to_have_class("live mirrored")
    with live.expect_download() as download:
        live.locator("[data-live=snapshot]").click()
    snapshot = Image.open(download.value.path())
    assert (snapshot.format, snapshot.size) == ("PNG", (640, 480))
    # The numbers' squares are at the bottom left: not mirrored.
    left, right = (np.asarray(snapshot)[-8, x, :3].astype(int) for x in (150, 630))
    assert np.ptp(left) < 30 and left.mean() < 40 < right.mean()
    rows = list(csv.DictReader(recorded(live, 1.5, "csv").splitlines()))
    assert list(rows[0]) == RECORDING_COLUMNS
    times = [float(row["time_ms"]) for row in rows]
    assert times[0] == 0 and times == sorted(times)
    row = rows[-1]
    assert float(row["x36"]) < float(row["x45"]) < 640
    assert 0 < float(row["c30"]) <= 1
    assert abs(float(row["yaw"])) < 30


#: A camera for whose frames time passes a thousand times as fast.
HASTY_CAMERA = """
const request = HTMLVideoElement.prototype.requestVideoFrameCallback;
HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
  return request.call(this, (now, {mediaTime}) => callback(now, {mediaTime: 1000 * mediaTime}));
};"""


def test_a_recording_ends_at_its_limit_and_can_be_saved(browser: Browser, app_address: str) -> None:
    page = opened(warm_context(browser, permissions=["camera"]), app_address, HASTY_CAMERA)
    start(page).click()
    expect(page.locator(".gauges")).to_have_count(1)
    page.locator("[data-live=record]").click()
    expect(page.locator("[data-live=json]")).to_be_visible()
    expect(page.locator("[data-live=record]")).to_have_text("Record points")
    with page.expect_download() as download:
        page.locator("[data-live=json]").click()
    times = [f["time_ms"] for f in json.loads(Path(download.value.path()).read_text())]
    assert times[-1] >= 600_000 > times[-2]
    page.close()


@pytest.mark.parametrize("way", ["button", "tab", "page"])
def test_leaving_stops_the_camera(live: Page, way: str) -> None:
    choose(live, mirror=False)
    if way == "button":
        live.get_by_role("button", name="Stop camera").click()
    elif way == "tab":
        live.get_by_role("tab", name="Photo", exact=True).click()
    else:
        live.evaluate("""() => {
          Object.defineProperty(document, "hidden", {value: true, configurable: true});
          document.dispatchEvent(new Event("visibilitychange"));
        }""")
    camera_is_off(live)
    live.evaluate("delete document.hidden")
    if way == "tab":
        live.get_by_role("tab", name="Live").click()
        expect(live.locator("[data-live=text]")).to_contain_text("turned off because you left")
    start(live).click()
    expect(live.locator(".gauges")).to_have_count(1)
    expect(live.locator(".live input[name=mirror]")).not_to_be_checked()


def test_a_lost_connection_is_said_and_comes_back(live: Page) -> None:
    live.route("**/component_server/**", lambda route: route.abort())
    trouble = live.locator("[data-live=trouble]")
    expect(trouble).to_contain_text("Connection lost")
    expect(live.locator(".gauges")).to_have_count(0)
    assert live.evaluate("streams.at(-1).getTracks()[0].readyState") == "live"
    live.unroute("**/component_server/**")
    trouble.get_by_role("button").click()
    expect(trouble).to_be_hidden()
    expect(live.locator(".gauges")).to_have_count(1)


def test_works_at_the_width_of_a_phone_and_by_keyboard(browser: Browser, app_address: str) -> None:
    phone = {"width": 390, "height": 844}
    page = opened(warm_context(browser, viewport=phone, permissions=["camera"]), app_address)
    start(page).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".gauges")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".live input[name=mesh]").focus()
    page.keyboard.press("Space")
    expect(page.locator(".live input[name=mesh]")).to_be_checked()
    page.get_by_role("button", name="Stop camera").focus()
    page.keyboard.press("Enter")
    expect(start(page)).to_be_visible()
    page.close()


def failing_camera(error: str) -> str:
    return (
        "navigator.mediaDevices.getUserMedia = async () => "
        f"{{ throw new DOMException('no', '{error}'); }};"
    )


@pytest.fixture(scope="module")
def without_camera(browser: Browser, app_address: str) -> Iterator[Page]:
    """A page whose camera fails in one way after the other."""
    page = opened(warm_context(browser, permissions=["camera"]), app_address)
    yield page
    page.close()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (failing_camera("NotFoundError"), "No camera was found"),
        (failing_camera("NotReadableError"), "The camera is in use"),
        (
            "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});",
            "This browser lends no camera",
        ),
        (
            "Object.defineProperty(window, 'isSecureContext', {value: false});",
            "The camera needs a secure address",
        ),
    ],
    ids=["absent", "in use", "old browser", "insecure"],
)
def test_no_camera_is_explained(without_camera: Page, script: str, message: str) -> None:
    without_camera.evaluate(f"() => {{ {script} }}")
    is_explained(without_camera, message)


def is_explained(page: Page, message: str) -> None:
    start(page).click()
    expect(page.locator("[data-live=title]")).to_have_text(message)
    expect(start(page)).to_have_text("Try again")


def test_a_refused_camera_is_explained(browser: Browser, app_address: str) -> None:
    refusing = browser.browser_type.launch(
        executable_path=CHROMIUM, args=[*CHROMIUM_ARGUMENTS, "--use-fake-ui-for-media-stream=deny"]
    )
    is_explained(opened(refusing.new_context(), app_address), "The camera was refused")
    refusing.close()


def ask_server(page: Page, function: str, message: Any) -> Any:
    """Calls a server function as the page's script does, but with any message."""
    return page.evaluate(
        """async ([fn_name, data]) => {
          const config = window.gradio_config;
          const part = config.components.find((c) => c.props.elem_id === "live");
          const answer = await fetch(`${config.root}/gradio_api/component_server/`, {
            method: "POST",
            headers: {"Content-Type": "application/json"},
            body: JSON.stringify({data, component_id: part.id, fn_name, session_hash: "test"}),
          });
          return {status: answer.status, ...(await answer.json())};
        }""",
        [function, message],
    )


def test_what_no_page_would_send_gets_a_sentence(live: Page) -> None:
    assert ask_server(live, "track", "nonsense")["error"]["code"] == "frame"
    frame = {"session": "guess", "image": "", "time": 1, "smoothing": 0.5, "filters": []}
    assert ask_server(live, "track", frame)["error"]["code"] == "expired"
    assert ask_server(live, "track", {**frame, "image": "A" * 2_000_000})["status"] == 413


def test_full_is_said(live: Page) -> None:
    keys = []
    while "session" in (answer := ask_server(live, "open", {})):
        keys.append(answer["session"])
        assert len(keys) < 100
    assert answer["error"]["code"] == "full"
    live.get_by_role("button", name="Stop camera").click()
    while "session" not in ask_server(live, "open", {}):  # until the stop has freed its place
        live.wait_for_timeout(50)
    start(live).click()
    trouble = live.locator("[data-live=trouble]")
    expect(trouble).to_contain_text("places for cameras are taken")
    for key in keys:
        ask_server(live, "close", key)
    trouble.get_by_role("button").click()
    expect(trouble).to_be_hidden()
