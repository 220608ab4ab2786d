"""Serves the browser's pipeline: its modules, pictures as bytes, and Python's own networks.

For tests and measurements, on the loopback address.
"""

import functools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np

from facial_keypoints.constants import pipeline_constants
from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.pipeline import FacialKeypoints

ROOT = Path(__file__).resolve().parents[3]
#: Of what every page of this server may load: path -> folder.
FOLDERS = {
    "/device/": ROOT / "assets/device",
    "/models/": ROOT / "weights",
    "/page/": ROOT / "train/benchmark/device",
}
BLANK = b"<!doctype html><title>Pipeline</title>"


@dataclass
class Shelf:
    """What the server hands out. pipeline: whose networks answer. pictures: name -> (H, W, 3) uint8
    RGB. folders: path on the server -> folder on the disk, besides `FOLDERS`."""

    pipeline: FacialKeypoints
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)


@contextmanager
def serving(shelf: Shelf) -> Iterator[str]:
    """The address of a server that runs until the end of the `with`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, shelf))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, shelf: Shelf, *args: object):
        self.shelf = shelf
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        """Modules and models from folders, pictures, constants, and a blank page."""
        path = urlsplit(self.path).path
        if path == "/":
            self._answer(BLANK, "text/html")
        elif path == "/constants.json":
            self._answer(json.dumps(pipeline_constants()).encode(), "application/json")
        elif path.startswith("/pictures/"):
            picture = self.shelf.pictures[path.removeprefix("/pictures/")]
            height, width = picture.shape[:2]
            alpha = np.full((height, width, 1), 255, np.uint8)
            data = np.concatenate([picture, alpha], axis=2).tobytes()
            self._answer(data, "application/octet-stream", {"X-Size": f"{width}x{height}"})
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """As the base class, in the shelf's folders."""
        path = urlsplit(path).path
        for prefix, folder in {**FOLDERS, **self.shelf.folders}.items():
            if path.startswith(prefix) and ".." not in path:
                return str(folder / path.removeprefix(prefix))
        return str(ROOT / "no such file")

    def do_POST(self) -> None:
        """What the networks make of a canvas or of crops: float32 values."""
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        numbers = {name: int(value[0]) for name, value in parse_qs(parts.query).items()}
        pixels = np.frombuffer(body, np.uint8).copy()
        if parts.path == "/networks/detect":
            values = self._detect(pixels.reshape(1, numbers["height"], numbers["width"], 3))
        else:
            size = self.shelf.pipeline.predictor.input_size
            values = self._read(pixels.reshape(numbers["count"], size, size, 3))
        self._answer(values.astype(np.float32).tobytes(), "application/octet-stream")

    def _detect(self, canvas: np.ndarray) -> np.ndarray:
        detector = self.shelf.pipeline.detector
        assert isinstance(detector, CnnDetector)
        cells = detector.engine(canvases=canvas)
        return np.concatenate([cells[name].ravel() for name in ("score", "box", "points")])

    def _read(self, crops: np.ndarray) -> np.ndarray:
        points, log_scale, score = self.shelf.pipeline.predictor.run_network(crops)
        rows = [points.reshape(len(crops), -1), log_scale, np.reshape(score, (-1, 1))]
        return np.concatenate(rows, axis=1)

    def _answer(self, data: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
