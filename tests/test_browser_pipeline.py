"""The browser's pipeline in lockstep with Python's: the same pictures in, the same numbers out.

Both read the same networks, Python's; `test_browser_engine.py` does it with onnxruntime-web's.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from facial_keypoints.constants import QUICK_SIDE
from facial_keypoints.detection import cnn
from facial_keypoints.detection.cnn import CnnDetector, fit
from facial_keypoints.drawing.filters import FILTERS
from facial_keypoints.face import Pose
from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.crops import Crops, cut
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import FacialKeypoints, load_network
from facial_keypoints.video.sessions import LiveAnswer
from facial_keypoints.video.tracker import Tracker
from facial_keypoints.video.wire import answer_to_dict, filter_motion
from keypoints_captions.photos.reader import read_photo
from tests.browser import BROWSER_MARKS, LIMIT
from tests.synthetic_faces import head_points
from train.benchmark.device.pipeline_server import ROOT, Shelf, serving
from train.benchmark.moving_face import Place, render, with_noise

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Python's pipeline in float32, as the browser computes."""
    network, detector = load_network(), CnnDetector(cnn.load_network())
    tests = {"/tests/": ROOT / "tests/device"}
    return Shelf(FacialKeypoints(KeypointPredictor(network), detector), folders=tests)


@pytest.fixture(scope="module")
def page(browser: Browser, shelf: Shelf) -> Iterator[Page]:
    """A blank page beside the modules, which has the constants."""
    with serving(shelf) as address:
        page = browser.new_page()
        page.set_default_timeout(LIMIT)
        page.goto(address)
        page.evaluate(
            """async () => {
              window.use = (name) => import(`/device/pipeline/${name}.js`);
              const {useConstants} = await use("constants");
              useConstants(await (await fetch("/constants.json")).json());
              for (const module of ["/tests/python_networks.js", "/page/pipeline_page.js"]) {
                Object.assign(window, await import(module));
              }
              // Playwright takes seconds for as many numbers.
              window.inBase64 = (pixels) => new Uint8Array(pixels).toBase64();
            }"""
        )
        yield page
        page.close()


def put(shelf: Shelf, *pictures: np.ndarray) -> list[str]:
    """Lays pictures on the shelf, in place of those before; their names."""
    shelf.pictures = {str(index): picture for index, picture in enumerate(pictures)}
    return list(shelf.pictures)


def unpacked(pixels: str) -> np.ndarray:
    """Signed integers, of which differences can be made, from what `inBase64` gave."""
    return np.frombuffer(base64.b64decode(pixels), np.uint8).astype(int)


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A picture full of detail: blurred noise over the whole range."""
    rng = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), np.uint8), (0, 0), 1.2)
    return cv2.normalize(picture, picture, 0, 255, cv2.NORM_MINMAX)


@pytest.mark.parametrize(
    "size", [(640, 426), (300, 200), (512, 512), (1280, 960), (1000, 777), (3000, 40), (9, 7)]
)
def test_photos_are_brought_to_the_detectors_scale(
    page: Page, shelf: Shelf, size: tuple[int, int]
) -> None:
    photo = noise(*size)
    canvas, scale = fit(photo, 640, 128)
    there = page.evaluate(
        """async (name) => {
          const {data, width, height, scale} =
            (await use("detector")).fit(await fetchPicture(name), 640, 128);
          return {data: inBase64(data), width, height, scale};
        }""",
        put(shelf, photo)[0],
    )
    assert (there["height"], there["width"], 3) == canvas.shape
    assert there["scale"] == pytest.approx(scale.tolist(), rel=1e-12)
    off = np.abs(unpacked(there["data"]) - canvas.ravel())
    assert off.max() <= 1 and off.mean() < 0.01


CROPS = [
    *[(200.3, 150.7, side, angle) for side in (60, 159, 170, 333) for angle in (0, 17, -160)],
    (0.0, 0.0, 200, 5),
    (390, 299, 200, 5),
    (-900, 20, 200, 0),
    (200, 150, 5000, 3),
    (250, 150, 0.7, 0),
]


def test_crops_are_cut_alike(page: Page, shelf: Shelf) -> None:
    photo = noise(400, 300)
    crops = [
        Crops(np.array([[x, y]]), np.array([float(side)]), np.array([float(angle)]))
        for x, y, side, angle in CROPS
    ]
    there = page.evaluate(
        """async ([name, crops]) => {
          const [{cut}, picture] = [await use("warp"), await fetchPicture(name)];
          return crops.map(([x, y, side, angle]) =>
            inBase64(cut(picture, {centre: [x, y], side, angle}, 160)));
        }""",
        [put(shelf, photo)[0], CROPS],
    )
    for place, crop, pixels in zip(CROPS, crops, there, strict=True):
        off = np.abs(unpacked(pixels) - cut(photo, crop, 160).ravel())
        assert off.mean() < 0.05 and off.max() <= 6, (place, off.mean(), off.max())


def faces_in_all_poses() -> list[np.ndarray]:
    """Points of heads from near and far, turned every way, some with the noise of a prediction."""
    rng = np.random.default_rng(3)
    faces = []
    for index in range(120):
        pose = Pose(*rng.uniform((-80, -40, -180), (80, 40, 180)).tolist())
        at = tuple(rng.uniform((60, 60), (580, 420)).tolist())
        points = head_points(pose, at, (640, 480), rng.uniform(45, 300))  # type: ignore[arg-type]
        faces.append(points + rng.normal(0, 1.0, points.shape) * (index % 3))
    return faces


def test_poses_agree(page: Page) -> None:
    faces = faces_in_all_poses()
    faces += [np.zeros((68, 2)), np.outer(np.arange(68), (1.0, 2.0)), np.full((68, 2), 1e9)]
    here = [estimate_pose(points, (640, 480)) for points in faces]
    there = page.evaluate(
        """async (faces) => {
          const {estimatePose} = await use("pose");
          return faces.map((points) => estimatePose(points, 640, 480));
        }""",
        [points.tolist() for points in faces],
    )
    assert [pose is None for pose in there] == [pose is None for pose in here]
    off = [
        max(abs(other[name] - getattr(pose, name)) for name in ("yaw", "pitch"))
        for pose, other in zip(here, there, strict=True)
        if pose is not None
    ]
    assert np.quantile(off, 0.98) < 0.1, sorted(off)[-6:]
    assert len(off) > 100


def test_filters_lie_in_the_same_places(page: Page) -> None:
    faces = [*faces_in_all_poses()[:40], np.zeros((68, 2))]
    velocity = np.random.default_rng(5).normal(0, 0.1, (68, 2))
    there = page.evaluate(
        """async ([faces, velocity]) => {
          const {filterMotion, filterNames} = await use("filters");
          return faces.map((points) => filterNames().map((name) =>
            filterMotion(points, velocity, name)));
        }""",
        [[points.tolist() for points in faces], velocity.tolist()],
    )
    for points, places in zip(faces, there, strict=True):
        for name, place in zip(FILTERS, places, strict=True):
            expected = filter_motion(points, velocity, name)
            if expected is None:
                assert place is None
            else:
                np.testing.assert_allclose(place, expected.ravel(), rtol=1e-6, atol=1e-6)


def eye_distance(face: dict[str, Any]) -> float:
    return float(np.hypot(*np.subtract(face["points"][45], face["points"][36])))


def assert_same(here: list[dict[str, Any]], there: list[dict[str, Any]], what: object) -> None:
    """Faces as dictionaries: ids exactly, boxes and points within 0.1 pixels, or 0.1 % of
    the distance of the eyes."""
    assert [face.get("id") for face in there] == [face.get("id") for face in here], what
    for face, other in zip(here, there, strict=True):
        assert other.keys() == face.keys(), what
        near = max(0.1, 0.001 * eye_distance(face))
        off = np.abs(np.subtract(other["points"], face["points"])).max()
        assert off <= near, (what, off)
        np.testing.assert_allclose(other["box"], face["box"], atol=max(near, 0.1), rtol=0)
        assert other["score"] == pytest.approx(face["score"], abs=2e-3), what
        np.testing.assert_allclose(other["confidence"], face["confidence"], atol=0.01)
        assert (other["pose"] is None) == (face["pose"] is None)
        if face["pose"]:
            assert other["pose"] == pytest.approx(face["pose"], abs=0.5), what
        if "expression" in face:
            assert other["expression"] == pytest.approx(face["expression"], abs=0.02), what
            assert other["expression"]["blinks"] == face["expression"]["blinks"]
            np.testing.assert_allclose(other["velocity"], face["velocity"], atol=0.002)
            assert other["filters"].keys() == face["filters"].keys()


def photos(examples: Path) -> dict[str, np.ndarray]:
    """Free photos: upright, two faces, none, small, turned, a face tilted, cut off, or faint."""
    read = {name: read_photo(examples / f"{name}.jpg") for name in ("astronaut", "cat")}
    two = read_photo(examples / "two_portraits.jpg")
    small = cv2.resize(read["astronaut"], None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    tilt = cv2.getRotationMatrix2D((224, 126), 35, 1.0)
    blurred = cv2.GaussianBlur(read["astronaut"][:, 130:410], (0, 0), 10)
    return {
        **read,
        "two": two,
        "faint": np.concatenate([read["astronaut"], blurred], axis=1),
        "small": small,
        "large": cv2.resize(read["astronaut"], None, fx=3.1, fy=3.1),
        "turned": np.ascontiguousarray(np.rot90(read["astronaut"])),
        "tilted": cv2.warpAffine(read["astronaut"], tilt, (500, 300)),
        "cut": np.ascontiguousarray(read["astronaut"][:, 215:]),
    }


def test_photos_show_the_same_faces(page: Page, shelf: Shelf, examples: Path) -> None:
    known = photos(examples)
    shelf.pictures = known
    found = 0
    for name, photo in known.items():
        there = page.evaluate(
            """async (name) => {
              const {FacialKeypoints} = await use("faces");
              const {faceToDict} = await use("wire");
              const finder = new FacialKeypoints(pythonNetworks);
              return (await finder.find(await fetchPicture(name))).map(faceToDict);
            }""",
            name,
        )
        here = [face.to_dict() for face in shelf.pipeline(photo)]
        assert_same(here, there, name)
        found += len(here)
    assert found >= 8


def scenes() -> Iterator[tuple[float, np.ndarray]]:
    """A film of 6 seconds: time in ms and frame. One face sways and blinks out of view for a while,
    a second one comes, both meet, one leaves, and in the end the camera's frames become smaller."""
    rng = np.random.default_rng(11)
    for index in range(48):
        time = 125.0 * index
        sway = 40 * np.sin(time / 350)
        places = [] if 1500 <= time < 2100 else [Place(200 + sway, 220, 80, sway / 5)]
        mirrored = [False] * len(places)
        if 2500 <= time < 4600:
            places.append(Place(620 - (time - 2500) / 8, 240, 70))
            mirrored.append(True)
        frame = with_noise(render(places, mirrored), rng, 2.0)
        if time > 5200:
            frame = cv2.resize(frame, (480, 360), interpolation=cv2.INTER_AREA)
        yield time, frame


def test_faces_of_a_film_keep_the_same_ids(page: Page, shelf: Shelf) -> None:
    tracker = Tracker(shelf.pipeline, quick_side=QUICK_SIDE)
    page.evaluate(
        "async () => { window.tracker = new (await use('tracker')).Tracker(pythonNetworks); }"
    )
    ids: set[int] = set()
    most = 0
    for time, frame in scenes():
        put(shelf, frame)
        there = page.evaluate(
            """async ([time, filters]) => {
              const {trackedToDict} = await use("wire");
              const faces = await tracker.update(await fetchPicture("0"), time);
              return faces.map((face) => trackedToDict(face, filters));
            }""",
            [time, list(FILTERS)],
        )
        answer = LiveAnswer(tracker.update(frame, time), frame.shape[1], frame.shape[0])
        here = answer_to_dict(answer, list(FILTERS))["faces"]
        assert_same(here, there, time)
        ids |= {face["id"] for face in here}
        most = max(most, len(here))
    assert len(ids) >= 2 and most == 2
