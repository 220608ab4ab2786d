"""Photos without faces, for teaching the CNN what is not a face."""

import csv
from pathlib import Path

import numpy as np

from common.photos import PHOTO_SUFFIXES, PhotoError, read_photo


def read_non_faces(folder: Path, limit: int = 3000) -> list[np.ndarray]:
    """Up to `limit` photos without a face, each (H, W, 3) uint8 RGB.

    Where the folder holds a `face_boxes.csv` (file, x, y, w, h, …; empty fields: no face), its
    face-free photos; otherwise every photo of the folder, which must then show no face.
    """
    table = folder / "face_boxes.csv"
    if table.exists():
        with open(table, newline="") as file:
            paths = [folder / row["file"] for row in csv.DictReader(file) if not row["x"]]
    else:
        paths = [
            path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PHOTO_SUFFIXES
        ]
    order = np.random.default_rng(0).permutation(len(paths))
    photos = []
    for index in order[:limit]:
        try:
            photos.append(read_photo(paths[index]))
        except PhotoError as error:
            print(f"{paths[index]}: {error}; left out")
    return photos
