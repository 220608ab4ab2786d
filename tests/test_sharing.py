"""The benchmark of live frames beside captions, for a moment."""

import argparse

import pytest

from train.benchmark import sharing


def test_every_way_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    sharing.run(argparse.Namespace(seconds=0.5, clients=1, rounds=1, write_card=None))
    rows = capsys.readouterr().out.strip().splitlines()[-4:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == [
        "camera alone",
        "captions alone",
        "both, frames beside the slots",
        "both, frames wait for a slot",
    ]
    captions, frames = ([float(row[n]) for row in cells] for n in (1, 2))
    assert captions[0] == 0 and min(captions[1:]) > 0
    assert frames[1] == 0 and min(frames[0], frames[2]) > 0
    assert cells[1][3] == "-" and "ms" in cells[0][3]
