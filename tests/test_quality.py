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
from keypoints_captions.model_card import Card, Metadata, card_path, figure, read_card
from keypoints_captions.photos.reader import PhotoError
from tests.synthetic_faces import make_face
from web.captions.quality import by_metric, hard_photos
from web.charts import Bar, BarRow, bar_table
from web.keypoints.hard_cases import SIDE, _turned, hard_cases
from web.keypoints.quality import by_part, by_size, by_yaw
from web.model_quality import Case, build_quality, cases_html


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
    keypoints, detector, captions = (
        read_card(card_path(name)) for name in ("facial_keypoints", "face_detector", "captioning")
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
        assert card.section("Known failures") and card.section("Use")
        assert "](" not in card.section("Known failures") + card.section("Use")  # no dead links
    assert by_part(keypoints).count("<td>") == 15


def test_a_chart_has_the_figures_of_its_card() -> None:
    card = Card(Metadata(model_name="toy"), "")
    card.data.eval_results = [
        figure("by-size", metric, value, task="o", set="toy", side=side, detector=d)
        for side, d, share in (("16-24", "cnn", 91.2), ("16-24", "haar", 50.0), ("≥ 24", "cnn", 99))
        for metric, value in (("recall", share), ("faces", 7))
    ]
    with pytest.raises(LookupError, match="side: ≥ 24, detector: haar"):
        by_size(card)
    card.data.eval_results += [
        figure("by-size", "recall", 60.0, task="o", set="toy", side="≥ 24", detector="haar")
    ]
    told = text_of(by_size(card))
    assert "16–24 pixels 7 faces 91.2 % 50.0 % ≥ 24 pixels 7 faces 99.0 % 60.0 %" in told
    with pytest.raises(LookupError, match="yaw"):
        by_yaw(card)


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
        card = Card(Metadata(), "\n## Use\n\nFor demos, not for *judging*.\n\n## Recipe\n")
        charts = [lambda: "<b>chart</b>", missing]
        build_quality([card], charts, ["toys"], "Made hard.", look)
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
    assert "python -m train.evaluate toys" in shown and "Recipe" not in shown


def test_hard_photos_are_there() -> None:
    photos = hard_photos()
    assert len({name for name, _ in photos}) == len(photos) >= 6
    assert all(photo.ndim == 3 and photo.dtype == np.uint8 for _, photo in photos)
