"""Head pose from the 68 points, by fitting a mean head to them."""

from collections.abc import Iterator

import cv2
import numpy as np

from facial_keypoints.face import Pose
from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.landmarks.markup import LEFT_EYE_OUTER, RIGHT_EYE_OUTER

#: The points that move least with the expression: nose, eyes, mouth corners, upper lip. The chin
#: is left out: an opening mouth moves it by centimetres, which would read as a pitch of 5 to 10
#: degrees. The jaw is, because 300-W marks its visible edge, which wanders as the head turns.
RIGID_POINTS = (*range(27, 36), *range(36, 48), 48, 51, 54)

#: Around the middle of all points, which is what the line of sight goes to.
_HEAD = (HEAD_POINTS - HEAD_POINTS.mean(axis=0))[list(RIGID_POINTS)]

#: Centimetres; nobody is taken to be nearer to the camera. Bounds the perspective assumed in
#: photos that were cropped to a face, whose width says nothing about the lens.
NEAREST = 50.0

#: Root mean square distance of the projected head from the points, over the head's own; beyond
#: this the points do not form a face. Annotated faces: median 0.08, worst of 2000 0.21.
WORST_FIT = 0.35
#: The same measure; no better solution is looked for elsewhere. None was found, on 10,000 faces.
GOOD_FIT = 0.15
#: How wide points must be across, over along, or they lie in a line.
LEAST_SPREAD = 0.05
#: Degrees: the search for a pose starts from heads turned like this, besides SQPnP's.
FIRST_YAWS = (-45.0, 0.0, 45.0)
#: When a search ends: after so many steps, or one that changes the pose by so small a share, which
#: is less than a hundredth of a degree.
_CONVERGED = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 1e-4)


def estimate_pose(
    points: np.ndarray, image_size: tuple[int, int], before: Pose | None = None
) -> Pose | None:
    """Head pose of one face.

    The camera is not known, so it is approximated: aimed at the photo's centre, its focal length
    is the photo's longer side (a field of view of 53°), or more where the face would then be
    nearer than `NEAREST`. The angles are those between the head and the line of sight to it, so
    a person who looks into the lens from the photo's edge has yaw and pitch 0 like one in the
    middle, and moving the face across the photo or cropping the photo hardly changes them.

    Args:
        points: (68, 2) float, pixels.
        image_size: width and height of the photo in pixels.
        before: the pose of the same head a moment ago; a good fit next to it saves the search.

    Returns:
        The pose, signs and units as in `Pose`, or None where no head seen from its front
        projects to anything like the points (not finite, all in a line or in one place,
        not a face's shape).
    """
    seen = np.asarray(points, np.float64)[list(RIGID_POINTS)] - (np.array(image_size) - 1) / 2
    if not np.isfinite(seen).all():
        return None
    middle = seen.mean(axis=0)
    size = float(np.sqrt(np.sum(np.var(seen, axis=0))))
    spread = np.linalg.svd(seen - middle, compute_uv=False)
    if size < 1e-3 or spread[1] < LEAST_SPREAD * spread[0]:
        return None

    scale = size / np.sqrt(np.sum(np.var(_HEAD[:, :2], axis=0)))  # pixels per centimetre
    focal = max(float(max(image_size)), NEAREST * scale)
    camera = np.diag([focal, focal, 1.0])
    ray = np.array([*(middle / focal), 1.0]) * focal / scale
    fits: list[tuple[float, np.ndarray]] = []
    for rotation, shift in _first_guesses(seen, camera, ray[:, None], before):
        fit = _refine(seen, camera, rotation, shift)
        if fit is not None and fit[0] < GOOD_FIT * size:
            return pose_from_rotation(fit[1])
        if fit is not None:
            fits.append(fit)
    error, rotation = min(fits, key=lambda fit: fit[0], default=(np.inf, np.eye(3)))
    return pose_from_rotation(rotation) if error < WORST_FIT * size else None


def rotation_from_pose(pose: Pose) -> np.ndarray:
    """(3, 3) float64: from a head that looks into the camera to one in this pose.

    Axes: x to the photo's right, y down, z away from the camera. Pitch is applied first, then
    yaw, then roll, so that turning the photo changes the roll alone.
    """
    yaw, pitch, roll = np.radians([-pose.yaw, -pose.pitch, pose.roll])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    return about_z @ about_y @ about_x


def pose_from_rotation(rotation: np.ndarray) -> Pose:
    """The inverse of `rotation_from_pose`, for yaw from -90 to 90 degrees."""
    yaw = np.arcsin(np.clip(rotation[2, 0], -1.0, 1.0))
    pitch = np.arctan2(-rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))


def _first_guesses(
    seen: np.ndarray, camera: np.ndarray, ray: np.ndarray, before: Pose | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rotation and translation vectors to start from, the likeliest first: the pose before,
    SQPnP's, and heads at `ray` facing us.

    SQPnP (Terzakis and Lourakis, ECCV 2020) is a global solver, but with noisy points the best
    solution of its own cost can be one that looks away from the camera.
    """
    if before is not None:
        yield cv2.Rodrigues(rotation_from_pose(before))[0], ray
    try:
        found, rotation, shift = cv2.solvePnP(_HEAD, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        if found:
            yield rotation, shift
    except cv2.error:
        pass  # it refuses some degenerate points; the guesses below remain
    across = seen[RIGID_POINTS.index(LEFT_EYE_OUTER)] - seen[RIGID_POINTS.index(RIGHT_EYE_OUTER)]
    roll = np.degrees(np.arctan2(across[1], across[0]))
    for yaw in FIRST_YAWS:
        yield cv2.Rodrigues(rotation_from_pose(Pose(yaw, 0.0, float(roll))))[0], ray


def _refine(
    seen: np.ndarray, camera: np.ndarray, rotation: np.ndarray, shift: np.ndarray
) -> tuple[float, np.ndarray] | None:
    """Levenberg-Marquardt from a guess: the error in pixels and the (3, 3) rotation of the head
    against the line of sight to it.

    None where the result lies behind the camera or shows the back of the head.
    """
    try:
        rotation, shift = cv2.solvePnPRefineLM(
            _HEAD, seen, camera, None, rotation.copy(), shift.copy(), criteria=_CONVERGED
        )
    except cv2.error:
        return None
    matrix, _ = cv2.Rodrigues(rotation)
    depth = _HEAD @ matrix[2] + shift[2]
    if not np.isfinite(depth).all() or depth.min() <= 0:
        return None
    projected, _ = cv2.projectPoints(_HEAD, rotation, shift, camera, None)
    error = np.sqrt(np.mean(np.sum((projected[:, 0] - seen) ** 2, axis=1)))
    matrix = _to_line_of_sight(shift[:, 0]) @ matrix
    return (float(error), matrix) if matrix[2, 2] > 0 else None


def _to_line_of_sight(shift: np.ndarray) -> np.ndarray:
    """(3, 3): the smallest rotation that turns the direction `shift` onto the camera's axis."""
    ray = shift / np.linalg.norm(shift)
    axis = np.array([ray[1], -ray[0], 0.0])  # ray × (0, 0, 1), as long as the angle's sine
    sine = np.linalg.norm(axis)
    if sine > 0:
        axis *= np.arctan2(sine, ray[2]) / sine
    return cv2.Rodrigues(axis)[0]
