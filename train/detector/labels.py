"""Labels by the keypoint CNN: landmark boxes and five points for a teacher's face boxes.

    python -m train.detector.labels --photos CAPTIONS --output runs/detector/labels.npz

reads `CAPTIONS/face_boxes.csv` (see `train.detector.data`), looks at every face of at least
16 pixels with the keypoint CNN, and prints where landmark boxes lie in the teacher's: the
constants `LANDMARK_BOX` of `train.detector.data`.
"""

from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.crops import crops_from_boxes
from facial_keypoints.landmarks.markup import five_points
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import load_network
from train.command_line import program, run
from train.detector.data import KeypointLabels, TeacherFace, landmark_boxes, read_teacher
from train.photos import read_photo


def label(
    faces: list[TeacherFace], predictor: KeypointPredictor, smallest: float
) -> KeypointLabels:
    """The keypoint CNN's view of the faces whose boxes have at least that side in pixels."""
    labels = KeypointLabels(
        np.full((len(faces), 4), np.nan, np.float32),
        np.full((len(faces), 5, 2), np.nan, np.float32),
        np.full(len(faces), np.nan, np.float32),
    )
    wanted = [(n, face) for n, face in enumerate(faces) if face.side >= smallest]
    by_photo = [list(group) for _, group in groupby(wanted, key=lambda item: item[1].path)]
    for group in tqdm(by_photo, unit="photo", mininterval=10):
        photo = read_photo(group[0][1].path)
        boxes = landmark_boxes(np.array([face.box for _, face in group]))
        keypoints = predictor([photo] * len(group), crops_from_boxes(boxes))
        for (number, _), points, score in zip(
            group, keypoints.points, keypoints.score, strict=True
        ):
            labels.boxes[number] = landmark_box(points)
            labels.points[number] = five_points(points)
            labels.score[number] = score
    return labels


def box_offsets(faces: list[TeacherFace], labels: KeypointLabels) -> np.ndarray:
    """(M, 4) float: centre x, centre y, width and height of landmark boxes in shares of the
    teacher's width (x, width) and height (y, height), over large, sure and upright faces.
    """
    rows = []
    for face, box, points, score in zip(
        faces, labels.boxes, labels.points, labels.score, strict=True
    ):
        eyes = points[1] - points[0]
        upright = abs(eyes[1]) < 0.15 * abs(eyes[0])
        if face.side >= 32 and face.score >= 0.8 and score > 0.95 and upright:
            x, y, width, height = face.box
            middle = box[:2] + (box[2:] - 1) / 2 - (x + (width - 1) / 2, y + (height - 1) / 2)
            rows.append([*(middle / (width, height)), *(box[2:] / (width, height))])
    return np.array(rows).reshape(-1, 4)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("detector.labels", __doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of face_boxes.csv")
    parser.add_argument("--output", type=Path, default=Path("runs/detector/labels.npz"))
    parser.add_argument("--smallest", type=float, default=16.0, help="side of the teacher's box")
    parser.add_argument("--weights", help="of the keypoint CNN; the project's own by default")
    options = parser.parse_args(arguments)
    faces = read_teacher(options.photos)
    labels = label(faces, KeypointPredictor(load_network(options.weights)), options.smallest)
    labels.save(options.output)
    rows = box_offsets(faces, labels)
    print(f"{(labels.score > 0.5).sum()} of {len(faces)} faces seen by the keypoint CNN too")
    print(f"landmark boxes in the teacher's, {len(rows)} faces: centre x, centre y, width, height")
    if not len(rows):
        return
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0).round(3)
    print(f"  median {middle}, quartiles {low} and {high}")


if __name__ == "__main__":
    run(main)
