"""Faces as COCO keypoints, in the form of `person_keypoints_*.json`, which CVAT and FiftyOne take.

Source of the form: https://cocodataset.org/#format-data. A point's visibility is 2, labelled and
visible, where its confidence is `VISIBLE` or more and it lies in the photo; otherwise 1, labelled
but not visible. It is never 0, not labelled: the network places all points of a face.
"""

import json
from collections.abc import Callable
from typing import Any

from facial_keypoints.export import Record, record_to_dict
from facial_keypoints.landmarks.markup import CLOSED_PARTS, NUM_POINTS, PARTS
from keypoints_captions.results.formats import TextFormat

VISIBLE = 0.5  # confidence from which a point counts as visible
_CATEGORY = 1

#: Names of the points: part and place in it, such as "left_eye_3".
POINT_NAMES = [f"{part}_{place}" for part in PARTS for place in range(len(PARTS[part]))]


def skeleton() -> list[list[int]]:
    """Pairs of points to draw lines between, counted from 1 as COCO does."""
    pairs = []
    for part, indices in PARTS.items():
        ends = [*indices[1:], indices[0]] if part in CLOSED_PARTS else indices[1:]
        pairs += [[a + 1, b + 1] for a, b in zip(indices, ends, strict=False)]
    return pairs


def coco_format(name_of: Callable[[str], str]) -> TextFormat[Record]:
    """COCO's JSON of one run: annotations as they come, then the photos, then what failed.

    Args:
        name_of: file of a record -> `file_name`.
    """
    photos: list[str] = []  # lines; short ones, so that they may wait in memory
    errors: list[dict[str, str]] = []
    count = 0

    def record_text(record: Record) -> str:
        nonlocal count
        if "error" in record:
            errors.append({"file": name_of(record["file"]), "error": record["error"]})
            return ""
        entry = record_to_dict(record)
        photo = {
            "id": len(photos) + 1,
            "file_name": name_of(entry["file"]),
            "width": entry["width"],
            "height": entry["height"],
        }
        photos.append(json.dumps(photo))
        text = ""
        for face in entry["faces"]:
            count += 1
            annotation = {"id": count, "image_id": photo["id"], "category_id": _CATEGORY}
            annotation |= _annotation(face, entry["width"], entry["height"])
            text += (",\n" if count > 1 else "") + json.dumps(annotation, allow_nan=False)
        return text

    def end() -> str:
        lines = ",\n".join(photos)
        return f'\n],\n"images": [\n{lines}\n],\n"errors": {json.dumps(errors)}\n}}\n'

    start = json.dumps({"info": _INFO, "licenses": [], "categories": [_category()]})[:-1]
    start += ',\n"annotations": [\n'
    return TextFormat(record_text, start, end=end, empty=lambda: start + end())


_INFO = {
    "description": f"68 points a face, found by a network. Visibility 2: confidence {VISIBLE} or "
    "more, and in the photo; 1: otherwise. Pixel centres at whole numbers."
}


def _category() -> dict[str, Any]:
    return {
        "id": _CATEGORY,
        "name": "face",
        "supercategory": "person",
        "keypoints": POINT_NAMES,
        "skeleton": skeleton(),
    }


def _annotation(face: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    keypoints: list[float] = []
    for (x, y), confidence in zip(face["points"], face["confidence"], strict=True):
        inside = -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5
        keypoints += [x, y, 2 if inside and confidence >= VISIBLE else 1]
    box = face["box"]
    more = {"attributes": face["pose"] or {}} | {k: face[k] for k in ("crop",) if k in face}
    return {
        "keypoints": keypoints,
        "num_keypoints": NUM_POINTS,
        "bbox": box,
        "area": round(box[2] * box[3], 2),
        "iscrowd": 0,
        "segmentation": [],
        "score": face["score"],
        **more,
    }
