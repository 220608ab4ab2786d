"""Constants for the page's scripts that draw and save faces."""

from typing import Any

from facial_keypoints.drawing.faces import GROUP_COLOURS
from facial_keypoints.drawing.mesh import EDGES
from facial_keypoints.export import CSV_COLUMNS
from facial_keypoints.landmarks.markup import CLOSED_PARTS, PART_GROUPS, PARTS, group_indices
from facial_keypoints.video.recording import RECORDING_COLUMNS
from facial_keypoints.video.smoothing import MAX_CARRY
from web.device.examples import PHOTOS


def page_setup() -> dict[str, Any]:
    """JSON-ready. parts: in the order of drawing, each with its points' indices, whether its line
    closes, and its colour. mesh: pairs of indices. carry: milliseconds for which a point goes on as
    it moved. columns: of a recording's CSV; photo_columns: of a photo's. groups: facial part ->
    indices of its points. examples: file -> what it shows."""
    parts = [
        {
            "indices": list(PARTS[part]),
            "closed": part in CLOSED_PARTS,
            "colour": "rgb({} {} {})".format(*GROUP_COLOURS[group]),
        }
        for group, names in PART_GROUPS.items()
        for part in names
    ]
    return {
        "parts": parts,
        "mesh": EDGES.tolist(),
        "carry": MAX_CARRY,
        "columns": RECORDING_COLUMNS,
        "photo_columns": CSV_COLUMNS,
        "examples": PHOTOS,
        "groups": {group: group_indices(group) for group in PART_GROUPS},
    }
