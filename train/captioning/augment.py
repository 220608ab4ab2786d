"""Augmentation for the captioner: random crops and mirror images of photos."""

import random

import numpy as np

from captioning.engine.preprocessing import Preprocessing
from train.captioning.data import CaptionedPhoto
from train.photos import read_photo


def augmented_square(
    photo: CaptionedPhoto, preprocessing: Preprocessing, rng: random.Random
) -> np.ndarray:
    """As `photo_square`, of a `random_view` of the photo.

    The crop keeps at least 80 % of each side, so that what the captions speak of stays in.
    """
    image = read_photo(photo.path, max_side=preprocessing.read_side)
    return random_view(image, preprocessing, 0.8, photo.may_flip, rng)


def random_view(
    image: np.ndarray,
    preprocessing: Preprocessing,
    smallest: float,
    flips: bool,
    rng: random.Random,
) -> np.ndarray:
    """(size, size, 3) uint8 RGB of a random crop, mirrored half the time where that may be.

    image: (H, W, 3) uint8 RGB. smallest: share of each side that the crop keeps at least.
    """
    height, width = image.shape[:2]
    crop_width, crop_height = (
        max(1, round(side * rng.uniform(smallest, 1))) for side in (width, height)
    )
    left, top = rng.randint(0, width - crop_width), rng.randint(0, height - crop_height)
    flip = rng.random() < 0.5 and flips
    square = preprocessing.squash(image[top : top + crop_height, left : left + crop_width])
    return np.ascontiguousarray(square[:, ::-1] if flip else square)
