"""Check of the rule by which the detector and the face score agree on a face.

    python -m train.keypoints.agreement --photos CAPTIONS --faces FACES \\
        --held-out CAPTIONS/coco_val.json CAPTIONS/flickr8k_val.json

To be run after `train.keypoints.face_score` or a new detector. On training photos that the face
score was not fitted on, and on validation faces turned far, prints what each choice of the
constants of `facial_keypoints.detection.agreement` finds, and marks those in use.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facial_keypoints.detection import agreement
from facial_keypoints.detection.detectors import EagerDetector
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.looks import LEAST_DOUBTFUL, MIN_SCORE, MIN_SCORE_FIRST, MOST_DOUBTFUL
from facial_keypoints.pipeline import NAME, FacialKeypoints
from facial_keypoints.reading import crops_of, read_crops, read_detections
from keypoints_captions.hub import find_weights
from train.command_line import program, run
from train.detector.data import photos_of, read_scenes, split_scenes
from train.detector.dataset import PROFILE
from train.detector.metrics import overlaps
from train.faces.data import read_faces, read_turned, split_by_subject
from train.figures import Cell, Column, Report
from train.keypoints.face_score import NEAR_OVERLAP
from train.photos import read_photo

WEIGHTS = (0.0, 1.0, 1.5, 2.0, 3.0)
SUMS = (0.0, 1.0, 2.0, 3.0, 4.0)
#: Intersection over union of the points' box with the true one from which a face is found.
FOUND_OVERLAP = 0.4


@dataclass(frozen=True)
class Seen:
    """Detections of a photo, strong and weak ones.

    detector, face: (N,) scores, 0..1. shows: (N,) the number of the face that its points lie on,
    -1 for none, -2 for a half. faces: how many there are.
    """

    detector: np.ndarray
    face: np.ndarray
    shows: np.ndarray
    faces: int

    def accepted(self, weight: float, least: float) -> np.ndarray:
        """(N,) bool, by that weight of the detector and that sum of logits."""
        needed = agreement.least_face_score(self.detector, weight, least)
        return self.face >= np.maximum(needed, MIN_SCORE)


def look(pipeline: FacialKeypoints, photo: np.ndarray, boxes: np.ndarray) -> Seen:
    """What the pipeline weighs up in a photo as it is, and where (M, 4) faces' boxes are."""
    detector = pipeline.detector
    assert isinstance(detector, EagerDetector)
    found = detector.eagerly([photo])[0]
    strong = [one for one in found if one.score >= detector.min_score]
    weak = [one for one in found if LEAST_DOUBTFUL <= one.score < detector.min_score]
    weak = weak[:MOST_DOUBTFUL]
    sure = read_detections(pipeline.predictor, [photo] * len(strong), strong)
    crops = crops_of(weak)
    doubtful = read_crops(pipeline.predictor, [photo] * len(weak), crops, MIN_SCORE_FIRST)
    shows = []
    for points in [*sure.points, *doubtful.points]:
        overlap = overlaps(landmark_box(points), boxes)
        best = overlap.max(initial=0.0)
        on_face = int(overlap.argmax()) if best >= FOUND_OVERLAP else -2
        shows.append(-1 if best < NEAR_OVERLAP else on_face)
    scores = np.array([one.score for one in [*strong, *weak]], np.float64)
    face = np.concatenate([sure.score, doubtful.score]).astype(np.float64)
    return Seen(scores, face, np.array(shows, int), len(boxes))


def found_share(photos: Iterable[Seen], weight: float, least: float) -> float:
    """Share of the faces that are found, in %."""
    found = total = 0
    for seen in photos:
        kept = seen.shows[seen.accepted(weight, least)]
        found += len(set(kept[kept >= 0].tolist()))
        total += seen.faces
    return 100 * found / max(1, total)


def false_boxes(photos: Sequence[Seen], weight: float, least: float) -> float:
    """Of photos without a face: false ones a photo."""
    return float(np.mean([seen.accepted(weight, least).sum() for seen in photos] or [0.0]))


def fitted_photos(weights: str | None) -> tuple[int, int]:
    """How many of the training photos, in the order of which seed, the face score was fitted on."""
    path = find_weights(weights, NAME).with_suffix(".json")
    facts = json.loads(path.read_text("utf-8"))["training"].get("face_score", {})
    options = facts.get("options", {})
    return options.get("most_photos", 0), options.get("seed", 0)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("keypoints.agreement", __doc__)
    parser.add_argument("--photos", type=Path, required=True, help="with face_boxes.csv")
    parser.add_argument("--held-out", type=Path, nargs="+", default=[], help="COCO files")
    parser.add_argument("--faces", type=Path, nargs="+", required=True, help="68-point faces")
    parser.add_argument("--weights", help="of both networks; the project's own by default")
    parser.add_argument(
        "--most", type=int, default=500, help="face-free photos; half as many others"
    )
    options = parser.parse_args(arguments)
    pipeline = FacialKeypoints.load(options.weights)
    scenes, _ = split_scenes(
        read_scenes(options.photos), options.photos, photos_of(options.held_out)
    )
    fitted, seed = fitted_photos(options.weights)
    order = np.random.default_rng(seed).permutation(len(scenes))[fitted:]
    others = [scenes[place] for place in order]
    free = [scene for scene in others if not len(scene)][: options.most]
    peopled = [s for s in others if len(s) and not s.doubtful.any()][: options.most // 2]
    split = split_by_subject(
        face for folder in options.faces for face in [*read_faces(folder), *read_turned(folder)]
    )
    turned = [face.load() for face in split.validation if abs(face.yaw) >= PROFILE]
    empty, groups = (
        [look(pipeline, read_photo(s.path), s.boxes) for s in tqdm(part, unit="photo")]
        for part in (free, peopled)
    )
    profiles = [look(pipeline, image, landmark_box(points)[None]) for image, points in turned]
    columns = [
        Column("faces found", "{:.1f} %"),
        Column(f"profiles found, yaw {PROFILE}-90°", "{:.1f} %"),
        Column("false boxes a photo", "{:.4f}"),
        Column("in use"),
    ]
    heading = (
        f"{len(peopled)} photos with faces, {len(profiles)} profiles and {len(free)} photos without"
    )
    used = agreement.DETECTOR_WEIGHT, agreement.AGREEMENT
    rules = sorted({used, *((weight, least) for weight in WEIGHTS for least in SUMS)})
    with Report().table("agreement", heading, ["detector's weight", "sum"], columns) as row:
        for rule in rules:
            shares = found_share(groups, *rule), found_share(profiles, *rule)
            row(*rule, *shares, false_boxes(empty, *rule), Cell("yes" if rule == used else ""))


if __name__ == "__main__":
    run(main)
