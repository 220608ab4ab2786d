"""The keypoint tab's handlers and HTML, without a browser."""

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from facial_keypoints.face import Face, Pose
from tests.synthetic_faces import make_face
from web.keypoints.answer import PhotoAnswer, answer_photo
from web.keypoints.cards import cards, summary
from web.keypoints.downloads import csv_file, json_file, photo_file


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
    with pytest.raises(gr.Error, match="Open a photo"):
        json_file(None, [], [])
