"""The 68 points of a mean face in three dimensions.

The coordinates are those of the vertices of MediaPipe's canonical face model (Google, Apache 2.0,
`mediapipe/modules/face_geometry/data/canonical_face_model.obj`; Kartynnik et al., "Real-time
Facial Surface Geometry from Monocular Video on Mobile GPUs", CVPR-W 2019) that lie where 300-W
puts its points, rounded to a tenth of a millimetre. Seen from the front they agree with the mean
of frontal 300-W faces to about 2 mm inside the face and 8 mm on the jaw.
"""

import numpy as np

from facial_keypoints.landmarks.markup import FLIP, NUM_POINTS

#: Index of a point on the person's right half or on the midline -> x, y, z in the published
#: model's frame: centimetres, x to the person's left, y up, z out of the face. Two vertices are
#: averaged where 300-W's point lies between them (3, 4, 21, 27, 28).
_RIGHT_HALF: dict[int, tuple[float, float, float]] = {
    # jaw
    0: (-7.74, 2.36, -2.01),
    1: (-7.66, 0.67, -2.44),
    2: (-7.54, -1.05, -2.43),
    3: (-7.00, -3.84, -2.00),
    4: (-6.33, -5.51, -1.19),
    5: (-5.09, -7.18, 0.71),
    6: (-4.07, -7.99, 1.93),
    7: (-2.31, -8.97, 3.61),
    8: (0.00, -9.40, 4.26),
    # right brow
    17: (-5.72, 4.25, 2.83),
    18: (-4.99, 4.80, 3.75),
    19: (-3.99, 5.11, 4.47),
    20: (-2.76, 5.10, 5.02),
    21: (-1.31, 4.58, 5.21),
    # nose
    27: (0.00, 2.87, 5.51),
    28: (0.00, 1.39, 6.55),
    29: (0.00, 0.37, 7.24),
    30: (0.00, -1.13, 7.48),
    31: (-1.41, -1.71, 5.24),
    32: (-0.60, -2.01, 5.87),
    33: (0.00, -2.09, 6.06),
    # right eye
    36: (-4.45, 2.66, 3.17),
    37: (-3.67, 2.93, 3.72),
    38: (-2.72, 2.96, 3.87),
    39: (-1.86, 2.59, 3.76),
    40: (-2.72, 2.32, 3.78),
    41: (-3.67, 2.36, 3.64),
    # mouth
    48: (-2.46, -4.34, 4.28),
    49: (-1.91, -3.80, 5.03),
    50: (-0.71, -3.33, 5.88),
    51: (0.00, -3.41, 5.98),
    57: (0.00, -5.37, 5.54),
    58: (-0.70, -5.29, 5.45),
    59: (-1.84, -4.83, 4.82),
    60: (-2.15, -4.28, 4.04),
    61: (-1.02, -3.99, 4.93),
    62: (0.00, -3.99, 5.22),
    66: (0.00, -4.54, 5.40),
    67: (-1.10, -4.46, 5.12),
}


def _head_points() -> np.ndarray:
    points = np.zeros((NUM_POINTS, 3))
    for index, (x, y, z) in _RIGHT_HALF.items():
        points[index] = x, -y, -z
        points[FLIP[index]] = (-x if FLIP[index] != index else x), -y, -z
    points.flags.writeable = False
    return points


#: (68, 3) float64, centimetres, in a camera's axes when the head looks straight into it: x to
#: the photo's right (the person's left), y down, z away from the camera.
HEAD_POINTS = _head_points()
