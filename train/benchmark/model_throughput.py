"""Throughput of the models alone, the reference for the page's throughput."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from captioning.options import SearchOptions
from web.captions.batches import BATCH


class Throughput(NamedTuple):
    """Photos a second, from the file to the answer, on all cores.

    captions, keypoints: one photo after the other. batched: captions, `BATCH` photos at once.
    """

    captions: float
    batched: float
    keypoints: float


def measure_throughput(photos: Sequence[Path], seconds: float) -> Throughput:
    """Runs each model for so long, in a process of its own, which leaves nothing behind."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure, (list(photos), seconds))


def _measure(photos: list[Path], seconds: float) -> Throughput:
    from captioning import Captioner
    from facial_keypoints import FacialKeypoints
    from keypoints_captions.photos.reader import read_photo

    captioner, find_faces = Captioner.load(), FacialKeypoints.load()
    read, options = captioner.preprocessing.read, SearchOptions()

    def captions(batch: list[Path]) -> None:
        captioner.caption(captioner.look_at([read(photo) for photo in batch]), options)

    def keypoints(batch: list[Path]) -> None:
        find_faces(read_photo(batch[0]))

    return Throughput(
        _rate(captions, photos, 1, seconds),
        _rate(captions, photos, BATCH, seconds),
        _rate(keypoints, photos, 1, seconds),
    )


def _rate(
    work: Callable[[list[Path]], None], photos: list[Path], batch: int, seconds: float
) -> float:
    """Photos a second; the first batch does not count."""
    done, start = -batch, time.perf_counter()
    while done <= 0 or time.perf_counter() < start + seconds:
        first = (done + batch) % len(photos)
        work([photos[(first + place) % len(photos)] for place in range(batch)])
        done += batch
        if done == 0:
            start = time.perf_counter()
    return done / (time.perf_counter() - start)
