"""Contact sheets of photos with text below them, for checking by eye."""

import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from captioning.engine.preprocessing import Preprocessing
from train.captioning.augment import augmented_square
from train.captioning.data import CaptionedPhoto, photo_square

_LETTERS = 36  # a line, at the font's size below a photo of 224 pixels
_LINE = 15  # pixels


@dataclass(frozen=True)
class Cell:
    """A photo, (S, S, 3) uint8 RGB, and what is written below it, paragraph by paragraph."""

    square: np.ndarray
    paragraphs: tuple[str, ...]


def write_sheet(cells: Sequence[Cell], columns: int, path: Path) -> None:
    """Writes the cells in rows as one picture; the format follows the path's suffix."""
    size, gap = cells[0].square.shape[0], 8
    texts = [
        [line for text in cell.paragraphs for line in textwrap.wrap(text, _LETTERS)]
        for cell in cells
    ]
    height = size + _LINE * max(len(lines) for lines in texts) + 2 * gap
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * (size + gap) + gap, rows * height + gap), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (cell, lines) in enumerate(zip(cells, texts, strict=True)):
        left, top = gap + number % columns * (size + gap), gap + number // columns * height
        sheet.paste(Image.fromarray(cell.square), (left, top))
        for place, line in enumerate(lines):
            draw.text((left, top + size + 2 + _LINE * place), line, "black", font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def write_training_sheet(
    photos: Sequence[CaptionedPhoto], preprocessing: Preprocessing, path: Path, seed: int
) -> None:
    """Twelve photos as the encoder sees them, each beside two augmented views of it, with the
    captions: whether photos and captions belong together, and what augmentation leaves."""
    rng = random.Random(seed)
    cells = []
    for photo in rng.sample(list(photos), min(12, len(photos))):
        cells.append(Cell(photo_square(photo, preprocessing), photo.captions))
        for _ in range(2):
            flips = "may be mirrored" if photo.may_flip else "never mirrored"
            view = augmented_square(photo, preprocessing, rng)
            cells.append(Cell(view, (f"augmented, {flips}",)))
    write_sheet(cells, 6, path)
    print(f"wrote {path}")
