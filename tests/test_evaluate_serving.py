"""The figures under load: their arithmetic, and a small load on the real page."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from keypoints_captions.photos.reader import read_photo
from train.benchmark.load_clients import Load, Tally, make_photos, never_seen, run_clients
from train.benchmark.model_throughput import Throughput
from train.benchmark.serving import TABS, Server, print_figures, single_rate, watched
from train.figures import Report


@pytest.fixture(scope="module")
def photos(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_photos(sorted(examples.glob("*.jpg")), tmp_path_factory.mktemp("photos"), 4)


def test_photos_differ_and_are_never_the_same_file_twice(photos: list[Path]) -> None:
    assert len({photo.read_bytes() for photo in photos}) == len(photos)
    assert all(640 <= read_photo(photo).shape[1] <= 1280 for photo in photos)
    jpeg = photos[0].read_bytes()
    first, second = never_seen(jpeg), never_seen(jpeg)
    assert first != second
    assert np.array_equal(read_photo(first), read_photo(photos[0]))


def test_both_tabs_are_served_to_several_clients(app_address: str, photos: list[Path]) -> None:
    load = Load(app_address, 3, 1.0, TABS["mixed"], tuple(photos), uploads=True)
    tally = run_clients(load)
    assert not tally.errors and not tally.busy
    assert len(tally.latencies) >= load.clients  # each of them, at least once
    assert all(0 < latency <= tally.seconds for latency in tally.latencies)
    assert tally.cpu_seconds > 0


def test_errors_are_counted_by_their_message(app_address: str, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("only text")
    tally = run_clients(Load(app_address, 1, 0.5, TABS["captions"], (text,), uploads=False))
    assert not tally.latencies
    ((message, count),) = tally.errors.items()
    assert "The file is text" in message and count >= 1


def test_the_page_s_process_is_watched() -> None:
    with watched(os.getpid()) as server:
        sum(number * number for number in range(2_000_000))
    assert server.memory[0] > 10 and server.cpu_seconds > 0


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    load = Load("", 2, 10.0, TABS["mixed"], (), uploads=True)
    tally = Tally([1.0] * 19 + [3.0], 2, Counter({"ValueError: no": 1}), 10.0, 2.0)
    alone = Throughput(captions=6.0, batched=12.0, keypoints=3.0)
    print_figures(Report(), load, tally, Server([100.0, 180.0, 150.0], 5.0), alone)
    table = capsys.readouterr().out
    assert "| answered | 20, 2.00 a second |" in table
    assert "| told that the page is busy | 2 |" in table and "| errors | 1 |" in table
    assert "1.00 s, 1.10 s, 2.62 s" in table
    assert single_rate(load.tabs, alone) == pytest.approx(4.0)
    assert "one photo after the other | 50 % |" in table
    assert "100, 180, 180, 150 MiB" in table
    assert "| 50 %, 20 % |" in table
