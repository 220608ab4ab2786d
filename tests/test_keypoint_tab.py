"""The keypoint tab's handlers and HTML, without a browser."""

import base64
import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from facial_keypoints.drawing.faces import DrawStyle
from facial_keypoints.face import Face, Pose
from tests.synthetic_faces import make_face
from web.components import MODEL_BUDGET, OPENING_BUDGET, Upload
from web.device.files import device_files
from web.keypoints import photo as tab
from web.keypoints.answer import PhotoAnswer, answer_photo
from web.keypoints.cards import cards, summary
from web.keypoints.downloads import csv_file, json_file, photo_file
from web.keypoints.model import Ready
from web.models import Background


def answered(examples: Path, *faces: Face, name: str = "cat.jpg") -> PhotoAnswer:
    return answer_photo(lambda image: list(faces), examples / "cat.jpg", name)


def content(file: dict[str, str]) -> bytes:
    return base64.b64decode(file["url"].partition("base64,")[2])


def test_no_face_is_said_with_a_hint(examples: Path) -> None:
    html = summary(answered(examples))
    assert "No face found" in html
    assert "brighter" in html
    assert cards(answered(examples)) == ""


def test_a_card_for_each_face(examples: Path) -> None:
    answer = answered(examples, make_face(pose=Pose(20.4, -7.0, 0.2)), make_face())
    assert "2 faces" in summary(answer)
    html = cards(answer)
    assert html.count('class="card"') == 2
    assert 'data-face="1"' in html
    assert "20° <span>to their left</span>" in html
    assert "7° <span>down</span>" in html
    assert "90%" in html
    assert "no head pose" in cards(answered(examples, replace(make_face(), pose=None)))


def test_file_names_are_text_not_markup(examples: Path) -> None:
    html = summary(answered(examples, make_face(), name="<img src=x onerror=alert(1)>.jpg"))
    assert "<img" not in html
    assert "&lt;img" in html


def test_downloads(examples: Path) -> None:
    answer = answered(examples, make_face())
    made = json_file(answer, [], [])
    (record,) = json.loads(content(made))
    assert made["name"] == "cat_keypoints.json"
    assert record["faces"] == [make_face().to_dict()]
    rows = list(csv.DictReader(io.StringIO(content(csv_file(answer, [], [])).decode())))
    assert len(rows) == 1
    assert rows[0]["file"] == "cat.jpg"


def test_the_annotated_photo_has_its_size_and_no_metadata(examples: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "the camera"
    photo = tmp_path / "photo.jpg"
    with Image.open(examples / "cat.jpg") as cat:
        cat.save(photo, exif=exif)
        size = cat.size
    made = photo_file(answer_photo(lambda image: [make_face()], photo, "photo.jpg"), ["points"], [])
    with Image.open(io.BytesIO(content(made))) as result:
        assert result.size == size
        assert not result.getexif()
    assert b"the camera" not in content(made)


def test_nothing_to_save() -> None:
    with pytest.raises(gr.Error, match="open it again"):
        json_file(None, [], [])


# The handlers

ANSWER, STATUS, VIEW, CARDS = range(4)
BUTTONS = slice(6, 10)  # three downloads, and the button that hands the photo over
USUAL = (["points", "contours"], [])


@pytest.fixture
def page(examples: Path) -> gr.Blocks:
    """The tab with a model that finds one face in every photo."""

    class Model:
        detector = type("Detector", (), {"name": "cnn"})

        def __call__(self, image: np.ndarray) -> list[Face]:
            return [make_face()]

        def using(self, detector: str) -> Callable[[np.ndarray], list[Face]]:
            return lambda image: [make_face(), make_face()]

    def load() -> Ready:
        example = answered(examples, make_face(), name="example.jpg")
        return Ready(Model(), example, {})  # type: ignore[arg-type]

    with gr.Blocks() as page:
        tab.build_tab(page, device_files(), Background(load))
    return page


def event(page: gr.Blocks, name: str) -> Any:
    return next(function for function in page.fns.values() if function.name == name)


def test_loading_takes_no_compute_slot(page: gr.Blocks) -> None:
    opened = event(page, "on_open")
    assert opened.concurrency_id == OPENING_BUDGET["concurrency_id"]
    assert opened.concurrency_limit is None
    assert event(page, "on_opened").concurrency_id == MODEL_BUDGET["concurrency_id"]


def test_the_example_is_stored_without_its_pixels(page: gr.Blocks) -> None:
    results = event(page, "on_open").fn(gr.Request(query_params={}))
    assert results[ANSWER].name == "example.jpg" and results[ANSWER].pixels is None
    assert results[VIEW]["visible"] and results[VIEW]["value"].ndim == 3
    assert all(button["interactive"] for button in results[BUTTONS])


def test_choices_made_while_the_model_loads_are_kept(page: gr.Blocks, examples: Path) -> None:
    example = event(page, "on_open").fn(gr.Request(query_params={}))[ANSWER]
    opened = event(page, "on_opened").fn
    assert opened(None, "cnn", *USUAL, example) == [gr.skip()] * 10
    assert opened(None, "haar", *USUAL, None) == [gr.skip()] * 10  # nothing could be loaded
    drawn = opened(None, "cnn", ["boxes"], [], example)
    style = DrawStyle(points=False, contours=False, boxes=True)
    assert np.array_equal(drawn[VIEW], example.draw(style))
    assert drawn[ANSWER] == gr.skip()
    assert len(opened(None, "haar", *USUAL, example)[ANSWER].faces) == 2
    photo = Upload(examples / "coffee.jpg", "coffee.jpg")
    assert opened(photo, "cnn", *USUAL, example)[ANSWER].name == "coffee.jpg"


def test_a_photo_that_cannot_be_used_leaves_nothing_to_save(
    page: gr.Blocks, examples: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.jpg").write_text("only text")
    on_photo = event(page, "on_photo").fn
    results = on_photo(Upload(tmp_path / "notes.jpg", "notes.jpg"), "cnn", *USUAL, None)
    assert "This photo cannot be used" in results[STATUS]
    assert results[ANSWER] is None and results[CARDS] == "" and not results[VIEW]["visible"]
    assert not any(button["interactive"] for button in results[BUTTONS])
    results = on_photo(Upload(examples / "cat.jpg", "cat.jpg"), "cnn", *USUAL, None)
    assert results[VIEW]["visible"]
    assert all(button["interactive"] for button in results[BUTTONS])


def test_what_was_asked_last_is_answered_last(page: gr.Blocks, examples: Path) -> None:
    asked = event(page, "on_photo")
    assert [name for _, name in asked.targets] == ["change", "input"]  # of photo and detector
    assert asked.trigger_mode == "always_last"
    on_photo = asked.fn
    example = event(page, "on_open").fn(gr.Request(query_params={}))[ANSWER]
    assert len(on_photo(None, "haar", *USUAL, example)[ANSWER].faces) == 2
    photo = Upload(examples / "coffee.jpg", "coffee.jpg")
    found = on_photo(photo, "haar", *USUAL, example)[ANSWER]
    assert (found.name, len(found.faces)) == ("coffee.jpg", 2)
    assert on_photo(None, "cnn", *USUAL, found)[ANSWER] is None  # it was taken away


def test_a_photo_that_was_deleted_meanwhile_is_to_be_opened_again(
    page: gr.Blocks, tmp_path: Path
) -> None:
    gone = Upload(tmp_path / "gone.jpg", "gone.jpg")
    told = event(page, "on_photo").fn(gone, "cnn", *USUAL, None)[STATUS]
    assert "has been deleted on the server; open it again." in told


def test_what_is_chosen_while_a_photo_is_answered_is_drawn(page: gr.Blocks, examples: Path) -> None:
    photo, again = Upload(examples / "cat.jpg", "cat.jpg"), event(page, "redrawn")
    assert page.fns[again.trigger_after] is event(page, "on_photo")
    found = event(page, "on_photo").fn(photo, "cnn", *USUAL, None)[ANSWER]
    assert again.fn(found, *USUAL) == again.fn(None, *USUAL) == gr.skip()
    style = DrawStyle(points=False, contours=False, boxes=True)
    assert np.array_equal(again.fn(found, ["boxes"], []), found.draw(style))
