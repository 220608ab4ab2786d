"""Tagging: the encoder learns to predict the content words of a photo's captions.

A dense and cheap task that tunes the encoder before any decoder reads it: for each of some
thousand words, which share of the photo's captions use it, by `captioning.votes`. When the encoder
has learnt all it should, the votes alone learn on, for the search.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.encoder import Encoder, Preprocessing
from captioning.votes import GridVotes
from keypoints_captions.photos.reader import read_photo
from train.captioning.augment import random_view
from train.captioning.data import CaptionedPhoto
from train.captioning.features import Features
from train.captioning.run import CaptionRun
from train.captioning.tasks import StageTask, encoder_state
from train.captioning.words.content import stem_shares
from train.picture_effects import colour

_SIDE = 256  # pixels, of the shorter side of the photos in memory


class Tagger(nn.Module):
    """The encoder and its places' votes: (B, 3, H, W) normalised RGB to (B, words) logits."""

    def __init__(self, encoder: Encoder, words: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.votes = GridVotes(words, dropout=0.1)

    def forward(self, images: Tensor) -> Tensor:
        return self.votes(self.encoder(images).flatten(1, 2))


class Tags:
    """Words by their stems, and for each photo the share of its captions that use each.

    stems: the words that the encoder learns, most frequent first.
    """

    def __init__(self, photos: Sequence[CaptionedPhoto], min_photos: int) -> None:
        counts = Counter(stem for photo in photos for stem in stem_shares(photo))
        self.stems = [stem for stem, count in counts.most_common() if count >= min_photos]
        self._place = {stem: place for place, stem in enumerate(self.stems)}

    def targets(self, photo: CaptionedPhoto) -> np.ndarray:
        """(words,) float32, 0..1."""
        shares = np.zeros(len(self.stems), np.float32)
        for stem, share in stem_shares(photo).items():
            if stem in self._place:
                shares[self._place[stem]] = share
        return shares


class TaggingPhotos:
    """Photos decoded once and kept in memory, (H, W, 3) uint8 RGB, with their targets."""

    def __init__(self, photos: Sequence[CaptionedPhoto], tags: Tags) -> None:
        def read(photo: CaptionedPhoto) -> np.ndarray:
            image = read_photo(photo.path)
            scale = _SIDE / min(image.shape[:2])
            if scale >= 1:
                return image
            return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

        self.photos = photos
        with ThreadPoolExecutor(2) as pool:
            self.images = list(pool.map(read, photos))
        self.targets = np.stack([tags.targets(photo) for photo in photos])

    def view(
        self, number: int, preprocessing: Preprocessing, smallest: float, rng: random.Random
    ) -> np.ndarray:
        """A random part of the photo, mirrored half the time, half the time in other colours."""
        flips = self.photos[number].may_flip
        square = random_view(self.images[number], preprocessing, smallest, flips, rng)
        if rng.random() < 0.5:
            square = colour(square, np.random.default_rng(rng.getrandbits(32)))
        return square


class TaggingData:
    """Training and validation data of the tagging; smallest_crop: of each side of a photo."""

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        validation: Mapping[str, Sequence[CaptionedPhoto]],
        min_photos: int,
        smallest_crop: float,
    ) -> None:
        self.tags = Tags(photos, min_photos)
        self.learnt = TaggingPhotos(photos, self.tags)
        self.validation = {name: TaggingPhotos(s, self.tags) for name, s in validation.items()}
        self.smallest_crop = smallest_crop


class TaggingTask(StageTask):
    """A `Tagger` learns the shares; average precision chooses its checkpoint."""

    def __init__(
        self,
        name: str,
        run: CaptionRun,
        batch: int,
        model: Tagger,
        groups: list[dict[str, Any]],
        data: TaggingData,
    ) -> None:
        super().__init__(name, run, batch, model.to(memory_format=torch.channels_last), groups)
        self.data, self.crops = data, Preprocessing(size=run.config.crop_size)

    def load(self, numbers: list[int], rng: random.Random) -> tuple[Tensor, Tensor]:
        photos, smallest = self.data.learnt, self.data.smallest_crop
        squares = np.stack([photos.view(n, self.crops, smallest, rng) for n in numbers])
        return torch.from_numpy(squares), torch.from_numpy(photos.targets[numbers])

    def loss(
        self, model: nn.Module, batch: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        squares, targets = (part.to(self.run.process.device) for part in batch)
        return _cross_entropy(model(self.crops.normalise(squares)), targets), {}

    def validate(self, model: Tagger) -> tuple[float, dict[str, float]]:
        preprocessing, device = self.run.preprocessing, self.run.process.device

        def inputs(photos: TaggingPhotos, part: slice) -> Tensor:
            squares = np.stack([preprocessing.squash(image) for image in photos.images[part]])
            return preprocessing.normalise(torch.from_numpy(squares).to(device))

        return _precisions(model, self.data.validation, inputs, self.run)

    def best(self, model: Tagger) -> dict[str, Any]:
        return encoder_state(model.encoder)


class CachedTags(NamedTuple):
    """Photos whose grids are cached, with their targets, (N, words) float32."""

    photos: Sequence[CaptionedPhoto]
    targets: np.ndarray


class VotesTask(StageTask):
    """`GridVotes` learn the shares from cached grids; average precision chooses the checkpoint."""

    def __init__(
        self, name: str, run: CaptionRun, batch: int, model: GridVotes,
        groups: list[dict[str, Any]], features: Features, tags: Tags,
    ) -> None:  # fmt: skip
        super().__init__(name, run, batch, model, groups)
        self.features, self.tags = features, tags

        def cached(photos: Sequence[CaptionedPhoto]) -> CachedTags:
            return CachedTags(photos, np.stack([tags.targets(photo) for photo in photos]))

        self.learnt = cached(run.photos)
        self.validation = {name: cached(photos) for name, photos in run.validation.items()}

    def load(self, numbers: list[int], rng: random.Random) -> tuple[Tensor, Tensor]:
        rows = self.features.rows([self.run.photos[number] for number in numbers], rng)
        return self.features.read(rows), torch.from_numpy(self.learnt.targets[numbers])

    def loss(
        self, model: nn.Module, batch: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        grids, targets = (part.to(self.run.process.device) for part in batch)
        return _cross_entropy(model(grids.float()), targets), {}

    def validate(self, model: GridVotes) -> tuple[float, dict[str, float]]:
        def inputs(photos: CachedTags, part: slice) -> Tensor:
            grids = self.features.read(self.features.rows(photos.photos[part], None))
            return grids.to(self.run.process.device).float()

        return _precisions(model, self.validation, inputs, self.run)

    def best(self, model: GridVotes) -> dict[str, Any]:
        usual = torch.from_numpy(self.learnt.targets.mean(0)).clamp(1e-4, 1 - 1e-4).logit()
        return {"votes": model.state_dict(), "stems": self.tags.stems, "usual": usual}


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over photos of the sum over words; both (B, words)."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1).mean()


_Photos = TypeVar("_Photos", TaggingPhotos, CachedTags)


@torch.inference_mode()
def _precisions(
    model: nn.Module,
    sets: Mapping[str, _Photos],
    inputs: Callable[[_Photos, slice], Tensor],
    run: CaptionRun,
) -> tuple[float, dict[str, float]]:
    """The mean over sets, and of each set, in %, the mean over photos of the average precision of
    the words, ranked by the model, that three or more captions use."""
    model.eval()
    scores = {}
    for name, photos in sets.items():
        precisions = []
        for start in range(0, len(photos.targets), 50):
            part = slice(start, start + 50)
            with torch.autocast(
                run.process.device.type, torch.bfloat16, enabled=run.config.bfloat16
            ):
                order = model(inputs(photos, part)).argsort(1, descending=True).cpu().numpy()
            for targets, ranked in zip(photos.targets[part], order, strict=True):
                places = np.flatnonzero(targets[ranked] >= 0.55)
                if len(places):
                    precisions.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
        scores[name] = 100 * float(np.mean(precisions))
    return sum(scores.values()) / len(scores), scores
