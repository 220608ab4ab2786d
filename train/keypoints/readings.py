"""Check of the rule by which a detection's crops are read.

    python -m train.keypoints.readings --data FACES

From the detector's box of each validation face, and of its mirror image: what other ways of reading
would give than that of `facial_keypoints.reading`, which is the one marked as in use. A
way that prefers one side by chance, as it may on so few faces, gains nothing by it here.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.markup import FLIP
from facial_keypoints.landmarks.predictor import MOST_CROPS, KeypointPredictor, Keypoints
from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.reading import crops_of, read_detections
from train.command_line import program, run
from train.detector.metrics import overlaps
from train.engine.options import UsageError
from train.faces.data import (
    TURNED,
    LabelledFace,
    LoadedFaces,
    load_faces,
    read_faces,
    read_turned,
    split_by_subject,
)
from train.figures import Column, Report
from train.keypoints.agreement import FOUND_OVERLAP
from train.keypoints.metrics import summary

Way = Callable[[KeypointPredictor, Sequence[np.ndarray], Sequence[Detection]], Keypoints]


def detectors_crop(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], found: Sequence[Detection]
) -> Keypoints:
    """The detector's crop and its mirror image."""
    return predictor.read(images, crops_of(found), mirror=True)


def better_crop(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], found: Sequence[Detection]
) -> Keypoints:
    """The crop that the points of a first reading ask for, and its mirror image."""
    return predictor(images, crops_of(found), passes=2)


#: What a way reads -> it.
WAYS: dict[str, Way] = {
    "the detector's crop and its mirror image": detectors_crop,
    "the better crop and its mirror image": better_crop,
    "the detector's crop and the mirror image of the better one (in use)": read_detections,
}


def batches(
    pipeline: FacialKeypoints, faces: Sequence[LabelledFace]
) -> Iterator[tuple[LoadedFaces, list[Detection]]]:
    """The faces that are found, as they are and mirrored, and the nearest detection of each."""
    for start in range(0, len(faces), MOST_CROPS):
        loaded = load_faces(faces[start : start + MOST_CROPS])
        for view in (loaded, mirrored(loaded)):
            seen = [
                nearest(pipeline.detector(image), points)
                for image, points in zip(view.images, view.points, strict=True)
            ]
            kept = [place for place, one in enumerate(seen) if one is not None]
            images = [view.images[place] for place in kept]
            own = LoadedFaces(images, view.points[kept], view.sources[kept], view.yaws[kept])
            yield own, [one for one in seen if one is not None]


def mirrored(faces: LoadedFaces) -> LoadedFaces:
    """The same faces in mirrored pictures."""
    images = [np.ascontiguousarray(image[:, ::-1]) for image in faces.images]
    last = np.array([(image.shape[1] - 1, 0) for image in images])
    points = faces.points[:, FLIP] * (-1, 1) + last[:, None]
    return LoadedFaces(images, points, faces.sources, -faces.yaws)


def nearest(found: Sequence[Detection], points: np.ndarray) -> Detection | None:
    """The detection that has most in common with the face, None where none has much."""
    box = landmark_box(points)[None]
    best = max(found, key=lambda one: overlaps(one.box, box).max(), default=None)
    if best is None or overlaps(best.box, box).max() < FOUND_OVERLAP:
        return None
    return best


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("keypoints.readings", __doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--weights", help="of both networks; the project's own by default")
    options = parser.parse_args(arguments)
    pipeline = FacialKeypoints.load(options.weights)
    faces = split_by_subject(
        face for folder in options.data for face in [*read_faces(folder), *read_turned(folder)]
    ).validation
    seen: list[LoadedFaces] = []
    answers: dict[str, list[Keypoints]] = {name: [] for name in WAYS}
    for part, found in batches(pipeline, faces):
        if found:
            seen.append(part)
            for name, way in WAYS.items():
                answers[name].append(way(pipeline.predictor, part.images, found))
    if not seen:
        raise UsageError("Expected validation faces in --data that the detector finds, got none.")
    every = LoadedFaces(
        [image for part in seen for image in part.images],
        *(
            np.concatenate([getattr(part, name) for part in seen])
            for name in ("points", "sources", "yaws")
        ),
    )
    sources = sorted(set(every.sources.tolist()), key=lambda source: (source == TURNED, source))
    heading = f"{len(every)} validation faces, half of them mirrored: NME"
    with Report().table("readings", heading, ["read"], [Column(s) for s in sources]) as row:
        for name, parts in answers.items():
            fields = (
                np.concatenate([getattr(part, field) for part in parts])
                for field in ("points", "scale", "score")
            )
            scores = summary(every, Keypoints(*fields))
            row(name, *(scores[source] for source in sources))


if __name__ == "__main__":
    run(main)
