"""Captions of whole sets of photos, and their scores."""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from captioning.caption import Caption
from captioning.captioner import Captioner
from captioning.engine.speaker import Photos
from captioning.options import SearchOptions
from train.captioning.data import CaptionedPhoto, photo_square
from train.captioning.metrics import Scores, score_captions
from train.captioning.words.figures import Told
from train.engine.batches import prefetch

VALIDATION = ("coco_val", "flickr8k_val")
TRAINING = ("coco_train", "flickr8k_train")
_BATCH = 32


def score(photos: Sequence[CaptionedPhoto], captions: Sequence[str]) -> Scores:
    return score_captions([photo.captions for photo in photos], captions)


def look(captioner: Captioner, photos: Sequence[CaptionedPhoto]) -> tuple[list[Photos], float]:
    """The photos encoded, in batches, and the seconds it took without reading the files."""
    seen, seconds = [], 0.0
    for squares in squares_of(captioner, photos):
        since = time.perf_counter()
        seen.append(captioner.look_at(squares))
        seconds += time.perf_counter() - since
    return seen, seconds


def say(
    captioner: Captioner, seen: Sequence[Photos], search: SearchOptions
) -> tuple[list[Caption], float]:
    """The best caption of each photo, and the seconds it took."""
    since = time.perf_counter()
    captions = [found[0] for batch in seen for found in captioner.caption(batch, search)]
    return captions, time.perf_counter() - since


def told(captions: Sequence[Caption]) -> list[Told]:
    """The captions with the chances stated under their words, the model's own where the weights
    have no calibration."""
    return [
        Told(
            [word.word for word in caption.words],
            [w.probability if w.confidence is None else w.confidence for w in caption.words],
        )
        for caption in captions
    ]


def squares_of(
    captioner: Captioner, photos: Sequence[CaptionedPhoto]
) -> Iterator[list[np.ndarray]]:
    """The photos as the encoder reads them, in batches."""

    def load(start: int) -> list[np.ndarray]:
        return [
            photo_square(photo, captioner.preprocessing) for photo in photos[start : start + _BATCH]
        ]

    return prefetch(range(0, len(photos), _BATCH), load, 2, 2)
