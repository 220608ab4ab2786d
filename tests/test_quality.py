"""The fold "How good is it?": model cards, charts, and pictures that are hard for the models."""

import re
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np
import pytest

from facial_keypoints.landmarks.crops import crops_from_points, to_crop
from facial_keypoints.landmarks.markup import interocular_distance
from keypoints_captions.corruptions import blurred, coarse, dark
from keypoints_captions.photos.reader import PhotoError
from tests.synthetic_faces import make_face
from web.captions.quality import by_metric, hard_photos
from web.charts import Bar, BarRow, bar_table
from web.keypoints.hard_cases import SIDE, _turned, hard_cases
from web.keypoints.quality import by_part, by_size, by_yaw
from web.model_card import number, parse_card, read_card
from web.model_quality import Case, build_quality, cases_html

CARD = """# Model card

## Figures

    python -m train.evaluate keypoints --data FACES \\
        --sheet worst.png

Some words.

    python -m train.evaluate app

### A table

| set | faces | NME |
|---|---|---|
| LFPW test | 1,224 | **3.29** |
| AFW | 45 | - |

## Use

For [demos](https://example.org/demos) | not for *judging*.
"""


def test_a_card_is_read() -> None:
    card = parse_card(CARD)
    table = card.table("NME", "set")
    assert [table.cell(row, "NME") for row in table.rows] == ["**3.29**", "-"]
    assert (
        card.command("Figures")
        == "python -m train.evaluate keypoints --data FACES --sheet worst.png"
    )
    assert card.text("Use") == "For demos | not for *judging*."
    assert card.text("Recipe") == card.command("Recipe") == ""
    with pytest.raises(LookupError, match="CIDEr"):
        card.table("set", "CIDEr")


@pytest.mark.parametrize(
    ("cell", "value"),
    [("4.41 (5)", 4.41), ("91.0%", 91), ("0.4 %", 0.4), ("**26.0**", 26), ("1,224", 1224),
     ("−0.99", -0.99), ("-", None), ("", None)],
)  # fmt: skip
def test_numbers_of_a_card(cell: str, value: float | None) -> None:
    assert number(cell) == value


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_bars_are_told_and_drawn_alike() -> None:
    rows = [
        BarRow("Jaw <1>", "", [Bar(5.0, "5.00 %", "7"), None]),
        BarRow("Eyes", "both", [Bar(2.5, "2.50 %"), Bar(10, "10 %")]),
    ]
    html = bar_table("Error", "less is better", ["Part", "A", "B"], rows)
    assert re.findall(r"--value:([\d.]+)", html) == ["0.500", "0.250", "1.000"]
    assert "Part A B Jaw &lt;1&gt; 5.00 % 7 – Eyes both 2.50 % 10 %" in text_of(html)
    assert html.count('scope="row"') == 2 and html.count('scope="col"') == 3
    assert "--value:0.050" in bar_table("", "", ["", ""], [BarRow("", "", [Bar(5, "")])], full=100)
    assert "--value:0.000" in bar_table("", "", ["", ""], [BarRow("", "", [Bar(0, "")])])


def test_the_project_s_cards_give_every_figure() -> None:
    keypoints, detector, captions = map(
        read_card, ("facial_keypoints", "face_detector", "captioning")
    )
    for html, names in (
        (by_part(keypoints), ("Jaw", "Mouth", "LFPW test", "YouTube Faces, held-out people")),
        (by_yaw(keypoints), ("0–15°", "30–90°", "LFPW test")),
        (by_size(detector), ("16–24 pixels", "Our CNN", "Haar cascades")),
        (by_metric(captions), ("BLEU-4", "CIDEr", "MS COCO", "Flickr8k")),
    ):
        assert all(name in text_of(html) for name in names)
        assert html.count('class="bar"') >= 5
    for card in (keypoints, captions):
        assert card.text("Known failures") and card.text("Use")
        assert card.command("Figures").startswith("python -m train.evaluate")
    assert by_part(keypoints).count("<td>") == 15


def test_worsened_photos() -> None:
    image = np.random.default_rng(1).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    for worse in (blurred(image, 3), dark(image), coarse(image, 5)):
        assert worse.shape == image.shape and worse.dtype == np.uint8
    assert blurred(image, 3).std() < image.std() / 3 and coarse(image, 5).std() < image.std() / 2
    assert dark(image).mean() < image.mean() / 6 and (dark(image) == dark(image)).all()


def test_how_far_points_are_off_in_a_hard_picture() -> None:
    photo, face = np.full((400, 400, 3), 120, np.uint8), make_face()
    crops = crops_from_points(face.points[None], upright=False, scale=2.4)
    points = to_crop(face.points[None], crops)[0] * SIDE + (SIDE - 1) / 2
    aside = points + np.array([0.05 * interocular_distance(points), 0])
    for found, expected in (([points], 0), ([aside], 5), ([points + SIDE, aside], 5)):
        answer = [replace(face, points=each.astype(np.float32)) for each in found]
        cases = hard_cases(lambda picture, answer=answer: answer, photo, face)
        assert all(case.picture.shape == (SIDE, SIDE, 3) for case in cases)
        assert {case.false_faces for case in cases if "Turned" not in case.name} == {len(found) - 1}
        for case in cases:  # the finder says the same of the turned ones
            off = None if "Turned" in case.name else pytest.approx(expected, abs=0.01)
            assert case.error == off, case.name
    missed = hard_cases(lambda picture: [], photo, face)
    assert [(case.error, case.false_faces) for case in missed] == [(None, 0)] * len(missed)


@pytest.mark.parametrize("degrees", [60, 180])
def test_points_turn_with_their_picture(degrees: float) -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    cv2.circle(image, (30, 45), 3, (255, 255, 255), -1)
    turned, (point,) = _turned(image, np.array([[30.0, 45.0]]), degrees)
    rows, columns = np.nonzero(turned[..., 0] > 128)
    assert point == pytest.approx([columns.mean(), rows.mean()], abs=0.5)


def test_the_fold_looks_once_and_tells_what_went_wrong() -> None:
    looks: list[int] = []

    def look() -> list[Case]:
        looks.append(1)
        if len(looks) == 1:
            raise PhotoError("The photo is gone.")
        return [Case("Dark <night>", np.zeros((8, 8, 3), np.uint8), "Not found.")]

    def missing() -> str:
        raise LookupError("no such table")

    with gr.Blocks() as page:
        build_quality([parse_card(CARD)], [lambda: "<b>chart</b>", missing], "Made hard.", look)
    (expand,) = (f.fn for f in page.fns.values() if f.name == "on_expand")
    assert expand is not None
    assert "The photo is gone." in expand()
    html = expand()
    assert expand() == html and len(looks) == 2
    assert 'alt="Dark &lt;night&gt;: Not found."' in html and html == cases_html(look())
    shown = "".join(
        str(b.value) for b in page.blocks.values() if isinstance(b, gr.HTML | gr.Markdown)
    )
    assert "<b>chart</b>" in shown and "Made hard." in shown and "not for *judging*" in shown


def test_hard_photos_are_there() -> None:
    photos = hard_photos()
    assert len({name for name, _ in photos}) == len(photos) >= 6
    assert all(photo.ndim == 3 and photo.dtype == np.uint8 for _, photo in photos)
