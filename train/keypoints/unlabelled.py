"""Faces that nobody labelled, for a teacher to set their points.

    python -m train.keypoints.unlabelled --photos CAPTIONS --output FOLDER \\
        --held-out CAPTIONS/coco_val.json CAPTIONS/flickr8k_val.json

cuts the larger faces of a detector's `face_boxes.csv` out of their photos, and writes them with a
`faces.csv` of where the weights see their points: only views are cut by those. For
`python -m train.keypoints train --teacher … --unlabelled FOLDER`.
"""

import csv
from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facial_keypoints.landmarks.crops import crops_from_boxes, crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import NUM_POINTS
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import FacialKeypoints
from keypoints_captions.files import replacing
from train.command_line import program, run
from train.detector.data import DOUBTFUL, TeacherFace, landmark_boxes, photos_of, read_teacher
from train.engine.options import UsageError
from train.faces.data import CONTEXT, UNLABELLED
from train.faces.pictures import write_picture
from train.photos import read_photo

#: Face score under which a face is left out.
SURE = 0.9

Row = list[str | int | float]


def cut_faces(
    predictor: KeypointPredictor, faces: list[TeacherFace], most: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of the faces of one photo that the network is sure of: (S, S, 3) uint8 RGB, S up to `most`,
    and (68, 2) float64 points in its pixels.
    """
    photo = read_photo(faces[0].path)
    boxes = landmark_boxes(np.array([face.box for face in faces]))
    keypoints = predictor([photo] * len(faces), crops_from_boxes(boxes), passes=2)
    cuts = []
    for points in keypoints.points[keypoints.score >= SURE]:
        crops = crops_from_points(points[None], upright=False, scale=CONTEXT)
        size = min(most, round(float(crops.side[0])))
        own = to_crop(points[None], crops)[0] * size + (size - 1) / 2
        cuts.append((cut(photo, crops, size)[0], own))
    return cuts


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("keypoints.unlabelled", __doc__)
    parser.add_argument("--photos", type=Path, required=True, help="with face_boxes.csv")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--held-out", type=Path, nargs="+", default=[], help="COCO files")
    parser.add_argument("--least", type=float, default=40, help="pixels of a face's side")
    parser.add_argument("--most", type=int, default=160, help="pixels of a cut's side")
    parser.add_argument("--weights", help="of both networks; the project's own by default")
    options = parser.parse_args(arguments)
    held_out = {options.photos / name for name in photos_of(options.held_out)}
    faces = [
        face
        for face in read_teacher(options.photos)
        if face.score >= DOUBTFUL and face.side >= options.least and face.path not in held_out
    ]
    predictor = FacialKeypoints.load(options.weights).predictor
    header: Row = ["file", "source", "split", "subject", "width", "height"]
    rows = [header + [f"{axis}{i}" for i in range(NUM_POINTS) for axis in "xy"]]
    for path, group in groupby(tqdm(faces, unit="face"), lambda face: face.path):
        for image, points in cut_faces(predictor, list(group), options.most):
            name, size = f"{len(rows):05}.webp", image.shape[0]
            write_picture(options.output / name, image)
            places = np.round(points, 2).ravel().tolist()
            rows.append([name, UNLABELLED, "train", path.stem, size, size, *places])
    if len(rows) == 1:
        raise UsageError(
            f"Expected faces in {options.photos} with sides of {options.least:g} pixels or more "
            f"that the networks are sure of, got none of {len(faces)}."
        )
    table = options.output / "faces.csv"
    with replacing(table) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    print(f"{len(rows) - 1} faces in {options.output}")


if __name__ == "__main__":
    run(main)
