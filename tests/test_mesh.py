"""The mesh over the points."""

import numpy as np

from facial_keypoints.drawing.mesh import EDGES, OPENINGS
from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.landmarks.markup import FLIP, PARTS


def crossings() -> list[tuple[list[int], list[int]]]:
    flat = HEAD_POINTS[:, :2]

    def side(a: int, b: int, c: int) -> float:
        ab, ac = flat[b] - flat[a], flat[c] - flat[a]
        return float(ab[0] * ac[1] - ab[1] * ac[0])

    edges = EDGES.tolist()
    return [
        (one, other)
        for i, one in enumerate(edges)
        for other in edges[:i]
        if not {*one} & {*other}
        and side(*one, other[0]) * side(*one, other[1]) < -1e-9
        and side(*other, one[0]) * side(*other, one[1]) < -1e-9
    ]


def test_every_point_is_in_the_mesh_and_no_lines_cross() -> None:
    assert set(EDGES.ravel().tolist()) == set(range(68))
    assert (EDGES[:, 0] < EDGES[:, 1]).all()
    assert crossings() == []


def test_it_is_symmetrical() -> None:
    lines = {tuple(edge) for edge in EDGES.tolist()}
    assert lines == {tuple(sorted(edge)) for edge in FLIP[EDGES].tolist()}


def test_eyes_and_mouth_stay_open() -> None:
    for part in OPENINGS:
        indices = list(PARTS[part])
        within = [edge for edge in EDGES.tolist() if {*edge} <= {*indices}]
        outline = np.sort(np.stack([indices, np.roll(indices, -1)], axis=1), axis=1)
        assert {tuple(edge) for edge in within} <= {tuple(edge) for edge in outline.tolist()}
