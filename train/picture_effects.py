"""Image effects for augmentation: blur, noise, light, compression.

Each takes a square (S, S, 3) uint8 RGB picture and a random generator, and returns another one.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

Rng = np.random.Generator
Effect = Callable[[np.ndarray, Rng], np.ndarray]


def applied(effects: Sequence[tuple[float, Effect]], view: np.ndarray, rng: Rng) -> np.ndarray:
    """The picture after those of the effects that their chances, 0..1, let happen."""
    for chance, effect in effects:
        if rng.random() < chance:
            view = effect(view, rng)
    return view


def colour(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Gamma, contrast, brightness and white balance, through one look-up table."""
    ramp = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.25))
    ramp = (ramp - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5 + rng.normal(0, 0.08)
    table = ramp * np.exp(rng.normal(0, 0.07, (1, 3))) * 255
    return cv2.LUT(view, np.clip(table, 0, 255).astype(np.uint8)[None])


def saturation(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Paler, stronger or no colour."""
    grey = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    keep = 0.0 if rng.random() < 0.35 else rng.uniform(0.2, 1.6)
    return cv2.addWeighted(view, keep, grey, 1 - keep, 0)


def shadow(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Light from one side."""
    size = view.shape[0]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
    slope = np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]
    gain = 1 + strength * np.clip(slope * rng.uniform(0.7, 3), -1, 0.4)
    return np.clip(view * gain[:, :, None], 0, 255).astype(np.uint8)


def blur(view: np.ndarray, rng: Rng, most: float = 2.2) -> np.ndarray:
    """Out of focus by up to `most` pixels (sigma), or moved."""
    if rng.random() < 0.6:
        return cv2.GaussianBlur(view, (0, 0), rng.uniform(min(0.4, most), most))
    length = int(rng.integers(3, max(4, round(4.5 * most))))  # motion
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, rng.uniform(0, 180), 1)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(view, -1, turned / max(turned.sum(), 1e-6))


def low_resolution(view: np.ndarray, rng: Rng, most: float = 5.0) -> np.ndarray:
    """Shrunk up to `most` times and enlarged again."""
    size = view.shape[0]
    small = int(size / rng.uniform(min(1.5, most), most))
    shrunk = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
    grow = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(shrunk, (size, size), interpolation=grow)


def noise(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Grain, as of a sensor in little light."""
    grain = rng.standard_normal(view.shape, np.float32) * rng.uniform(2, 16)
    return np.clip(view + grain, 0, 255).astype(np.uint8)


def compression(view: np.ndarray, rng: Rng) -> np.ndarray:
    """JPEG of low quality."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
    decoded = cv2.imdecode(cv2.imencode(".jpg", view, quality)[1], cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line ago
    return decoded


def video_frame(view: np.ndarray, rng: Rng, least: int = 32, most: int = 80) -> np.ndarray:
    """A small face in a compressed video: out of focus or moved, shrunk to `least` to `most`
    pixels, now and then dark and grainy, compressed at that size, and enlarged again.
    """
    size = view.shape[0]
    small = int(rng.integers(min(least, size), min(most, size) + 1))
    if rng.random() < 0.5:
        view = blur(view, rng)
    view = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        dark = np.clip(view * rng.uniform(0.25, 0.7), 0, 255).astype(np.uint8)
        view = noise(dark, rng)
    view = compression(view, rng)
    grow = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(view, (size, size), interpolation=grow)
