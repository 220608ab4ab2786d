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
from train.benchmark.fake_camera import ROUTE, WATCH, WATCH_FOR, lag
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
  window.wishes = wishes.video;
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
    return saved(page, name)


def saved(page: Page, name: str) -> str:
    """Ends a recording: what the page saves of it."""
    page.locator("[data-live=record]").click()
    with page.expect_download() as download:
        page.locator(f"[data-live={name}]").click()
    return Path(download.value.path()).read_text()


def resting_points(frames: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """(68, 2) each: the median points while the face rests at the path's start and at its end."""
    points = np.array([f["faces"][0]["points"] for f in frames if f["faces"]])
    middles = points.mean(axis=1)
    still = np.zeros(len(points), bool)
    still[4:] = np.linalg.norm(middles[4:] - middles[:-4], axis=1) < 1.0
    halfway = (middles[still, 0].min() + middles[still, 0].max()) / 2
    return tuple(  # type: ignore[return-value]
        np.median(points[still & side], axis=0)
        for side in (middles[:, 0] < halfway, middles[:, 0] > halfway)
    )


def has_updates(page: Page, least: float) -> bool:
    """Whether there are so many a second; on two idle cores there are 14."""
    enough = "least => document.querySelector('.live').dataset.rate >= least"
    try:
        page.wait_for_function(enough, arg=least, timeout=2500)
    except TimeoutError:
        return False
    return True


def skip_busy(page: Page) -> None:
    rate = page.locator(".live").get_attribute("data-rate")
    pytest.skip(f"other work leaves too little of the machine: {rate} updates a second")


def test_points_land_where_the_known_motion_says_and_the_drawing_keeps_up(live: Page) -> None:
    quick = has_updates(live, 10)
    if not quick and not has_updates(live, 3):
        skip_busy(live)
    choose(live, contours=False)
    live.locator("[data-live=record]").click()
    frames = ROUTE.frames // 2  # the camera's, see its fixture
    seen = live.evaluate(WATCH, {"count": round(1.2 * frames), **WATCH_FOR})
    there, elsewhere = resting_points(json.loads(saved(live, "json")))
    expected = moved(there, ROUTE.start, ROUTE.end)
    error = np.linalg.norm(elsewhere - expected, axis=1).mean()
    assert error < 0.02 * interocular_distance(expected)
    assert there[36, 0] < there[45, 0]  # the person's right eye is on the left of the camera's
    if not quick:
        skip_busy(live)
    assert sum(None not in entry for entry in seen) > 0.9 * frames
    milliseconds = abs(lag(seen, ROUTE))
    if milliseconds > 100 and not has_updates(live, 10):  # has other work begun meanwhile?
        skip_busy(live)
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


#: A camera for whose frames time passes a thousand times as fast, and which, as in Safari, have no
#: media time.
HASTY_CAMERA = """() => {
  window.plain = HTMLVideoElement.prototype.requestVideoFrameCallback;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
    return plain.call(this, (now, {presentationTime}) =>
      callback(now, {mediaTime: 0, presentationTime: 1000 * presentationTime}));
  };
}"""
PLAIN_CAMERA = "() => { HTMLVideoElement.prototype.requestVideoFrameCallback = window.plain; }"


def test_a_recording_ends_at_its_limit_and_can_be_saved(visit: Page) -> None:
    visit.evaluate(HASTY_CAMERA)
    start(visit).click()
    expect(visit.locator(".gauges")).to_have_count(1)
    visit.locator("[data-live=record]").click()
    expect(visit.locator("[data-live=json]")).to_be_visible()
    expect(visit.locator("[data-live=record]")).to_have_text("Record points")
    with visit.expect_download() as download:
        visit.locator("[data-live=json]").click()
    times = [f["time_ms"] for f in json.loads(Path(download.value.path()).read_text())]
    assert times[-1] >= 600_000 > times[-2]
    visit.locator("[data-live=end]").click()
    visit.evaluate(PLAIN_CAMERA)


def test_leaving_stops_the_camera(live: Page) -> None:
    def back(left: str) -> None:
        camera_is_off(live)
        if left == "tab":
            live.get_by_role("tab", name="Live").click()
            expect(live.locator("[data-live=text]")).to_contain_text("turned off because you left")
        start(live).click()
        expect(live.locator(".gauges")).to_have_count(1)
        expect(live.locator(".live input[name=mirror]")).not_to_be_checked()

    choose(live, mirror=False)
    live.get_by_role("button", name="Stop camera").click()
    chosen = live.evaluate("""() => {
      const select = document.querySelector(".live select[name=camera]");
      select.dispatchEvent(new Event("input", {bubbles: true}));
      return select.value;
    }""")
    expect(live.locator(".gauges")).to_have_count(1)
    assert live.evaluate("wishes.deviceId.exact") == chosen
    live.get_by_role("button", name="Stop camera").click()
    back("button")
    assert live.evaluate("wishes.deviceId.ideal") == chosen
    live.get_by_role("tab", name="Photo", exact=True).click()
    back("tab")
    live.evaluate("""() => {
      Object.defineProperty(document, "hidden", {value: true, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }""")
    camera_is_off(live)
    live.evaluate("delete document.hidden")
    back("page")


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


def test_works_at_the_width_of_a_phone_and_by_keyboard(visit: Page) -> None:
    usual = visit.viewport_size
    assert usual is not None
    visit.set_viewport_size({"width": 390, "height": 844})
    choose(visit, mesh=False)
    start(visit).focus()
    visit.keyboard.press("Enter")
    expect(visit.locator(".gauges")).to_have_count(1)
    assert visit.evaluate("document.documentElement.scrollWidth") <= 390
    visit.locator(".live input[name=mesh]").focus()
    visit.keyboard.press("Space")
    expect(visit.locator(".live input[name=mesh]")).to_be_checked()
    visit.get_by_role("button", name="Stop camera").focus()
    visit.keyboard.press("Enter")
    expect(start(visit)).to_be_visible()
    visit.set_viewport_size(usual)


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


def failing_camera(error: str) -> str:
    return (
        "navigator.mediaDevices.getUserMedia = async () => "
        f"{{ throw new DOMException('no', '{error}'); }};"
    )


# The last of the shared page, which has no camera afterwards


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
def test_no_camera_is_explained(visit: Page, script: str, message: str) -> None:
    visit.evaluate(f"() => {{ {script} }}")
    is_explained(visit, message)
