"""Facial expression from the 68 points: eyes, blinks, mouth, smile, brows.

Everything is measured in the face's own frame, level with its eyes and in units of the distance
between the outer eye corners, so that size and tilt do not matter. The turn of the head shortens
that distance, which is corrected; a nod moves what lies deeper in the head against what lies
nearer, which is corrected by the depths of the mean head.
"""

from dataclasses import asdict, dataclass

import numpy as np

from facial_keypoints.face import Pose
from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.landmarks.markup import PARTS, interocular_distance

MAX_CORRECTED_YAW = 60.0  # degrees; beyond it one eye is hidden and its points are guesses
FAR_EYE_YAW = 20.0  # degrees; beyond it the blink counter trusts the nearer eye alone

_RIGHT_EYE, _LEFT_EYE = (
    slice(PARTS[eye].start, PARTS[eye].stop) for eye in ("right_eye", "left_eye")
)
_BROWS, _EYES = np.arange(17, 27), np.arange(36, 48)
_MOUTH_CORNERS, _LIP_MIDDLE = np.array([48, 54]), np.array([51, 57, 62, 66])


@dataclass(frozen=True)
class Expression:
    """Gauges from 0 to 1. Left and right are the person's own.

    right_eye, left_eye: 0 closed, 1 as open as this person's usually is.
    blinks: counted since the face was first seen.
    mouth: 0 lips closed, 1 wide open.
    smile: 0 none (or mouth corners down), 1 broad.
    brows: 0 at rest or lower, 1 raised high.
    """

    right_eye: float
    left_eye: float
    blinks: int
    mouth: float
    smile: float
    brows: float

    def to_dict(self) -> dict[str, float]:
        """The gauges by their names, rounded to three digits; `blinks` is an int."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Measures:
    """Ratios of one face at one time, the same at every size and tilt.

    right_eye, left_eye: eye aspect ratio (Soukupová and Čech, "Real-Time Eye Blink Detection
        using Facial Landmarks", CVWW 2016), about 0.3 open and 0.1 closed.
    The others are in distances of the outer eye corners. gap: between the inner lips.
    width: of the mouth. lift: of its corners over the middle of the lips. brows: over the eyes.
    """

    right_eye: float
    left_eye: float
    gap: float
    width: float
    lift: float
    brows: float


def measure(points: np.ndarray, pose: Pose | None = None) -> Measures:
    """Measures one face.

    Args:
        points: (68, 2) float, pixels.
        pose: of the head; without it, the head is taken to look into the camera.
    """
    level = _levelled(np.asarray(points, np.float64))
    yaw, pitch = (0.0, 0.0) if pose is None else (pose.yaw, pose.pitch)
    turn = float(np.cos(np.radians(min(abs(yaw), MAX_CORRECTED_YAW))))
    nod = float(np.sin(np.radians(pitch)))
    level = level / max(float(interocular_distance(level)) / turn, 1e-6)
    return Measures(
        right_eye=_eye_aspect_ratio(level[_RIGHT_EYE]) * turn,
        left_eye=_eye_aspect_ratio(level[_LEFT_EYE]) * turn,
        gap=float(np.linalg.norm(level[[61, 62, 63]] - level[[67, 66, 65]], axis=1).mean()),
        width=float(np.linalg.norm(level[54] - level[48])) / turn,
        lift=_rise(level, _MOUTH_CORNERS, _LIP_MIDDLE) + nod * _LIFT_BEHIND,
        brows=_rise(level, _BROWS, _EYES) + nod * _BROWS_BEHIND,
    )


class ExpressionMeter:
    """Reads the expression of one face over time; remembers what is usual for the person."""

    #: Eye aspect ratio over its usual open value: closed below, and for counting a blink: shut
    #: below, open again above.
    CLOSED, SHUT, OPEN = 0.4, 0.35, 0.6
    LONGEST_BLINK = 800.0  # ms; eyes shut for longer rest
    #: Values of `Measures` that stand for 0 and 1. Among the 300-W training faces, of which most
    #: smile, these are about the lower quarter and the highest tenth (of the gap, hundredth).
    GAP, WIDTH, LIFT = (0.03, 0.36), (0.56, 0.77), (0.015, 0.095)
    RAISE = 0.08  # `Measures.brows` over the usual value that stands for 1
    #: Eye aspect ratios: the least that counts as open at first, and bounds of the usual value.
    FIRST_OPEN, LEAST_USUAL, MOST_USUAL = 0.22, 0.15, 0.45
    #: ms in which a usual value follows a higher and a lower one: of the eyes, of the brows.
    EYES_PACE, BROWS_PACE = (1e3, 3e4), (3e4, 3e3)
    CALM, LONGEST_GAP = 60.0, 1000.0  # ms in which a gauge follows; that count between two frames

    def __init__(self) -> None:
        self._time: float | None = None
        self._usual: dict[str, float] = {}
        self._shown = np.zeros(5)
        self._shut_since: float | None = None
        self._blinks = 0

    def update(self, points: np.ndarray, time_ms: float, pose: Pose | None = None) -> Expression:
        """The expression now.

        Args:
            points: (68, 2) float, pixels; best unfiltered, a blink is faster than most filters.
            time_ms: of these points.
            pose: of the head, as for `measure`.
        """
        now = measure(points, pose)
        gap = 0.0 if self._time is None else min(max(time_ms - self._time, 0.0), self.LONGEST_GAP)
        self._learn(now, gap)
        eyes = [self._openness(now, eye) for eye in ("right_eye", "left_eye")]
        self._count_blinks(_seen_eye(eyes, pose), time_ms)
        smile = (_share(now.width, *self.WIDTH) + _share(now.lift, *self.LIFT)) / 2
        brows = _share(now.brows - self._usual["brows"], 0.0, self.RAISE)
        values = np.array([*eyes, _share(now.gap, *self.GAP), smile, brows])
        # Gauges that tremble cannot be read.
        weight = 1.0 if self._time is None else 1 - np.exp(-gap / self.CALM)
        self._shown = self._shown + weight * (values - self._shown)
        self._time = time_ms
        right, left, mouth, smile, brows = map(float, self._shown)
        return Expression(right, left, self._blinks, mouth, smile, brows)

    def _learn(self, now: Measures, gap: float) -> None:
        """Moves the usual values: of the eyes, that when open; of the brows, that when at rest."""
        if not self._usual:
            self._usual = {
                "right_eye": max(now.right_eye, self.FIRST_OPEN),
                "left_eye": max(now.left_eye, self.FIRST_OPEN),
                "brows": now.brows,
            }
        for name, rising, falling in (
            ("right_eye", *self.EYES_PACE),
            ("left_eye", *self.EYES_PACE),
            ("brows", *self.BROWS_PACE),
        ):
            value = getattr(now, name)
            pace = rising if value > self._usual[name] else falling  # ms
            self._usual[name] += (1 - np.exp(-gap / pace)) * (value - self._usual[name])
        for eye in ("right_eye", "left_eye"):
            bounds = self.LEAST_USUAL, self.MOST_USUAL
            self._usual[eye] = float(np.clip(self._usual[eye], *bounds))

    def _openness(self, now: Measures, eye: str) -> float:
        return _share(getattr(now, eye) / self._usual[eye], self.CLOSED, 1.0)

    def _count_blinks(self, openness: float, time_ms: float) -> None:
        if self._shut_since is None:
            if openness < self.SHUT:
                self._shut_since = time_ms
        elif openness > self.OPEN:
            if 0 < time_ms - self._shut_since <= self.LONGEST_BLINK:
                self._blinks += 1
            self._shut_since = None


def _levelled(points: np.ndarray) -> np.ndarray:
    """(68, 2): turned so that the line between the eyes' centres is horizontal."""
    right, left = points[_RIGHT_EYE].mean(axis=0), points[_LEFT_EYE].mean(axis=0)
    cos, sin = (left - right) / max(float(np.linalg.norm(left - right)), 1e-6)
    return points @ np.array([[cos, -sin], [sin, cos]])


def _rise(level: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> float:
    """Mean height of some levelled points above others."""
    return float(level[lower, 1].mean() - level[upper, 1].mean())


def _behind(upper: np.ndarray, lower: np.ndarray) -> float:
    """How much deeper in the mean head some points are than others; a nod makes this times its
    sine of their rise. In distances of the outer eye corners."""
    depth = HEAD_POINTS[upper, 2].mean() - HEAD_POINTS[lower, 2].mean()
    return float(depth / interocular_distance(HEAD_POINTS[:, :2]))


def _eye_aspect_ratio(eye: np.ndarray) -> float:
    heights = np.linalg.norm(eye[[1, 2]] - eye[[5, 4]], axis=1).sum()
    return float(heights / max(2 * np.linalg.norm(eye[3] - eye[0]), 1e-6))


def _seen_eye(eyes: list[float], pose: Pose | None) -> float:
    """Openness for the blink counter: of both eyes, or of the nearer one of a turned head."""
    if pose is not None and abs(pose.yaw) > FAR_EYE_YAW:
        return eyes[0] if pose.yaw > 0 else eyes[1]
    return sum(eyes) / 2


def _share(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


_LIFT_BEHIND, _BROWS_BEHIND = _behind(_MOUTH_CORNERS, _LIP_MIDDLE), _behind(_BROWS, _EYES)
