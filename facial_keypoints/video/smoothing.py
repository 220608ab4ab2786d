"""The One-Euro filter over all points of a face.

Casiez, Roussel and Vogel, "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI 2012. A low-pass filter whose cut-off rises with the speed: jitter shows
in a slow face, lag in a fast one, so each is paid for where nobody sees it.
"""

import numpy as np

from facial_keypoints.landmarks.markup import NUM_POINTS

MAX_GAP = 500.0  # ms; after a longer one the points before say nothing about those after
MAX_CARRY = 200.0  # ms; nobody moves evenly for longer


class OneEuroFilter:
    """Filters the 68 points of one face over time.

    Speeds count in face sizes a second, so that one setting works for faces of every size.

    strength: 0..1; 0 passes the points through, 1 smooths most. May be set at any time.
    velocity: (68, 2) float32, the filtered velocity in pixels a millisecond; 0 at the start.
    """

    #: Cut-off in Hz of a still face at the least and at full strength; geometric in between.
    WEAKEST, STRONGEST = 12.0, 0.5
    #: Hz by which the cut-off rises for each face size a second.
    BETA = 16.0
    #: The same two for the velocity, whose cut-off the paper leaves constant: it is what carries
    #: the points on, so it has to be still in a still face and to follow a turn of a fast one.
    VELOCITY_CUTOFF, VELOCITY_BETA = 1.0, 8.0

    def __init__(self, strength: float = 0.5):
        self.strength = strength
        self._raw = self._smooth = np.zeros((NUM_POINTS, 2))
        self.reset()

    def reset(self) -> None:
        """Forgets the motion: the next points come back as they are, with velocity 0."""
        self.velocity = np.zeros((NUM_POINTS, 2), np.float32)
        self._time: float | None = None

    def __call__(self, points: np.ndarray, time_ms: float) -> np.ndarray:
        """The filtered points.

        Args:
            points: (68, 2) float, pixels.
            time_ms: of these points; starts afresh if it is not after that of the last ones, or
                more than `MAX_GAP` after.

        Returns:
            (68, 2) float32.
        """
        points = np.asarray(points, np.float64)
        gap = None if self._time is None else time_ms - self._time
        if gap is None or not 0 < gap <= MAX_GAP:
            self.reset()
            self._smooth = points
        else:
            seconds, size = gap / 1000, face_size(points)
            # From the unfiltered points: the filtered ones lag, which would read as speed.
            speed = (points - self._raw) / gap
            pace = max(_length(speed.mean(axis=0)), _length(self.velocity.mean(axis=0)))
            cutoff = self.VELOCITY_CUTOFF + self.VELOCITY_BETA * 1000 * pace / size
            change = _weight(cutoff, seconds) * (speed - self.velocity)
            self.velocity = (self.velocity + change).astype(np.float32)
            rate = 1000 * _length(self.velocity)[:, None] / size
            weight = _weight(self._still_cutoff() + self.BETA * rate, seconds)
            self._smooth = self._smooth + weight * (points - self._smooth)
        self._raw, self._time = points, time_ms
        return self._smooth.astype(np.float32)

    def at(self, time_ms: float) -> np.ndarray:
        """(68, 2) float32: the last filtered points carried on by their velocity to another time,
        for `MAX_CARRY` ms at most, and never back."""
        ahead = 0.0 if self._time is None else np.clip(time_ms - self._time, 0.0, MAX_CARRY)
        return (self._smooth + self.velocity * ahead).astype(np.float32)

    def rescale(self, factor: float) -> None:
        """The frames from now on are `factor` times as large as the last ones were."""
        self._raw, self._smooth = ((p + 0.5) * factor - 0.5 for p in (self._raw, self._smooth))
        self.velocity = self.velocity * np.float32(factor)

    def _still_cutoff(self) -> float:
        strength = min(max(self.strength, 0.0), 1.0)
        if strength == 0:
            return np.inf
        return float(self.WEAKEST * (self.STRONGEST / self.WEAKEST) ** strength)


def face_size(points: np.ndarray) -> float:
    """Twice the root mean square distance of the (68, 2) points from their centre, in pixels: a
    bit less than the width of the face, and steadier than any one distance as the head turns."""
    return max(2 * float(np.sqrt(np.sum(np.var(points, axis=0)))), 1e-3)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def _weight(cutoff: float | np.ndarray, seconds: float) -> np.ndarray:
    """Weight of the newest value in a first-order low-pass filter with this cut-off in Hz."""
    return 1 - 1 / (1 + 2 * np.pi * np.asarray(cutoff) * seconds)
