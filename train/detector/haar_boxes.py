"""Position of the 68 points in Haar cascade boxes: the constants of `HaarDetector`.

    python -m train.detector.haar_boxes --data FACES

Prints, for each cascade, the medians over the training faces it finds.
"""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.detection.detectors import QUICK, THOROUGH, HaarDetector, HaarPass
from facial_keypoints.landmarks.crops import crops_from_boxes, crops_from_points
from train.command_line import program, run
from train.faces.data import LoadedFaces, load_faces, read_faces, split_by_subject


def box_offsets(faces: LoadedFaces, look: HaarPass) -> np.ndarray:
    """(N, 3) float: centre x, centre y and side of the landmark box in shares of the cascade's
    box, over the faces that it finds.
    """
    detector, rows = HaarDetector(), []
    for image, points in zip(faces.images, faces.points, strict=True):
        truth = crops_from_points(points[None], upright=False, scale=1.0)
        boxes, _ = detector.search(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), look)
        for box in boxes:
            guess = crops_from_boxes(box[None], scale=1.0)
            offset = (truth.centre - guess.centre)[0] / guess.side[0]
            ratio = float(truth.side[0] / guess.side[0])
            if np.abs(offset).max() < 0.3 and 0.5 < ratio < 1.5:
                rows.append([*offset, ratio])
    return np.array(rows).reshape(-1, 3)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("detector.haar_boxes", __doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--faces", type=int, default=600, help="at most this many, spread evenly")
    options = parser.parse_args(arguments)
    split = split_by_subject(face for folder in options.data for face in read_faces(folder))
    wanted = [face for face in split.train if face.source != "ytf"]
    faces = load_faces(wanted[:: max(1, len(wanted) // options.faces)])
    for look in (*QUICK, *THOROUGH):
        rows = box_offsets(faces, look)
        print(f"{look.cascade}: {len(rows)} of {len(faces)} faces, centre x, centre y, side")
        if not len(rows):
            continue
        low, middle, high = np.percentile(rows, [25, 50, 75], axis=0).round(2)
        print(f"  median {middle}, quartiles {low} and {high}")


if __name__ == "__main__":
    run(main)
