import cv2
import numpy as np
import pytest

from tests.synthetic_faces import make_face
from train.evaluate.keypoints_groups import groups_of, lightness, sharpness, tone, typology_angle
from train.faces.data import LoadedFaces

POINTS = make_face((64, 64), 80).points


def skin(lightness: float, yellow: float) -> np.ndarray:
    """(128, 128, 3) uint8 RGB of one colour, given in CIE L*a*b*."""
    colour = np.full((128, 128, 3), (lightness, 12, yellow), np.float32)
    return np.round(255 * cv2.cvtColor(colour, cv2.COLOR_LAB2RGB)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("light", "yellow", "expected"),
    [(70, 14, "light"), (64, 22, "intermediate"), (56, 20, "tan"), (35, 18, "brown, dark")],
)
def test_the_typology_angle_is_that_of_the_cheeks(
    light: float, yellow: float, expected: str
) -> None:
    picture = skin(light, yellow)
    picture[:30] = 0  # hair
    angle = typology_angle(picture, POINTS)
    assert angle == pytest.approx(np.degrees(np.arctan2(light - 50, yellow)), abs=2)
    assert tone(angle) == expected


def test_light_and_sharpness_grow_with_what_they_are_called_after() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(60, 200, (128, 128, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2)
    assert sharpness(noise, POINTS) > 2 * sharpness(blurred, POINTS)
    assert sharpness(noise // 2, POINTS) == pytest.approx(sharpness(noise, POINTS), rel=0.1)
    assert lightness(skin(70, 15), POINTS) == pytest.approx(70, abs=1)


def test_every_face_is_in_one_group_of_each_kind() -> None:
    images = [skin(light, 18) for light in (30, 40, 55, 60, 70, 75)]
    faces = LoadedFaces(images, np.stack([POINTS] * 6), np.array(["x"] * 6), np.full(6, np.nan))
    groups = groups_of(faces)
    assert groups["skin tone (ITA)"][0] == "brown, dark"
    assert groups["skin tone (ITA)"][-1] == "light"
    assert groups["light on the face"] == [
        name for name in ("darkest", "middle", "brightest") for _ in range(2)
    ]
    assert all(len(members) == 6 for members in groups.values())
