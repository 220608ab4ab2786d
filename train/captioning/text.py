"""Captions without photos, from which the decoder learns language.

The decoder reads such captions beside a collage: a grid whose places come from training photos
that show the captions' content words.
"""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.captioning.data import CaptionedPhoto, captioned
from train.captioning.features import Features
from train.captioning.words.content import stem_shares

_MIN_PHOTOS = 5  # training photos that show a word, before collages show it
_SHOWN = 0.4  # share of a photo's captions that use a word, from which the photo shows it
_PLACES = 8  # of a photo that show a word best
_MOST_WORDS = 10  # in a collage
_CHUNK = 128  # photos compared at once


def load_text(path: str) -> list[CaptionedPhoto]:
    """Reads `{photo: [caption, …]}`, a JSON file, gzipped where its name ends in .gz.

    The result's paths are the photos' names only.
    Raises FileNotFoundError where there is no such file.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file of captions")
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        texts = json.load(lines)
    found = (captioned(Path(name), captions) for name, captions in texts.items())
    return [photo for photo in found if photo.words]


class Collages:
    """Draws grids that show the content words of captions without photos.

    The places of a training photo that show a word best are those whose features lie furthest in
    the direction from the mean of all photos to the mean of those that show it.

    features: of the training photos, of which the first view is read.
    """

    def __init__(
        self,
        features: Features,
        photos: Sequence[CaptionedPhoto],
        texts: Sequence[CaptionedPhoto],
    ) -> None:
        self.features = features
        self.words = [stem_shares(text) for text in texts]
        shown = [
            [stem for stem, share in stem_shares(photo).items() if share >= _SHOWN]
            for photo in photos
        ]
        self.places = _best_places(features, photos, shown)

    def draw(self, texts: Sequence[int], rng: random.Random) -> Tensor:
        """(B, P, 2048) float16: a collage for each of the texts with these numbers."""
        return self.features.read_places(np.stack([self._collage(text, rng) for text in texts]))

    def _collage(self, text: int, rng: random.Random) -> np.ndarray:
        """(P, 2) int64: a row of the cache and a place of its grid, for each place."""
        count = self.features.grids.shape[1]
        known = {stem: share for stem, share in self.words[text].items() if stem in self.places}
        said = [stem for stem, share in known.items() if rng.random() < 0.4 + 0.6 * share]
        rng.shuffle(said)
        said = said[:_MOST_WORDS]
        drawn = []
        for stem in said:
            row, best = rng.choice(self.places[stem])
            drawn += [(row, place) for place in best[: count // len(said)]]
        rows = [row for row, _ in drawn] or [rng.randrange(len(self.features.grids))]
        rng.shuffle(drawn)
        while len(drawn) < count:  # the rest comes from elsewhere in the same photos
            drawn.append((rng.choice(rows), rng.randrange(count)))
        return np.array(drawn, np.int64)


def _best_places(
    features: Features, photos: Sequence[CaptionedPhoto], shown: Sequence[Sequence[str]]
) -> dict[str, list[tuple[int, tuple[int, ...]]]]:
    """For each word: rows of photos that show it, and the places there that show it best."""
    rows, pooled = features.rows(photos, None), features.pooled(photos)
    photos_of: dict[str, list[int]] = defaultdict(list)
    for photo, stems in enumerate(shown):
        for stem in stems:
            photos_of[stem].append(photo)
    known = {stem: found for stem, found in photos_of.items() if len(found) >= _MIN_PHOTOS}
    column = {stem: place for place, stem in enumerate(known)}
    middle = pooled.mean(0)
    directions = np.stack([pooled[found].mean(0) - middle for found in known.values()], 1)
    directions /= np.linalg.norm(directions, axis=0).clip(1e-6)
    ways = torch.from_numpy(directions)
    places: dict[str, list[tuple[int, tuple[int, ...]]]] = {stem: [] for stem in known}
    for start in range(0, len(rows), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        grids = features.read(rows[chunk]).float()
        for grid, row, stems in zip(grids, rows[chunk], shown[chunk], strict=True):
            mine = [stem for stem in stems if stem in column]
            if mine:
                scores = grid @ ways[:, [column[stem] for stem in mine]]
                best = scores.topk(min(_PLACES, len(scores)), dim=0).indices.T.tolist()
                for stem, found in zip(mine, best, strict=True):
                    places[stem].append((int(row), tuple(found)))
    return places
