"""Contact sheets of labelled faces, for checking labels by eye."""

from pathlib import Path

import numpy as np

from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from train.faces.data import LabelledFace
from train.faces.pictures import draw_points, write_picture
from train.keypoints.augment import random_view


def write_sheet(faces: list[LabelledFace], path: Path, rows: int = 12, size: int = 160) -> None:
    """Writes a picture with a row a face: the face, then the same face augmented five times.

    Raises:
        OSError: the file can't be written.
    """
    rng = np.random.default_rng(0)
    chosen = [faces[i] for i in rng.permutation(len(faces))[:rows]]
    lines = []
    for face in chosen:
        image, points = face.load()
        crops = crops_from_points(points[None], upright=False)
        cells = [draw_points(cut(image, crops, size)[0], to_crop(points[None], crops)[0])]
        cells += [draw_points(*random_view(image, points, size, rng)) for _ in range(5)]
        lines.append(np.concatenate(cells, axis=1))
    write_picture(path, np.concatenate(lines))
