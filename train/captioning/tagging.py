"""Tagging: the encoder learns to predict the content words of a photo's captions.

A dense and cheap task that tunes the encoder: for each of some thousand words, which share of the
photo's captions use it, by `captioning.votes`. A decoder can learn the captions beside it. When the
encoder has learnt all it should, the votes alone learn on, for the search.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.decoder import Decoder
from captioning.encoder import Encoder
from captioning.engine.preprocessing import Preprocessing
from captioning.vocabulary import PAD
from captioning.votes import GridVotes
from train.captioning.data import CaptionedPhoto, CaptionRows
from train.captioning.features import Features
from train.captioning.objectives import CaptionModel, Validation, word_loss
from train.captioning.run import CaptionRun
from train.captioning.squares import Squares, random_views
from train.captioning.tasks import StageTask, encoder_state
from train.captioning.words.content import stem_shares
from train.engine.options import UsageError


class Tagger(nn.Module):
    """The encoder and its places' votes, and a decoder that may learn beside them."""

    def __init__(self, encoder: Encoder, words: int, decoder: Decoder | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.votes = GridVotes(words, dropout=0.1)
        self.decoder = decoder

    def forward(
        self, images: Tensor, words: Tensor | None = None, where: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(B, 3, H, W) normalised RGB to (B, words) logits of the votes, and the decoder's, see
        `Decoder.forward`, of the captions (B, K, T) where there are any."""
        grid = self.encoder(images).flatten(1, 2)
        if self.decoder is None or words is None:
            return self.votes(grid), None
        return self.votes(grid), self.decoder(self.decoder.read(grid), words, where)


class Tags:
    """Words by their stems, and for each photo the share of its captions that use each.

    stems: the words that the encoder learns, most frequent first.
    Raises UsageError where no word is on so many photos.
    """

    def __init__(self, photos: Sequence[CaptionedPhoto], min_photos: int) -> None:
        counts = Counter(stem for photo in photos for stem in stem_shares(photo))
        self.stems = [stem for stem, count in counts.most_common() if count >= min_photos]
        if not self.stems:
            raise UsageError(
                f"Expected words that the captions of {min_photos} of the {len(photos)} photos or "
                "more use, found none: more photos, or fewer by --tagging-min-photos and "
                "--votes-min-photos."
            )
        self._place = {stem: place for place, stem in enumerate(self.stems)}

    def targets(self, photo: CaptionedPhoto) -> np.ndarray:
        """(words,) float32, 0..1."""
        shares = np.zeros(len(self.stems), np.float32)
        for stem, share in stem_shares(photo).items():
            if stem in self._place:
                shares[self._place[stem]] = share
        return shares


class TaggingPhotos:
    """Photos in memory with their targets, (N, words) float32."""

    def __init__(self, photos: Sequence[CaptionedPhoto], tags: Tags, size: int, run: CaptionRun):
        self.squares = Squares(photos, size, run.process.device, run.config.workers)
        self.targets = np.stack([tags.targets(photo) for photo in photos])


class TaggingData:
    """Training and validation data of the tagging; smallest_crop: of each side of a photo."""

    def __init__(self, run: CaptionRun, min_photos: int, smallest_crop: float) -> None:
        size = run.preprocessing.size
        self.tags = Tags(run.photos, min_photos)
        # A little larger than the views: parts of it are cut out and enlarged.
        self.learnt = TaggingPhotos(run.photos, self.tags, size * 9 // 8, run)
        self.validation = {
            name: TaggingPhotos(photos, self.tags, size, run)
            for name, photos in run.validation.items()
        }
        self.smallest_crop = smallest_crop


class TaggingBatch(NamedTuple):
    """numbers: (B,) int64 of the photos. targets: (B, words) float32. captions: as
    `CaptionRows.draw` gives them, where a decoder learns them."""

    numbers: Tensor
    targets: Tensor
    captions: Tensor | None


class TaggingTask(StageTask):
    """A `Tagger` learns the shares; average precision chooses its checkpoint, and with a decoder
    its greedy CIDEr-D beside it.

    tag_weight: of the loss of the shares, where a decoder learns too.
    """

    def __init__(
        self,
        name: str,
        run: CaptionRun,
        batch: int,
        model: Tagger,
        groups: list[dict[str, Any]],
        data: TaggingData,
        tag_weight: float = 1.0,
    ) -> None:
        super().__init__(name, run, batch, model.to(memory_format=torch.channels_last), groups)
        config = run.config
        self.data, self.crops, self.tag_weight = data, Preprocessing(config.crop_size), tag_weight
        self.rows: CaptionRows | None = None
        self.told: dict[str, Validation] = {}
        if model.decoder is not None:
            self.rows = CaptionRows(
                run.photos, run.vocabulary, config.captions_per_photo, config.max_words
            )
            self.told = {
                name: Validation(
                    {name: photos}, run.vocabulary, data.validation[name].squares, config.bfloat16
                )
                for name, photos in run.validation.items()
            }

    def load(self, numbers: list[int], rng: random.Random) -> TaggingBatch:
        captions = self.rows.draw(numbers, rng) if self.rows else None
        targets = torch.from_numpy(self.data.learnt.targets[numbers])
        return TaggingBatch(torch.tensor(numbers), targets, captions)

    def loss(self, model: nn.Module, batch: TaggingBatch) -> tuple[Tensor, dict[str, float]]:
        device, squares = self.run.process.device, self.data.learnt.squares
        numbers, targets = batch.numbers.to(device), batch.targets.to(device)
        views = random_views(
            squares.pixels[numbers], squares.may_flip[numbers], self.crops.size,
            self.data.smallest_crop,
        )  # fmt: skip
        images = self.crops.normalise(views).contiguous(memory_format=torch.channels_last)
        if batch.captions is None:
            return _cross_entropy(model(images)[0], targets), {}
        captions = batch.captions.to(device)
        where = captions[..., 1:] != PAD
        votes, words = model(images, captions[..., :-1], where)
        tagging = _cross_entropy(votes, targets)
        telling = word_loss(words, captions, where, self.run.config.label_smoothing)
        return telling + self.tag_weight * tagging, {"tagging": tagging.item()}

    def validate(self, model: Tagger) -> tuple[float, dict[str, float]]:
        preprocessing, run = self.run.preprocessing, self.run

        def votes(photos: TaggingPhotos, part: slice) -> Tensor:
            return model(preprocessing.normalise(photos.squares.pixels[part]))[0]

        choice, scores = _precisions(model, self.data.validation, votes, run)
        if model.decoder is None:
            return choice, scores
        speaker = CaptionModel(model.decoder, model.encoder, preprocessing)
        told = {
            f"{name} CIDEr-D": validation.scores(speaker, run.process.device)["cider"]
            for name, validation in self.told.items()
        }
        return choice + sum(told.values()) / len(told), scores | told

    def best(self, model: Tagger) -> dict[str, Any]:
        if model.decoder is None:
            return encoder_state(model.encoder)
        return encoder_state(model.encoder) | {"decoder": model.decoder.state_dict()}


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
        def votes(photos: CachedTags, part: slice) -> Tensor:
            grids = self.features.read(self.features.rows(photos.photos[part], None))
            return model(grids.to(self.run.process.device).float())

        return _precisions(model, self.validation, votes, self.run)

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
    votes: Callable[[_Photos, slice], Tensor],
    run: CaptionRun,
) -> tuple[float, dict[str, float]]:
    """The mean over sets, and of each set, in %, the mean over photos of the average precision of
    the words, ranked by the model's votes, that three or more captions use; 0 without any."""
    model.eval()
    scores = {}
    for name, photos in sets.items():
        precisions = []
        for start in range(0, len(photos.targets), 50):
            part = slice(start, start + 50)
            with torch.autocast(
                run.process.device.type, torch.bfloat16, enabled=run.config.bfloat16
            ):
                order = votes(photos, part).argsort(1, descending=True).cpu().numpy()
            for targets, ranked in zip(photos.targets[part], order, strict=True):
                places = np.flatnonzero(targets[ranked] >= 0.55)
                if len(places):
                    precisions.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
        scores[name] = 100 * float(np.mean(precisions)) if precisions else 0.0
    return sum(scores.values()) / len(scores), scores
