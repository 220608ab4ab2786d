"""Faces that the pipeline reports on photos in which the detector's teacher saw none."""

from pathlib import Path

import numpy as np

from facial_keypoints.face import Face
from facial_keypoints.pipeline import FacialKeypoints
from train.figures import Column, Report
from train.keypoints.non_faces import TRAINING_PHOTOS, named_non_faces

PHOTOS = 400  # that no training saw
#: The teacher misses faces. Every box that the pipeline put on these photos was looked at, by eye:
#: of real and painted faces, the photo and x, y of the face's middle in pixels. A box that a later
#: detector or network adds counts as false until it is looked at, too.
FACES_BY_EYE: dict[str, tuple[float, float]] = {
    "coco/000000021846.webp": (142, 42),  # lies on its side
    "coco/000000026466.webp": (152, 185),  # looks up, half in the dark
    "coco/000000040757.webp": (175, 220),  # a sleeping child's
    "coco/000000156292.webp": (54, 236),  # painted
    "flickr8k/3365602213_dd3287a633.webp": (163, 77),  # a child's against the sky
    "flickr8k/3465473743_7da0c5d973.webp": (98, 151),  # of nine pixels
    "flickr8k/3730011219_588cdc7972.webp": (116, 39),  # looks down
}


def print_false_faces(report: Report, pipeline: FacialKeypoints, background: Path) -> None:
    """Faces reported on photos without any by the teacher's word, and those of them that are none
    by eye."""
    photos = named_non_faces(background, PHOTOS, skip=TRAINING_PHOTOS)
    alone = sum(len(pipeline.detector(photo)) for _, photo in photos)
    faces = [(name, face) for name, photo in photos for face in pipeline(photo)]
    by_eye = sum(not _is_face(name, face) for name, face in faces)
    stages = {
        "by the detector alone": "detector alone",
        "after the CNN's face score": "face score",
        "of these no face by eye": "by eye",
    }
    columns = [Column("photos", "{}")]
    columns += [Column(t, "{:.4f}", "false_faces", {"stage": stage}) for t, stage in stages.items()]
    heading, data = "False faces a photo without a face", "photos without a face"
    counts = np.array([alone, len(faces), by_eye]) / max(1, len(photos))
    with report.table("false-faces", heading, ["detector"], columns, data=data) as row:
        row(pipeline.detector.name, len(photos), *counts.tolist())


def _is_face(name: str, face: Face) -> bool:
    """Whether its box holds the middle of a face seen there by eye."""
    left, top, width, height = face.box
    x, y = FACES_BY_EYE.get(name, (-np.inf, -np.inf))
    return bool(left <= x <= left + width and top <= y <= top + height)
