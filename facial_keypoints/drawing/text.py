"""Small anti-aliased text on pictures, in Pillow's built-in typeface (Aileron, CC0)."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WHITE = (255, 255, 255)
DARK = (16, 16, 16)


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height in pixels that `draw_text` covers, outline included."""
    height, width = _masks(text, size)[0].shape
    return width, height


def draw_text(
    canvas: np.ndarray,
    text: str,
    corner: tuple[float, float],
    size: int,
    colour: tuple[int, int, int] = WHITE,
    outline: tuple[int, int, int] | None = DARK,
) -> None:
    """Writes onto a picture in place; what would lie over its border is cut off.

    Args:
        canvas: (H, W, 3) uint8 RGB, changed.
        corner: x and y of the text's top left corner, rounded to whole pixels.
        size: type size in pixels, 1 or more.
        colour: RGB of the letters.
        outline: RGB of the line around the letters that sets them off, or None for none.
    """
    letters, around = _masks(text, size)
    x, y = (round(float(value)) for value in corner)
    if outline is not None:
        _blend(canvas, around, x, y, outline)
    _blend(canvas, letters, x, y, colour)


@lru_cache(maxsize=256)
def _masks(text: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coverage of the letters, and of the letters with their outline: two (h, w) uint8 arrays."""
    font = ImageFont.load_default(size)
    stroke = max(1, round(size / 8))
    left, top, right, bottom = font.getbbox(text, stroke_width=stroke)
    box = (int(np.ceil(right - left)), int(np.ceil(bottom - top)))
    masks = []
    for width in (0, stroke):
        mask = Image.new("L", box)
        ImageDraw.Draw(mask).text((-left, -top), text, 255, font, stroke_width=width)
        masks.append(np.asarray(mask))
    return masks[0], masks[1]


def _blend(
    canvas: np.ndarray, mask: np.ndarray, x: int, y: int, colour: tuple[int, int, int]
) -> None:
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + mask.shape[1], canvas.shape[1]), min(y + mask.shape[0], canvas.shape[0])
    if left >= right or top >= bottom:
        return
    alpha = mask[top - y : bottom - y, left - x : right - x, None].astype(np.float32) / 255
    part = canvas[top:bottom, left:right]
    part[:] = np.rint(part + (np.array(colour, np.float32) - part) * alpha).astype(np.uint8)
