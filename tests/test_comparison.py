"""Detectors side by side, and the fold of the keypoint tab that shows them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from facial_keypoints.comparison import DETECTOR_COLOURS, Look, draw_looks, look
from facial_keypoints.detection.detectors import DETECTOR_TITLES, Detection
from facial_keypoints.pipeline import DETECTORS, FacialKeypoints
from keypoints_captions.photos.reader import read_photo
from keypoints_captions.weights import WeightsError
from web.keypoints.answer import answer_photo
from web.keypoints.compare import Comparison, table
from web.keypoints.model import Ready


class Fixed:
    """Sees the same boxes on every photo."""

    def __init__(self, name: str, *boxes: tuple[float, float, float, float]):
        self.name, self.boxes = name, boxes

    def __call__(self, image: np.ndarray) -> list[Detection]:
        return [Detection(np.array(box, np.float64), 1.0) for box in self.boxes]


@pytest.fixture(scope="module")
def haar() -> FacialKeypoints:
    return FacialKeypoints.load(detector="haar")


def ready_with(haar: FacialKeypoints, path: Path) -> Ready:
    return Ready(haar, answer_photo(haar, path, path.name), {})


def test_every_detector_has_a_title_and_a_colour() -> None:
    assert set(DETECTOR_TITLES) == set(DETECTORS) == set(DETECTOR_COLOURS)


def test_the_keypoint_cnn_judges_the_boxes(haar: FacialKeypoints, examples: Path) -> None:
    photo = read_photo(examples / "astronaut.jpg")
    face = max(haar(photo), key=lambda found: found.score).box
    corner = (2.0, 2.0, 40.0, 40.0)
    seen = look(haar.using(Fixed("fixed", tuple(face), corner)), photo)
    assert seen.detector == "fixed"
    assert seen.is_face.tolist() == [True, False]
    assert seen.seconds > 0
    nothing = look(haar.using(Fixed("fixed")), photo)
    assert nothing.boxes.shape == (0, 4)


def test_boxes_are_drawn_in_the_detectors_colours() -> None:
    image = np.full((60, 80, 3), 128, np.uint8)
    boxes = np.array([[20.0, 20.0, 40.0, 40.0]])
    looks = [Look("cnn", boxes, np.array([True]), 0.01)]
    drawn = draw_looks(image, looks, scale=0.5)
    assert tuple(drawn[10, 20]) == DETECTOR_COLOURS["cnn"]
    assert tuple(drawn[30, 20]) == DETECTOR_COLOURS["cnn"]
    assert (drawn[40:] == 128).all()
    assert (image == 128).all()
    thin = draw_looks(image, [Look("cnn", boxes, np.array([False]), 0.01)], scale=0.5)
    coloured = [(view == DETECTOR_COLOURS["cnn"]).all(axis=2).sum() for view in (thin, drawn)]
    assert 0 < coloured[0] < coloured[1]


def test_the_table_has_a_row_for_each_detector() -> None:
    boxes = np.zeros((3, 4))
    looks = [
        Look("cnn", boxes[:1], np.array([True]), 0.0071),
        Look("haar", boxes, np.array([True, False, False]), 0.04),
    ]
    html = table(looks, DETECTOR_COLOURS)
    assert html.count('scope="row"') == 2
    assert "<td>1</td><td>1</td><td>7 ms</td>" in html
    assert "<td>3</td><td>1</td><td>40 ms</td>" in html


def test_other_detectors_are_made_once(haar: FacialKeypoints, examples: Path) -> None:
    ready = ready_with(haar, examples / "cat.jpg")
    assert ready.using("haar") is haar
    made = haar.using(Fixed("cnn"))
    ready.others["cnn"] = made
    assert ready.using("cnn") is made
    assert made.predictor is haar.predictor


def opened(get: Callable[[], Ready]) -> Comparison:
    with gr.Blocks():
        return Comparison(SimpleNamespace(get=get), gr.State(None))


def test_the_fold_shows_every_detector(haar: FacialKeypoints, examples: Path) -> None:
    ready = ready_with(haar, examples / "astronaut.jpg")
    ready.others["cnn"] = haar.using(Fixed("cnn", (180.0, 70.0, 90.0, 110.0)))
    fold = opened(lambda: ready)
    html, picture = fold._look(ready.example)
    assert html.count('scope="row"') == 2
    assert (picture == DETECTOR_COLOURS["cnn"]).all(axis=2).any()
    assert fold._look(None) == ["", None]
    assert fold._look_if_open(False, ready.example) == [gr.skip()] * 2


def test_missing_weights_are_said_in_the_fold(
    haar: FacialKeypoints, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise WeightsError("face_detector.json is missing")

    monkeypatch.setitem(DETECTORS, "cnn", missing)
    ready = ready_with(haar, examples / "cat.jpg")
    html, picture = opened(lambda: ready)._look(ready.example)
    assert "face_detector.json is missing" in html
    assert picture is None
