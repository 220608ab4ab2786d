"""Cartoon faces with known points: enough to train a tiny keypoint CNN on."""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.face import Pose
from facial_keypoints.landmarks.markup import PARTS
from tests.synthetic_faces import make_face


def draw_face(rng: np.random.Generator, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A (size, size, 3) uint8 RGB cartoon of a head in a random pose, and its (68, 2) points."""
    pose = Pose(rng.uniform(-20, 20), rng.uniform(-10, 10), rng.uniform(-20, 20))
    centre = tuple(size / 2 + rng.uniform(-4, 4, 2))
    points = make_face(centre, size * rng.uniform(0.4, 0.5), pose).points
    image = np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    skin = [int(v) for v in (200 + rng.integers(-30, 30), 150 + rng.integers(-30, 30), 120)]
    polygon = [np.round(points[[*PARTS["jaw"], 24, 19]]).astype(np.int32)]
    cv2.fillPoly(image, polygon, skin, cv2.LINE_AA)
    colours = {
        "right_eye": (255, 255, 255),
        "left_eye": (240, 240, 255),
        "outer_lip": (190, 40, 40),
    }
    for part, colour in colours.items():
        polygon = [np.round(points[list(PARTS[part])]).astype(np.int32)]
        cv2.fillPoly(image, polygon, colour, cv2.LINE_AA)
    for part in ("right_brow", "left_brow", "nose_bridge", "nose_base"):
        line = [np.round(points[list(PARTS[part])]).astype(np.int32)]
        cv2.polylines(image, line, False, (60, 30, 20), 2, cv2.LINE_AA)
    return image, points


def write_faces_csv(folder: Path, count: int, subjects: int = 0) -> None:
    """A data set in the layout of `faces.csv`: `count` PNG crops of `subjects` people (or each
    its own).
    """
    rng = np.random.default_rng(0)
    axes = ",".join(f"x{i},y{i}" for i in range(68))
    lines = [f"file,source,split,subject,width,height,{axes}"]
    for number in range(count):
        image, points = draw_face(rng)
        name = f"{number:03}.png"
        cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        subject = f"toy:{number % subjects if subjects else number}"
        values = ",".join(f"{v:.2f}" for v in points.ravel())
        lines.append(f"{name},toy,train,{subject},128,128,{values}")
    (folder / "faces.csv").write_text("\n".join(lines) + "\n")
