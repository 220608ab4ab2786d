"""The worker of the page with onnxruntime-web: what Python sees in a picture, it sees, too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Page

from facial_keypoints.face import Face
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.sessions import LiveAnswer
from facial_keypoints.video.tracker import Tracker
from facial_keypoints.video.wire import answer_to_dict
from keypoints_captions.engines import on_openvino
from keypoints_captions.photos.reader import read_photo
from tests.browser import BROWSER_MARKS, LIMIT
from train.benchmark.device.pipeline import look, start_worker
from train.benchmark.device.pipeline_server import Shelf, serving
from train.benchmark.moving_face import Place, render
from web.device.engine import engine_files, engine_folder

pytestmark = [
    *BROWSER_MARKS,
    pytest.mark.skipif(
        not engine_files(), reason="no engine for browsers; python -m web.device installs it"
    ),
]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Python's networks compute in float32, as the browser's do, whatever is fastest here."""
    make = on_openvino.OpenVinoEngine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_openvino, "OpenVinoEngine", lambda f, i, o, *_: make(f, i, o, exact=True))
        pipeline = FacialKeypoints.load(device="cpu", engine="openvino")
    return Shelf(pipeline, folders={"/engine/": engine_folder()})


@pytest.fixture(scope="module")
def address(shelf: Shelf) -> Iterator[str]:
    with serving(shelf) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose worker has loaded the networks."""
    page = browser.new_page()
    page.set_default_timeout(LIMIT)
    page.goto(address)
    ready = start_worker(page)
    assert ready["type"] == "ready" and ready["backend"] == "wasm" and ready["milliseconds"] > 0
    yield page
    page.close()


def apart(here: list[Face], there: list[dict[str, Any]]) -> float:
    """The most that points differ, in shares of the eye distance. The faces are told apart by their
    places: which of two sure ones is the surer depends on the last digits."""
    assert len(here) == len(there)
    here = sorted(here, key=lambda face: face.points[30, 0])
    there = sorted(there, key=lambda face: face["points"][30][0])
    return max(
        float(np.abs(np.subtract(other["points"], face.points)).max())
        / float(np.linalg.norm(face.points[45] - face.points[36]))
        for face, other in zip(here, there, strict=True)
    )


def test_photos_in_full_precision(page: Page, shelf: Shelf, examples: Path) -> None:
    photo = read_photo(examples / "two_portraits.jpg")
    there = look(page, shelf, photo, "photo")
    assert (there["width"], there["height"]) == photo.shape[1::-1]
    assert [face["id"] for face in there["faces"]] == [1, 2]
    assert apart(shelf.pipeline(photo), there["faces"]) < 0.001
    assert look(page, shelf, read_photo(examples / "cat.jpg"), "photo")["faces"] == []


def test_frames_of_a_camera(page: Page, shelf: Shelf) -> None:
    page.evaluate("worked.worker.postMessage({type: 'reset'})")
    tracker = Tracker(shelf.pipeline)
    for index in range(4):
        frame = render([Place(200 + 4 * index, 220, 80), Place(470, 240, 70)], [False, True])
        there = look(page, shelf, frame, "live", 33.0 * index, smoothing=0.5, filters=["hat"])
        faces = tracker.update(frame, 33.0 * index)
        assert apart([tracked.face for tracked in faces], there["faces"]) < 0.02
        told = answer_to_dict(LiveAnswer(faces), ["hat"])["faces"]
        assert [other.keys() for other in there["faces"]] == [face.keys() for face in told]
        assert all(len(face["filters"]["hat"]) == 12 for face in there["faces"])
    ids = [face["id"] for face in there["faces"]]
    page.evaluate("worked.worker.postMessage({type: 'reset'})")
    again = look(page, shelf, frame, "live", 0.0)["faces"]
    assert min(face["id"] for face in again) > max(ids)  # another camera's faces are others


def test_several_faces_are_read_by_two_workers(page: Page, shelf: Shelf) -> None:
    if page.evaluate("navigator.hardwareConcurrency") < 2:
        pytest.skip("one core has no place for a second")
    page.evaluate("worked.worker.postMessage({type: 'reset'})")
    frame = render([Place(200, 220, 80), Place(470, 240, 70)], [False, True])
    first = look(page, shelf, frame, "live", 0.0, smoothing=0.0)["faces"]
    assert len(first) == 2
    for index in range(1, 60):
        faces = look(page, shelf, frame, "live", 33.0 * index, smoothing=0.0)["faces"]
        if index == 5:
            alone, before = faces, len(page.workers)
    page.wait_for_timeout(3000)  # until the second has started
    together = look(page, shelf, frame, "live", 33.0 * 60, smoothing=0.0)["faces"]
    assert (before, len(page.workers)) == (1, 2)
    assert [face["id"] for face in together] == [face["id"] for face in first]
    for one, other in zip(alone, together, strict=True):
        assert np.abs(np.subtract(one["points"], other["points"])).max() < 1.0


def test_a_camera_s_frame_is_the_same_picture(page: Page, shelf: Shelf) -> None:
    shelf.pictures = {"picture": render([Place(320, 240, 90)])}
    frame, picture = page.evaluate(
        """async () => {
          const {fetchPicture} = await import("/page/pipeline_page.js");
          const {width, height, data} = await fetchPicture("picture");
          const pixels = new ImageData(data, width, height);
          const canvas = new OffscreenCanvas(width, height);
          canvas.getContext("2d").putImageData(pixels, 0, 0);
          const answers = [];
          for (const image of [new VideoFrame(canvas, {timestamp: 0}), pixels]) {
            worked.worker.postMessage({type: "reset"});
            answers.push(await worked.ask({type: "frame", id: 1, image, time: 0, mode: "live"}));
          }
          return answers;
        }"""
    )
    assert (frame["width"], frame["height"]) == (640, 480)
    assert len(frame["faces"]) == 1
    assert frame["faces"][0]["points"] == picture["faces"][0]["points"]


def test_of_waiting_frames_only_the_newest_is_looked_at(page: Page, shelf: Shelf) -> None:
    shelf.pictures = {"picture": render([Place(320, 240, 90)])}
    answers = page.evaluate(
        """async () => {
          const {fetchPicture} = await import("/page/pipeline_page.js");
          const {width, height, data} = await fetchPicture("picture");
          const answers = [];
          const done = new Promise((resolve) => {
            worked.worker.onmessage = ({data}) => {
              answers.push([data.id, data.faces?.length ?? null]);
              if (answers.length === 4) resolve();
            };
          });
          for (const id of [1, 2, 3, 4]) {
            const image = new ImageData(data, width, height);
            const time = 9000 + 33 * id;
            worked.worker.postMessage({type: "frame", id, image, time, mode: "live"});
          }
          await done;
          return answers;
        }"""
    )
    assert len(answers) == 4 and dict(answers)[4] == 1
    assert [count for _, count in answers].count(None) >= 2


def test_what_is_no_picture_or_message_is_refused_in_a_sentence(page: Page) -> None:
    for message, words in (
        ("{type: 'frame', id: 1, image: {width: 0, height: 5}, mode: 'photo'}", "0 × 5"),
        ("{type: 'wink'}", "load, frame or reset"),
    ):
        with pytest.raises(Error, match=words):
            page.evaluate(f"worked.ask({message})")


def test_folders_without_files_are_said(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    with pytest.raises(Error, match=r"expected .*/nowhere/.*, got status 404"):
        page.evaluate(
            """async () => {
              const {Worked} = await import("/page/pipeline_page.js");
              await new Worked().ask({type: "load", engine: "/engine/", models: "/nowhere/"});
            }"""
        )
    page.close()


#: Loads the engine of a page three times, its workers being mere shells: what who waits is told.
LOADED_ANEW = """async () => {
  const {Engine} = await import("/device/engine.js");
  const Plain = Worker, workers = [];
  window.Worker = class {
    constructor() { workers.push(this); }
    postMessage() {}
    terminate() { this.gone = true; }
  };
  const told = (promise) => promise.then(({type}) => type, ({message}) => message);
  const engine = new Engine({engine: "", models: "", scripts: ""});
  const first = told(engine.load());
  const second = told(engine.load(true));
  workers[1].onmessage({data: {type: "ready"}});
  const answers = [await first, await second];
  workers[1].onerror({preventDefault() {}, message: "out of memory"});
  answers.push(await told(engine.find(new ImageData(1, 1), {})));
  engine.load(true);
  window.Worker = Plain;
  return [...answers, workers.map(({gone = false}) => gone)];
}"""


def test_nobody_waits_for_a_worker_that_is_gone(page: Page) -> None:
    stopped = "The networks were stopped"
    assert page.evaluate(LOADED_ANEW) == [stopped, "ready", stopped, [True, True, False]]
