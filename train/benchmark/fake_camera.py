"""A fake camera for Chromium: a face that moves along a known path.

Every frame carries its number as a row of black and white squares, so that a test can tell which
frame of the path the page shows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from train.benchmark.moving_face import FRAME_SIZE, NOISE, Place, render

RATE = 30  # frames a second
BITS, SQUARE = 10, 16  # of the number; pixels a side of a square at the frame's bottom left
SPARE = 64  # pixels by which the picture of noise is larger than a frame


@dataclass(frozen=True)
class Route:
    """Rest at the start, steady motion to the end, rest there, a quicker way back; seconds."""

    start: Place
    end: Place
    rest: float = 1.5
    there: float = 2.0
    back: float = 1.0

    @property
    def frames(self) -> int:
        """Frames until it begins anew."""
        return round(RATE * (2 * self.rest + self.there + self.back))

    def place(self, index: int) -> Place:
        """Position of the face in a frame."""
        turns = np.cumsum([0.0, self.rest, self.there, self.rest, self.back]) * RATE
        share = float(np.interp(index, turns, [0.0, 0.0, 1.0, 1.0, 0.0]))
        one, other = self.start, self.end
        return Place(
            *(
                float(a + share * (b - a))
                for a, b in zip(
                    (one.x, one.y, one.size, one.roll),
                    (other.x, other.y, other.size, other.roll),
                    strict=True,
                )
            )
        )

    def resting(self, index: int, settled: float = 0.8) -> bool:
        """Whether the face has not moved for `settled` seconds, nor moves in this frame."""
        before = [self.place((index - i) % self.frames) for i in range(round(settled * RATE))]
        return all(place == before[0] for place in before)


#: To the right by three eye distances in two seconds, and a little down and tilted.
ROUTE = Route(Place(220, 230, 110), Place(430, 250, 110, 6))


def film(path: Route, every: int = 1) -> Iterator[np.ndarray]:
    """The frames of the path, (480, 640, 3) uint8 RGB, with a camera's noise and their numbers.

    every: 3 gives each third frame alone.
    """
    render_at = lru_cache(maxsize=1)(lambda place: render([place]))  # often the face rests
    rng, (width, height) = np.random.default_rng(0), FRAME_SIZE
    # Each frame takes its noise from another place of one large picture of noise.
    noise = NOISE * rng.standard_normal((height + SPARE, width + SPARE, 3), np.float32)
    for index in range(0, path.frames, every):
        x, y = rng.integers(SPARE, size=2)
        grain = np.ascontiguousarray(noise[y : y + height, x : x + width])
        frame = cv2.add(render_at(path.place(index)), grain, dtype=cv2.CV_8U)
        for bit in range(BITS):
            left = bit * SQUARE
            frame[-SQUARE:, left : left + SQUARE] = 255 if index >> bit & 1 else 0
        yield frame


def write_y4m(path: Path, frames: Iterable[np.ndarray], rate: int = RATE) -> Path:
    """Frames, (H, W, 3) uint8 RGB with even sides, as the file that Chromium takes for a camera
    and plays again and again, `rate` of them a second."""
    width, height = FRAME_SIZE
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def camera_arguments(video: Path) -> list[str]:
    """Chromium's arguments for a camera that shows the video. Without a window, Chromium lends it
    to every page unasked."""
    return ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]


#: JavaScript that looks at what a page shows, and its argument but for `count`, a number of frames.
WATCH = (Path(__file__).parent / "watch.js").read_text()
WATCH_FOR = {"bits": BITS, "square": SQUARE}


def lag(seen: list[list[float | None]], path: Route) -> float:
    """Milliseconds by which what is drawn trails the face on its steady way to the path's end.

    seen: [number of the frame, x, y] of what was drawn over each frame; None where nothing was.
    """
    known = np.array([entry for entry in seen if None not in entry], float)
    numbers = known[:, 0].astype(int)
    off = known[:, 1] - [path.place(number).x for number in numbers]
    offset = np.median(off[[path.resting(number) for number in numbers]])
    share = (numbers / RATE - path.rest) / path.there
    speed = (path.end.x - path.start.x) / path.there  # pixels a second
    return float(-1000 * np.median((off - offset)[(share > 0.4) & (share < 0.95)]) / speed)
