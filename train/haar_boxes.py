"""Where the 68 points lie in the boxes of OpenCV's cascades: the constants of `HaarDetector`.

    python -m train.haar_boxes --data FACES

Prints, for each cascade, the medians over the training faces it finds.
"""

import argparse
from pathlib import Path

import numpy as np

from facial_keypoints.crops import crops_from_boxes, crops_from_points
from facial_keypoints.detectors import HaarDetector
from train.keypoint_data import LoadedFaces, load_faces, read_faces, split_by_subject


def box_offsets(faces: LoadedFaces, detector: HaarDetector) -> dict[str, np.ndarray]:
    """For each cascade, (N, 3) float: centre x, centre y and side of the landmark box in shares
    of the cascade's box, over the faces that it finds.
    """
    found: dict[str, list[list[float]]] = {"frontal": [], "profile": []}
    for image, points in zip(faces.images, faces.points, strict=True):
        truth = crops_from_points(points[None], upright=False, scale=1.0)
        for kind, boxes in detector.raw_boxes(image).items():
            for box in boxes:
                guess = crops_from_boxes(box[None], scale=1.0)
                offset = (truth.centre - guess.centre)[0] / guess.side[0]
                ratio = float(truth.side[0] / guess.side[0])
                if np.abs(offset).max() < 0.3 and 0.5 < ratio < 1.5:
                    found[kind].append([*offset, ratio])
    return {kind: np.array(rows).reshape(-1, 3) for kind, rows in found.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m train.haar_boxes", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    parser.add_argument("--faces", type=int, default=600, help="at most this many, spread evenly")
    options = parser.parse_args()
    split = split_by_subject(face for folder in options.data for face in read_faces(folder))
    wanted = [face for face in split.train if face.source != "ytf"]
    faces = load_faces(wanted[:: max(1, len(wanted) // options.faces)])
    for kind, rows in box_offsets(faces, HaarDetector()).items():
        spread = np.subtract(*np.percentile(rows, [75, 25], axis=0)) if len(rows) else "-"
        print(
            f"{kind}: {len(rows)} faces, median dx dy side {np.median(rows, axis=0)}, IQR {spread}"
        )


if __name__ == "__main__":
    main()
