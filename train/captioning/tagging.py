"""Tagging: the encoder learns to predict the content words of a photo's captions.

A dense and cheap task that tunes the encoder before any decoder reads it: for each of some
thousand words, which share of the photo's captions use it. Each place of the encoder's grid votes
for each word, and a word's votes are averaged with weights that favour the strongest places
(class-specific residual attention, Zhu and Wu, ICCV 2021).
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.encoder import GRID_CHANNELS, Encoder, Preprocessing
from keypoints_captions.photos.reader import read_photo
from train.captioning.augment import random_view
from train.captioning.data import CaptionedPhoto
from train.captioning.run import CaptionRun
from train.captioning.tasks import StageTask, encoder_state
from train.captioning.words.content import stem_shares
from train.picture_effects import colour

_ATTENTION = 0.3  # weight of the strongest places' votes beside the mean of all
_SIDE = 256  # pixels, of the shorter side of the photos in memory


class Tagger(nn.Module):
    """The encoder and its places' votes: (B, 3, H, W) normalised RGB to (B, words) logits."""

    def __init__(self, encoder: Encoder, words: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.votes = nn.Linear(GRID_CHANNELS, words)
        nn.init.normal_(self.votes.weight, std=0.005)
        nn.init.constant_(self.votes.bias, -3.5)

    def forward(self, images: Tensor) -> Tensor:
        grid = self.encoder(images).flatten(1, 2)
        votes = self.votes(F.dropout(grid, 0.1, self.training)).float()
        strongest = (votes.softmax(1) * votes).sum(1)
        return (1 - _ATTENTION) * votes.mean(1) + _ATTENTION * strongest


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
        logits = model(self.crops.normalise(squares))
        loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return loss.sum(1).mean(), {}

    def validate(self, model: Tagger) -> tuple[float, dict[str, float]]:
        scores = {
            name: self._average_precision(model, photos)
            for name, photos in self.data.validation.items()
        }
        return sum(scores.values()) / len(scores), scores

    @torch.inference_mode()
    def _average_precision(self, model: Tagger, photos: TaggingPhotos) -> float:
        """In %: the mean over photos of the average precision of the words, ranked by the model,
        that three or more captions use."""
        model.eval()
        preprocessing, device = self.run.preprocessing, self.run.process.device
        precisions = []
        for start in range(0, len(photos.images), 50):
            images = photos.images[start : start + 50]
            squares = np.stack([preprocessing.squash(image) for image in images])
            inputs = preprocessing.normalise(torch.from_numpy(squares).to(device))
            with torch.autocast(device.type, torch.bfloat16, enabled=self.run.config.bfloat16):
                order = model(inputs).argsort(1, descending=True).cpu().numpy()
            for targets, ranked in zip(photos.targets[start : start + 50], order, strict=True):
                places = np.flatnonzero(targets[ranked] >= 0.55)
                if len(places):
                    precisions.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
        return 100 * float(np.mean(precisions))

    def best(self, model: Tagger) -> dict[str, Any]:
        votes = {"votes": model.votes.state_dict(), "stems": self.data.tags.stems}
        return encoder_state(model.encoder) | votes
