"""Draws assets/logo.svg and assets/favicon.png: `python -m assets.draw_logo`.

The logo is the 68 keypoints of the mean head, a little turned, in the colours of the facial parts.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facial_keypoints.drawing.faces import GROUP_COLOURS
from facial_keypoints.face import Pose
from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.geometry.pose import rotation_from_pose
from facial_keypoints.landmarks.markup import CLOSED_PARTS, PART_GROUPS, PARTS

FOLDER = Path(__file__).resolve().parent
POSE = Pose(yaw=18.0, pitch=4.0, roll=0.0)
SIDE = 64.0  # of the logo's square, in its own units
FAVICON = 64  # pixels


def logo_points() -> np.ndarray:
    """(68, 2) float64 in the logo's square."""
    turned = (HEAD_POINTS @ rotation_from_pose(POSE).T)[:, :2]
    low, high = turned.min(axis=0), turned.max(axis=0)
    return (turned - (low + high) / 2) * (0.9 * SIDE / (high - low).max()) + SIDE / 2


def draw_svg(points: np.ndarray) -> str:
    """Contours in the text's colour, points in those of their parts."""
    lines, dots = [], []
    for group, parts in PART_GROUPS.items():
        for part in parts:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points[list(PARTS[part])])
            shape = "polygon" if part in CLOSED_PARTS else "polyline"
            lines.append(f'<{shape} points="{path}"/>')
        colour = "#{:02x}{:02x}{:02x}".format(*GROUP_COLOURS[group])
        places = [points[i] for part in parts for i in PARTS[part]]
        circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.2"/>' for x, y in places)
        dots.append(f'<g fill="{colour}">{circles}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE:.0f} {SIDE:.0f}">\n'
        f'<g fill="none" stroke="currentColor" stroke-width="0.7" opacity="0.55">{"".join(lines)}'
        "</g>\n" + "\n".join(dots) + "\n</svg>\n"
    )


def draw_favicon(points: np.ndarray) -> np.ndarray:
    """(FAVICON, FAVICON, 4) uint8 RGBA: thick dots, so that a face is seen at 16 pixels."""
    finer = 4
    picture = np.zeros((FAVICON * finer, FAVICON * finer, 4), np.uint8)
    for group, parts in PART_GROUPS.items():
        for part in parts:
            places = np.rint(points[list(PARTS[part])] * (FAVICON * finer / SIDE)).astype(int)
            colour = (*GROUP_COLOURS[group], 255)
            cv2.polylines(picture, [places], part in CLOSED_PARTS, colour, 5 * finer // 2)
    return cv2.resize(picture, (FAVICON, FAVICON), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    (FOLDER / "logo.svg").write_text(draw_svg(logo_points()))
    Image.fromarray(draw_favicon(logo_points())).save(FOLDER / "favicon.png", optimize=True)
