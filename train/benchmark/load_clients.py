"""Clients of the page's API for load tests, each in a thread of one process."""

import multiprocessing
import os
import random
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradio_client import Client, handle_file
from gradio_client.utils import QueueError

ENDPOINTS = {"captions": "/caption", "keypoints": "/keypoints"}
BUSY_PAUSE = 1.0  # seconds that a client waits who was told that the page is busy


@dataclass(frozen=True)
class Load:
    """A load test: clients, duration, endpoints, photos.

    tabs: keys of `ENDPOINTS`, asked in turn. uploads: whether each request sends a photo that the
    server has not seen; each client sends its own again and again otherwise.
    """

    address: str
    clients: int
    seconds: float
    tabs: tuple[str, ...]
    photos: tuple[Path, ...]
    uploads: bool


@dataclass
class Tally:
    """Results of a load test.

    latencies: seconds of each answered request. busy: requests told that the page is busy.
    errors: by message. seconds: from the first request to the last answer. cpu_seconds: what the
    clients took themselves.
    """

    latencies: list[float] = field(default_factory=list)
    busy: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def run_clients(load: Load) -> Tally:
    """Runs them in a process of its own, so that what they take can be told apart."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_run, (load,))


def _run(load: Load) -> Tally:
    # Without `ssl_verify=False` each request would read the system's certificates, which an http
    # address has no use for: a tenth of a second of CPU.
    clients = [
        Client(load.address, verbose=False, analytics_enabled=False, ssl_verify=False)
        for _ in range(load.clients)
    ]
    tally, lock = Tally(), threading.Lock()
    start, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        threads = [
            threading.Thread(
                target=_visit, args=(client, number, load, start, tally, lock, Path(folder))
            )
            for number, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tally.seconds = time.perf_counter() - start
    tally.cpu_seconds = time.process_time() - cpu
    return tally


def _visit(
    client: Client,
    number: int,
    load: Load,
    start: float,
    tally: Tally,
    lock: threading.Lock,
    folder: Path,
) -> None:
    """One visitor, who asks again as soon as there is an answer."""
    own, asked = load.photos[number % len(load.photos)], number
    while time.perf_counter() < start + load.seconds:
        photo = own
        if load.uploads:
            photo = folder / f"{number}.jpg"
            photo.write_bytes(never_seen(load.photos[asked % len(load.photos)].read_bytes()))
        endpoint = ENDPOINTS[load.tabs[asked % len(load.tabs)]]
        asked += 1
        since = time.perf_counter()
        try:
            record = client.predict(photo=handle_file(str(photo)), api_name=endpoint)
            if not {"captions", "faces"} & set(record):
                raise ValueError(f"no answer of {endpoint}: {record!r:.100}")
        except QueueError:
            with lock:
                tally.busy += 1
            time.sleep(BUSY_PAUSE)
        except Exception as error:
            with lock:
                tally.errors[f"{type(error).__name__}: {error}"[:200]] += 1
        else:
            with lock:
                tally.latencies.append(time.perf_counter() - since)


def never_seen(jpeg: bytes) -> bytes:
    """The same photo as another file: with a random comment behind its first marker."""
    comment = os.urandom(16)
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]


def make_photos(examples: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """So many different photos: random cuts of the examples, 640 to 1280 pixels wide, as JPEGs."""
    import cv2

    from keypoints_captions.photos.jpeg import encode_jpeg
    from keypoints_captions.photos.reader import read_photo

    chance, made = random.Random(0), []
    images = [read_photo(example) for example in examples]
    for number in range(count):
        image = images[number % len(images)]
        height, width = image.shape[:2]
        share = chance.uniform(0.7, 1.0)
        top, left = (int(chance.uniform(0, 1 - share) * side) for side in (height, width))
        cut = image[top : top + int(share * height), left : left + int(share * width)]
        wide = chance.randint(640, 1280)
        tall = round(wide * cut.shape[0] / cut.shape[1])
        path = folder / f"photo{number}.jpg"
        path.write_bytes(encode_jpeg(cv2.resize(cut, (wide, tall)), 88))
        made.append(path)
    return made
