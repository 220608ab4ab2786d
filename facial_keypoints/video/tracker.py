"""The face tracker: stable ids, smoothed points and their motion, from frame to frame.

A detector only looks at the start, when a face is lost, and now and then for new ones. In between
each face is cut out where its last points say it is, and one pass of the CNN over all faces moves
the points on; the CNN's face score says when there is no face there any more.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import Detection, Detector, HaarDetector
from facial_keypoints.geometry.boxes import inside, landmark_box, overlap
from facial_keypoints.landmarks.crops import crops_from_boxes, crops_from_points
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.track import Sighting, Track, TrackedFace, sightings

__all__ = ["Pace", "TrackedFace", "Tracker"]

Measure = Callable[[np.ndarray, np.ndarray], float]  # what two boxes have in common, 0..1

#: Share of the smaller landmark box within the larger from which both are the same face; a track
#: that lost its face to one in front may settle on a part of that.
SAME_FACE = 0.7
#: Intersection over union from which a detection belongs to a face in sight.
COVERED = 0.25
#: The same from which a face that is found belongs to one that was lost.
FOUND_AGAIN = 0.1
LONGEST_CARRY = 1000.0  # ms that a missing face is taken to go on as it went
SMALLEST = 12.0  # pixels, `face_size` under which nothing can be told from the points
MAX_FACES = 6  # followed at once
SAME_RATIO = 0.02  # by which the sides' ratio of a frame may differ from the one before


@dataclass(frozen=True)
class Pace:
    """Intervals of the detector and lifetimes of tracks, in milliseconds."""

    new_faces: float = 1500.0  # quick looks while faces are being followed
    lost: float = 150.0  # quick looks while a face is missing, or none is there
    thorough: float = 1000.0  # thorough looks, only while no face is there
    grace: float = 250.0  # without a face in its place before a track ends
    memory: float = 2000.0  # after the end in which the same face gets its id back


class Tracker:
    """Follows the faces of one stream. Not for two threads at once; a pipeline may serve many.

    tracker = Tracker(FacialKeypoints.load())
    for image, time_ms in frames:
        for tracked in tracker.update(image, time_ms):
            tracked.id, tracked.face.points

    smoothing: 0..1, strength of the points' filter; may be set at any time.
    live: somebody waits for each answer, so nothing slow is done while a face is in sight; if
        not, the thorough looks go on and find small faces beside large ones.
    quick_side: longer side in pixels to which the CNN detector's quick looks bring a frame; as for
        thorough looks by default.
    """

    def __init__(
        self,
        pipeline: FacialKeypoints,
        max_faces: int = MAX_FACES,
        smoothing: float = 0.5,
        pace: Pace | None = None,
        live: bool = True,
        quick_side: int | None = None,
    ):
        network = pipeline.predictor.engine
        self.live = live
        self.max_faces, self.smoothing, self.pace = max_faces, smoothing, pace or Pace()
        self.min_score = pipeline.min_score
        self._follower = KeypointPredictor(network, passes=1, mirror=False)
        self._starter = KeypointPredictor(network, passes=2, mirror=False)
        self._thorough = pipeline.detector
        self._quick = _quick_look(pipeline.detector, quick_side)
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forgets every face, as for another camera; ids go on counting."""
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._size: tuple[int, int] | None = None
        self._time = self._looked = self._looked_well = -np.inf

    def update(self, image: np.ndarray, time_ms: float) -> list[TrackedFace]:
        """The faces of the next frame, by ascending id.

        A frame of another size with the same sides' ratio counts as the same picture scaled; with
        another ratio everything starts anew. A time that is not after the last one keeps the
        faces and restarts filters and schedules. A frame without pixels has no faces.

        Args:
            image: (H, W, 3) uint8 RGB.
            time_ms: when the frame was taken, on any clock.

        Raises:
            ValueError: the image or the time is of another kind.
        """
        _check(image, time_ms)
        if image.size == 0:
            return []
        self._follow_size((image.shape[1], image.shape[0]))
        if time_ms <= self._time:
            self._restart_clock(time_ms)
        self._time = time_ms
        self._follow(image)
        self._merge_duplicates()
        self._end_tracks()
        self._look(image)
        return [track.result() for track in sorted(self._tracks, key=lambda track: track.id)]

    def _follow_size(self, size: tuple[int, int]) -> None:
        if self._size is not None and size != self._size:
            across, down = (new / old for new, old in zip(size, self._size, strict=True))
            if abs(across / down - 1) < SAME_RATIO:
                for track in self._tracks + self._lost:
                    track.rescale(across)
            else:
                self.reset()
        self._size = size

    def _restart_clock(self, time_ms: float) -> None:
        self._looked = self._looked_well = time_ms
        self._lost = []
        for track in self._tracks:
            track.restart(time_ms)

    def _follow(self, image: np.ndarray) -> None:
        if not self._tracks:
            return
        places = np.array([track.place(self._time) for track in self._tracks])
        keypoints = self._follower([image] * len(places), crops_from_points(places))
        for track, seen in zip(self._tracks, sightings(keypoints, self._time), strict=True):
            if self._is_face(seen, image):
                track.move(seen, image, self.smoothing)
            else:
                track.hide()

    def _merge_duplicates(self) -> None:
        """Of two tracks on one face, that stays whose own motion led there, to a whole face."""

        def doubt(track: Track) -> tuple[float, int]:
            return track.surprise + 1 - track.face.score, track.id

        for track in sorted(self._tracks, key=doubt, reverse=True):
            others = [other for other in self._tracks if other is not track]
            if any(inside(track.face.box, other.face.box) > SAME_FACE for other in others):
                self._lose(track)

    def _end_tracks(self) -> None:
        for track in list(self._tracks):
            if self._time - track.seen > self.pace.grace:
                self._lose(track)
        self._lost = [t for t in self._lost if self._time - t.seen <= self.pace.memory]

    def _lose(self, track: Track) -> None:
        self._tracks.remove(track)
        self._lost.append(track)

    def _look(self, image: np.ndarray) -> None:
        """Lets a detector look, if it is time to, and starts tracks on what it finds."""
        settled = bool(self._tracks) and not self._missing()
        pause = self.pace.new_faces if settled else self.pace.lost
        if self._in_sight() >= self.max_faces or self._time - self._looked < pause:
            return
        self._looked = self._time
        self._start(image, self._quick(image))
        thorough_due = self._time - self._looked_well >= self.pace.thorough
        if thorough_due and not (self.live and self._tracks):
            self._looked_well = self._time
            self._start(image, self._thorough(image))

    def _start(self, image: np.ndarray, detections: list[Detection]) -> None:
        """Starts tracks on those detections that are faces not yet followed."""
        room = self.max_faces - self._in_sight()
        boxes = [d.box for d in detections if not self._in_view(d.box, overlap, COVERED)]
        boxes = sorted(boxes, key=lambda box: -box[2] * box[3])[: 2 * room]
        if not boxes:
            return
        crops = crops_from_boxes(np.array(boxes))
        found = sightings(self._starter([image] * len(boxes), crops), self._time)
        for seen in sorted(found, key=lambda seen: -seen.score):
            box = landmark_box(seen.points)
            new = self._is_face(seen, image) and not self._in_view(box, inside, SAME_FACE)
            if new and self._in_sight() < self.max_faces:
                track = self._found_again(box) or self._new_track()
                track.move(seen, image, self.smoothing)

    def _is_face(self, seen: Sighting, image: np.ndarray) -> bool:
        """Whether the CNN says so, and the points have a size and their middle in the picture."""
        x, y = seen.points.mean(axis=0)
        inside = 0 <= x < image.shape[1] and 0 <= y < image.shape[0]
        return bool(seen.score >= self.min_score and inside and seen.size >= SMALLEST)

    def _in_sight(self) -> int:
        return sum(not track.hidden for track in self._tracks)

    def _missing(self) -> list[Track]:
        """Faces that may turn up again: in their grace, or lost not long ago."""
        return [track for track in self._tracks if track.hidden] + self._lost

    def _in_view(self, box: np.ndarray, measure: Measure, share: float) -> bool:
        """Whether the box has more than this in common with a face in sight."""
        return any(measure(box, t.face.box) > share for t in self._tracks if not t.hidden)

    def _found_again(self, box: np.ndarray) -> Track | None:
        """The missing face that goes on in the box: where it was last, or would be by now."""
        best, track = FOUND_AGAIN, None
        for missing in self._missing():
            carried = landmark_box(missing.carried(self._time, LONGEST_CARRY))
            share = max(overlap(box, missing.face.box), overlap(box, carried))
            if share > best:
                best, track = share, missing
        if track is not None:
            if track in self._lost:
                self._lost.remove(track)
                self._tracks.append(track)
            track.restart(self._time)
        return track

    def _new_track(self) -> Track:
        track = Track(self._next_id)
        self._next_id += 1
        self._tracks.append(track)
        return track


def _quick_look(detector: Detector, side: int | None) -> Detector:
    """The detector without its slow second look, or on frames of that side; shares what it
    loaded."""
    if isinstance(detector, HaarDetector):
        quick = copy.copy(detector)
        quick.thorough = ()
        return quick
    if isinstance(detector, CnnDetector) and side is not None:
        small = copy.copy(detector)
        small.side = side
        return small
    return detector


def _check(image: np.ndarray, time_ms: float) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    if not np.isfinite(time_ms):
        raise ValueError(f"expected a time in milliseconds, got {time_ms}")
