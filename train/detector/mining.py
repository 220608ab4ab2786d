"""Hard negative mining: false faces of a trained detector on photos without faces.

    python -m train.detector.mining --photos CAPTIONS --output runs/detector/mined.npz \\
        --held-out CAPTIONS/coco_val.json CAPTIONS/flickr8k_val.json

The next run (`python -m train.detector train --mined`) looks at these places more often (Sung and
Poggio, "Example-based learning for view-based human face detection", PAMI 1998). Held-out photos
are not looked at. A few of the places are faces that the teacher missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import Detector
from train.command_line import program, run
from train.detector.data import Scene, photos_of, read_scenes, split_scenes
from train.npz import Arrays
from train.photos import read_photo

#: Score from which a box is kept, and at most so many of a photo.
LEAST_SCORE, MOST_BOXES = 0.25, 8


@dataclass(frozen=True)
class Mined(Arrays):
    """N boxes: files (N,) str, the photo's path in its folder; boxes (N, 4) float32 x, y, width,
    height, pixels of the photo; scores (N,) float32, the detector's, 0..1.
    """

    files: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray


def mine(scenes: Sequence[Scene], folder: Path, detector: Detector) -> Mined:
    """The surest boxes on the photos in which the teacher saw no face, doubtful or not."""
    files, boxes, scores = [], [], []
    for scene in tqdm([scene for scene in scenes if not len(scene)], unit="photo", mininterval=30):
        for detection in detector(read_photo(scene.path))[:MOST_BOXES]:
            files.append(str(scene.path.relative_to(folder)))
            boxes.append(detection.box)
            scores.append(detection.score)
    return Mined(
        np.array(files, np.str_),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
    )


def add_mined(scenes: Sequence[Scene], folder: Path, mined: Mined) -> list[Scene]:
    """The scenes with the boxes that were mined on them as `hard`."""
    places: dict[Path, list[int]] = {}
    for number, file in enumerate(mined.files):
        places.setdefault(folder / str(file), []).append(number)
    return [replace(scene, hard=mined.boxes[places.get(scene.path, [])]) for scene in scenes]


def main() -> None:
    """The command line."""
    parser = program("detector.mining", __doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of face_boxes.csv")
    parser.add_argument("--held-out", type=Path, nargs="+", default=[], help="COCO files")
    parser.add_argument("--output", type=Path, default=Path("runs/detector/mined.npz"))
    parser.add_argument("--weights", help="of the detector; the project's own by default")
    options = parser.parse_args()
    detector = CnnDetector(CnnDetector.load(options.weights).engine, min_score=LEAST_SCORE)
    held_out = photos_of(options.held_out)
    scenes = split_scenes(read_scenes(options.photos), options.photos, held_out)[0]
    mined = mine(scenes, options.photos, detector)
    mined.save(options.output)
    print(f"{len(mined.files)} boxes on {len(np.unique(mined.files))} photos")


if __name__ == "__main__":
    run(main)
