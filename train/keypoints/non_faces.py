"""Photos without faces, and the places in them that a Haar cascade takes for faces.

    python -m train.keypoints.non_faces --background PHOTOS --output runs/false_alarms.npz

writes the latter, to be given to `python -m train.keypoints train --false-alarms`.
"""

import csv
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facial_keypoints.detection.detectors import HaarDetector, HaarPass
from facial_keypoints.landmarks.crops import crops_from_boxes, cut
from keypoints_captions.photos.reader import PHOTO_SUFFIXES, PhotoError, read_photo
from train.command_line import program, run

#: Side of a stored false alarm in pixels, and over the side of its landmark box: room to jitter.
ALARM_SIZE, ALARM_SCALE = 160, 1.8


#: How many photos training takes; those after them in the fixed random order are for evaluation.
TRAINING_PHOTOS = 3000


def read_non_faces(folder: Path, limit: int = TRAINING_PHOTOS, skip: int = 0) -> list[np.ndarray]:
    """Up to `limit` photos without a face, each (H, W, 3) uint8 RGB; see `named_non_faces`."""
    return [photo for _, photo in named_non_faces(folder, limit, skip)]


def named_non_faces(folder: Path, limit: int, skip: int = 0) -> list[tuple[str, np.ndarray]]:
    """Up to `limit` photos without a face in a fixed random order: the path within the folder, with
    "/" between its parts, and (H, W, 3) uint8 RGB.

    skip: leaves out the first photos of that order.

    Where the folder holds a `face_boxes.csv` (file, x, y, w, h, …; empty fields: no face), its
    face-free photos; otherwise every photo of the folder, which must then show no face.

    Raises:
        FileNotFoundError: the folder holds no such photo.
    """
    table = folder / "face_boxes.csv"
    if table.exists():
        with open(table, newline="", encoding="utf-8-sig") as file:
            paths = [folder / row["file"] for row in csv.DictReader(file) if not row["x"]]
    else:
        paths = [
            path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PHOTO_SUFFIXES
        ]
    if not paths:
        raise FileNotFoundError(f"{folder} holds no photo without a face")
    order = np.random.default_rng(0).permutation(len(paths))
    photos = []
    for index in order[skip : skip + limit]:
        try:
            name = paths[index].relative_to(folder).as_posix()
            photos.append((name, read_photo(paths[index])))
        except PhotoError as error:
            print(f"{paths[index]}: {error}; left out")
    return photos


def false_alarms(photos: list[np.ndarray], a_photo: int = 8) -> np.ndarray:
    """(N, 160, 160, 3) uint8 RGB: where an over-eager cascade sees faces, with their surroundings;
    at most `a_photo` from each photo.
    """
    look = HaarPass("frontalface_default", 640, 24, 1.1, neighbors=0)
    detector = HaarDetector(quick=[look], thorough=[])
    cuts = []
    for photo in tqdm(photos, unit="photo"):
        boxes = np.array([found.box for found in detector(photo)[:a_photo]]).reshape(-1, 4)
        cuts.append(cut(photo, crops_from_boxes(boxes, ALARM_SCALE), ALARM_SIZE))
    return np.concatenate(cuts)


def main() -> None:
    """The command line."""
    parser = program("keypoints.non_faces", __doc__)
    parser.add_argument("--background", type=Path, required=True, help="photos without a face")
    parser.add_argument("--output", type=Path, default=Path("runs/false_alarms.npz"))
    parser.add_argument("--photos", type=int, default=500, help="how many are searched")
    options = parser.parse_args()
    alarms = false_alarms(read_non_faces(options.background, options.photos))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.output, crops=alarms)
    print(f"{len(alarms)} false alarms in {options.output}")


if __name__ == "__main__":
    run(main)
