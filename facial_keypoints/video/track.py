"""One tracked face: its filter, its expression, and whether it is in sight."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facial_keypoints.face import Face
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.geometry.expression import Expression, ExpressionMeter
from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.predictor import Keypoints
from facial_keypoints.video.smoothing import OneEuroFilter, face_size

#: Face score from which, and surprise in face sizes up to which, the motion counts that a face is
#: carried on by once it is out of sight: one that goes behind another seems to shrink and to stop
#: before, and its track may leap to the one in front.
SURE, LEAP = 0.9, 0.15


@dataclass(frozen=True)
class TrackedFace:
    """A face in one frame of a stream.

    id: from 1; the same for the same face in every frame, never given to another.
    face: as in a photo, its points smoothed; `face.score` 0 while the face is out of sight for a
        moment and its last points are shown.
    velocity: (68, 2) float32, pixels a millisecond: to move the points on until the next answer.
    expression: gauges and the blinks so far.
    """

    id: int
    face: Face
    velocity: np.ndarray
    expression: Expression

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the face as the public contract spells it, with `id`, `velocity` (pixels a
        millisecond) and `expression`."""
        velocity = [[round(float(x), 4), round(float(y), 4)] for x, y in self.velocity]
        return {
            "id": self.id,
            **self.face.to_dict(),
            "velocity": velocity,
            "expression": self.expression.to_dict(),
        }


@dataclass(frozen=True)
class Sighting:
    """The CNN's unfiltered result for one crop at one time.

    points: (68, 2) float32, pixels. confidence: (68,) float32, 0..1. score: 0..1, is a face.
    """

    time_ms: float
    points: np.ndarray
    confidence: np.ndarray
    score: float

    @property
    def size(self) -> float:
        """`face_size` of the points, pixels."""
        return face_size(self.points)


def sightings(keypoints: Keypoints, time_ms: float) -> list[Sighting]:
    """One for each face of the keypoints, in their order."""
    faces = zip(keypoints.points, keypoints.confidence(), keypoints.score, strict=True)
    return [Sighting(time_ms, points, sure, float(score)) for points, sure, score in faces]


class Track:
    """A face that is followed. `move` it before anything else.

    id: as in `TrackedFace`. face: as last shown, smoothed. seen: when it was last in sight, ms.
    surprise: how far it was from where its motion led, in face sizes; infinite out of sight.
    """

    face: Face

    def __init__(self, id: int):
        self.id, self.seen, self.surprise = id, -np.inf, 0.0
        self._filter, self._meter = OneEuroFilter(), ExpressionMeter()
        self._sure: tuple[float, np.ndarray, np.ndarray]  # time, points and velocity
        self._expression = Expression(1.0, 1.0, 0, 0.0, 0.0, 0.0)

    def move(self, seen: Sighting, image: np.ndarray, smoothing: float) -> None:
        """The face is here now.

        Args:
            seen: in pixels of `image`.
            smoothing: 0..1, strength of the filter.
        """
        ahead = self._filter.at(seen.time_ms).mean(axis=0) - seen.points.mean(axis=0)
        new = self.seen == -np.inf
        self.surprise = 0.0 if new else float(np.linalg.norm(ahead)) / seen.size
        self._filter.strength = smoothing
        points = self._filter(seen.points, seen.time_ms)
        before = None if new else self.face.pose
        pose = estimate_pose(points, (image.shape[1], image.shape[0]), before)
        self.face = Face(landmark_box(points), seen.score, points, seen.confidence, pose)
        if new or (seen.score >= SURE and self.surprise <= LEAP):
            self._sure = seen.time_ms, points, self._filter.velocity
        # A blink is over before a filtered eyelid has followed it.
        self._expression = self._meter.update(seen.points, seen.time_ms, pose)
        self.seen = seen.time_ms

    def hide(self) -> None:
        """The face is out of sight; its last points stay."""
        self.face = replace(self.face, score=0.0)
        self.surprise = np.inf

    @property
    def hidden(self) -> bool:
        """Whether the face was out of sight in the last frame."""
        return self.surprise == np.inf

    def place(self, time_ms: float) -> np.ndarray:
        """(68, 2) float32: where the points should be by then."""
        return self._filter.at(time_ms)

    def carried(self, time_ms: float, longest: float) -> np.ndarray:
        """(68, 2) float32: where the points would be by then, had they gone on for `longest` ms as
        they did when the face was last surely in sight."""
        seen, points, velocity = self._sure
        return points + velocity * np.float32(np.clip(time_ms - seen, 0.0, longest))

    def restart(self, time_ms: float) -> None:
        """The motion so far says nothing about what comes; the face counts as seen now."""
        self._filter.reset()
        self._sure = time_ms, self._filter.at(time_ms), self._filter.velocity
        self.seen = time_ms

    def rescale(self, factor: float) -> None:
        """The frames from now on are `factor` times as large as the last ones were."""
        self._filter.rescale(factor)
        seen, points, velocity = self._sure
        self._sure = seen, (points + 0.5) * factor - 0.5, velocity * np.float32(factor)
        points = ((self.face.points + 0.5) * factor - 0.5).astype(np.float32)
        self.face = replace(self.face, points=points, box=landmark_box(points))

    def result(self) -> TrackedFace:
        """The face as it is shown now."""
        velocity = self._filter.velocity * np.float32(not self.hidden)
        return TrackedFace(self.id, self.face, velocity, self._expression)
