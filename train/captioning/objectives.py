"""Parts that the captioner's stages share: model, photos, losses, validation."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.decoder import Decoder, State
from captioning.encoder import Encoder
from captioning.engine.in_torch import TorchSpeaker, spoken
from captioning.engine.preprocessing import Preprocessing
from captioning.search import Rules, SearchOptions, beam_search, drain
from captioning.vocabulary import END, PAD, START, Vocabulary
from train.captioning.augment import augmented_square
from train.captioning.data import CaptionedPhoto, photo_square
from train.captioning.features import Features, encode
from train.captioning.metrics import CiderD
from train.captioning.rewards import PhotoRewards
from train.engine.processes import unwrap


class Batch(NamedTuple):
    """photos: grids (B, P, 2048) float16 or squares (B, size, size, 3) uint8; numbers: the
    photos' places in their list; words: (B, K, T) as `CaptionRows.draw` gives them. Rows of
    captions without a photo follow those of the numbers."""

    photos: Tensor
    numbers: list[int]
    words: Tensor


class CaptionModel(nn.Module):
    """Encoder, where it learns too, and decoder as one module, for DDP to synchronise."""

    def __init__(
        self, decoder: Decoder, encoder: Encoder | None, preprocessing: Preprocessing
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder
        self.preprocessing = preprocessing

    def forward(self, photos: Tensor, words: Tensor, where: Tensor) -> Tensor:
        """Teacher forcing on `Batch.photos`; see `Decoder.forward`."""
        return self.decoder(self.decoder.read(self.grid(photos)), words, where)

    def grid(self, photos: Tensor) -> Tensor:
        if self.encoder is None:
            return photos.float()
        return self.encoder(self.preprocessing.normalise(photos))


class PhotoSource(Protocol):
    """The source of a stage's photos; `Batch.photos` for the given photos."""

    def load(self, photos: Sequence[CaptionedPhoto], rng: random.Random | None) -> Tensor: ...


@dataclass(frozen=True)
class CachedGrids:
    features: Features

    def load(self, photos: Sequence[CaptionedPhoto], rng: random.Random | None) -> Tensor:
        return self.features.read(self.features.rows(photos, rng))


@dataclass(frozen=True)
class PhotoFiles:
    """Squares from the files; random crops and flips where `rng` is given.

    preprocessing: of the whole photo; cropped: of the crops.
    """

    preprocessing: Preprocessing
    cropped: Preprocessing

    def load(self, photos: Sequence[CaptionedPhoto], rng: random.Random | None) -> Tensor:
        squares = [
            photo_square(photo, self.preprocessing)
            if rng is None
            else augmented_square(photo, self.cropped, rng)
            for photo in photos
        ]
        return torch.stack([torch.from_numpy(square) for square in squares])


class Objective(Protocol):
    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss to descend, and further figures for the log."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    label_smoothing: float

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        where = batch.words[..., 1:] != PAD
        logits = model(batch.photos, batch.words[..., :-1], where)
        return word_loss(logits, batch.words, where, self.label_smoothing), {}


def word_loss(logits: Tensor, words: Tensor, where: Tensor, label_smoothing: float) -> Tensor:
    """The mean cross-entropy of the word after each place: logits (M, vocabulary) of the M places
    `where` (B, K, T), of captions (B, K, T + 1)."""
    targets = words[..., 1:][where]
    return F.cross_entropy(logits.float(), targets, label_smoothing=label_smoothing)


class SelfCritical:
    """SCST (Rennie et al. 2017); the baseline of a sampled caption is the mean reward of the
    photo's other samples ("new SCST", Luo 2020).

    <end> counts as a word of the captions rewarded, so that breaking off costs reward.
    rewards: of the captions of training photos. max_words: longer samples are ended there.
    cross_entropy: weight of the cross-entropy of people's captions beside it.
    """

    def __init__(
        self, rewards: PhotoRewards, samples: int, max_words: int, cross_entropy: float = 0.0
    ) -> None:
        self.rewards, self.samples, self.max_words = rewards, samples, max_words
        self.cross_entropy = cross_entropy

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        words = self._sample(model, batch.photos)
        rewards = torch.tensor(self.rewards(batch.numbers, words.tolist()), device=words.device)
        others = (rewards.sum(1, keepdim=True) - rewards) / (self.samples - 1)
        where = words != PAD
        start = torch.full_like(words[..., :1], START)
        logits = model(batch.photos, torch.cat([start, words[..., :-1]], -1), where)
        chosen = spoken(logits).gather(-1, words[where][:, None])[:, 0]
        advantage = (rewards - others)[..., None].expand(words.shape)[where]
        loss = -(advantage * chosen).mean()
        if self.cross_entropy:
            one = batch._replace(words=batch.words[:, :1])  # caption a photo: the others cost time
            loss = loss + self.cross_entropy * CrossEntropy(0.0).loss(model, one)[0]
        return loss, {"reward": rewards.mean().item()}

    @torch.no_grad()
    def _sample(self, model: nn.Module, photos: Tensor) -> Tensor:
        """(B, samples, T) int64 words drawn by their probabilities, then <end> and <pad>.

        The rules of the search would hide from the model what it does wrong.
        """
        inner = unwrap(model)
        inner.eval()
        decoder = inner.decoder
        read = decoder.read(inner.grid(photos))
        first = decoder.start(read)
        state = State(*(part.repeat_interleave(self.samples, 0) for part in first))
        words = torch.full((len(state.hidden),), START, device=photos.device)
        ended = torch.zeros_like(words, dtype=torch.bool)
        drawn = []
        for place in range(self.max_words + 1):
            logits, state = decoder.step(read, state, words)
            words = torch.multinomial(spoken(logits).exp(), 1)[:, 0]
            if place == self.max_words:
                words = torch.full_like(words, END)
            words = words.masked_fill(ended, PAD)
            drawn.append(words)
            ended |= words == END
            if ended.all():
                break
        inner.train()
        # Autocast remembers weights it has cast, and these know of no gradient.
        torch.clear_autocast_cache()
        return torch.stack(drawn, 1).unflatten(0, (-1, self.samples))


@dataclass(frozen=True)
class Validation:
    """Photos that choose the checkpoint: by the mean over the sets of greedy CIDEr-D in %."""

    sets: dict[str, list[CaptionedPhoto]]
    vocabulary: Vocabulary
    source: PhotoSource
    bfloat16: bool

    @torch.inference_mode()
    def scores(self, model: CaptionModel, device: torch.device) -> dict[str, float]:
        model.eval()
        found = {}
        for name, photos in self.sets.items():
            captions: list[list[str]] = []
            for start in range(0, len(photos), 100):
                captions += self._captions(model, photos[start : start + 100], device)
            found[name] = 100 * CiderD([photo.words for photo in photos]).mean(captions)
        return found | {"cider": sum(found.values()) / len(found)}

    def _captions(
        self, model: CaptionModel, photos: list[CaptionedPhoto], device: torch.device
    ) -> list[list[str]]:
        batch = self.source.load(photos, None).to(device)
        rules = Rules(self.vocabulary, SearchOptions(beam_size=1))
        if model.encoder is not None:
            grids = encode(model.encoder, model.preprocessing, batch, self.bfloat16)
            batch = torch.from_numpy(grids).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            read = model.decoder.read(batch.float())
            found = drain(beam_search(TorchSpeaker(model.decoder), read, rules))
        return [self.vocabulary.decode(captions[0].words) for captions in found]
