"""What the page keeps of a photo: faces, a preview, crops; drawing and downloads from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facial_keypoints.drawing.faces import DrawStyle
from facial_keypoints.landmarks.markup import PART_GROUPS, group_indices
from keypoints_captions.photos.reader import PhotoError, read_photo
from tests.synthetic_faces import make_face
from web.keypoints.answer import (
    PREVIEW_SIDE,
    THUMBNAIL_SIDE,
    PhotoAnswer,
    answer_photo,
    part_confidence,
    scaled,
)

NOTHING = DrawStyle(points=False, contours=False)


def photo_file(path: Path, width: int, height: int) -> Path:
    ramp = np.linspace(60, 200, width, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()).save(path)
    return path


def answered(path: Path, width: int, height: int) -> PhotoAnswer:
    face = make_face((width / 2, height / 2), width=height / 3)
    return answer_photo(lambda image: [face], photo_file(path, width, height), path.name)


def test_sizes(tmp_path: Path) -> None:
    answer = answered(tmp_path / "wide.png", 3200, 1000)
    assert (answer.width, answer.height) == (3200, 1000)
    assert read_photo(answer.preview).shape == (500, PREVIEW_SIDE, 3)
    assert answer.thumbnails[0].shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
    assert answer.draw(NOTHING).shape == (500, 1600, 3)
    assert answer.draw_full(NOTHING).shape == (1000, 3200, 3)
    assert answer.record["width"] == 3200


def test_small_photos_are_not_enlarged(tmp_path: Path) -> None:
    answer = answered(tmp_path / "small.png", 200, 300)
    assert answer.draw(NOTHING).shape == (300, 200, 3)


def test_the_first_drawing_decodes_no_preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answered(tmp_path / "photo.png", 640, 480)
    photo = answer.photo()

    def decoded(_: bytes) -> np.ndarray:
        raise AssertionError("the preview was decoded")

    monkeypatch.setattr("web.keypoints.answer.read_photo", decoded)
    assert np.array_equal(answer.draw(NOTHING), photo)  # exactly, without a JPEG between
    with pytest.raises(AssertionError, match="decoded"):
        answer.stored().draw(NOTHING)


def test_preview_and_photo_show_the_same_drawing(tmp_path: Path) -> None:
    answer = answered(tmp_path / "photo.png", 3200, 2400)
    whole = Image.fromarray(answer.draw_full(DrawStyle())).resize((1600, 1200))
    off = np.abs(np.asarray(whole).astype(int) - answer.draw(DrawStyle()))
    assert off.mean() < 1
    plain = np.abs(answer.draw(NOTHING).astype(int) - answer.draw(DrawStyle()))
    assert plain.max() > 100


def test_filters_are_under_the_drawing(tmp_path: Path) -> None:
    answer = answered(tmp_path / "photo.png", 640, 480)
    dressed = answer.draw(NOTHING, ["sunglasses"])
    assert np.abs(dressed.astype(int) - answer.draw(NOTHING)).max() > 60
    both = answer.draw(DrawStyle(), ["sunglasses"])
    assert np.abs(both.astype(int) - dressed).max() > 60


def test_a_deleted_photo_is_said_plainly(tmp_path: Path) -> None:
    answer = answered(tmp_path / "photo.png", 640, 480)
    answer.path.unlink()
    answer.draw(DrawStyle())
    with pytest.raises(PhotoError, match="deleted"):
        answer.draw_full(DrawStyle())


def test_part_confidence_is_the_mean_over_the_part() -> None:
    face = make_face()
    confidence = np.zeros(68, np.float32)
    confidence[group_indices("eyes")] = np.linspace(0.5, 1.0, 12)
    values = part_confidence(replace(face, confidence=confidence))
    assert set(values) == set(PART_GROUPS)
    assert values["eyes"] == pytest.approx(0.75)
    assert values["mouth"] == 0


def test_scaled_keeps_the_corners_of_the_photo() -> None:
    face = make_face()
    corner = replace(
        face,
        points=np.full((68, 2), -0.5, np.float32),
        box=np.array([-0.5, -0.5, 100, 100], np.float32),
    )
    large = scaled(corner, 3, 2)
    assert large.points == pytest.approx(-0.5)
    assert large.box == pytest.approx([-0.5, -0.5, 300, 200])
