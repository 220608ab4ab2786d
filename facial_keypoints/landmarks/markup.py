"""The 68-point markup of iBUG / 300-W: facial parts, and indices after mirroring.

Left and right are the person's own: their right eye (points 36-41) is on the left of an
unmirrored photo. Source: Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV-W 2013.
"""

import numpy as np

NUM_POINTS = 68

#: Facial part -> indices of its points, 0-based, in the order 300-W draws them.
PARTS: dict[str, range] = {
    "jaw": range(0, 17),
    "right_brow": range(17, 22),
    "left_brow": range(22, 27),
    "nose_bridge": range(27, 31),
    "nose_base": range(31, 36),
    "right_eye": range(36, 42),
    "left_eye": range(42, 48),
    "outer_lip": range(48, 60),
    "inner_lip": range(60, 68),
}

#: The five groups in which errors are reported -> the parts of each.
PART_GROUPS: dict[str, tuple[str, ...]] = {
    "jaw": ("jaw",),
    "brows": ("right_brow", "left_brow"),
    "nose": ("nose_bridge", "nose_base"),
    "eyes": ("right_eye", "left_eye"),
    "mouth": ("outer_lip", "inner_lip"),
}

#: Parts whose contour closes on its first point.
CLOSED_PARTS = frozenset({"right_eye", "left_eye", "outer_lip", "inner_lip"})

RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 36, 45


def group_indices(group: str) -> list[int]:
    """Indices of all points of a group of `PART_GROUPS`, ascending."""
    return [index for part in PART_GROUPS[group] for index in PARTS[part]]


def _flip_table() -> np.ndarray:
    table = np.arange(NUM_POINTS)
    table[0:17] = np.arange(16, -1, -1)  # jaw, ear to ear
    table[17:27] = np.arange(26, 16, -1)  # brows
    table[31:36] = np.arange(35, 30, -1)  # nostrils
    pairs = [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]  # eyes
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58)]  # outer lip
    pairs += [(60, 64), (61, 63), (65, 67)]  # inner lip
    for a, b in pairs:
        table[a], table[b] = b, a
    table.flags.writeable = False
    return table


#: `points[FLIP]` puts the points of a mirrored face back in the markup's order; its own inverse.
FLIP = _flip_table()

#: The five points that face detectors mark: right eye, left eye, nose, mouth corners right, left.
NUM_FIVE = 5
#: `five[FIVE_FLIP]` puts the five points of a mirrored face back in their order.
FIVE_FLIP = (1, 0, 2, 4, 3)


def five_points(points: np.ndarray) -> np.ndarray:
    """The five points among the 68: the eyes' middles, the nose's tip, the mouth's corners.

    Args:
        points: (..., 68, 2) float, any frame.

    Returns:
        (..., 5, 2), right eye, left eye, nose, right and left corner of the mouth.
    """
    eyes = [points[..., list(PARTS[eye]), :].mean(axis=-2) for eye in ("right_eye", "left_eye")]
    others = [points[..., index, :] for index in (30, 48, 54)]
    return np.stack([*eyes, *others], axis=-2)


def interocular_distance(points: np.ndarray) -> np.ndarray:
    """Distance of the outer eye corners, the 300-W normaliser of NME.

    Args:
        points: (..., 68, 2) float, any frame.

    Returns:
        (...) float in the points' unit.
    """
    return np.linalg.norm(points[..., LEFT_EYE_OUTER, :] - points[..., RIGHT_EYE_OUTER, :], axis=-1)
