"""The stages of the captioner's training, as values.

tagging  the encoder learns to name what a photo shows; a decoder can learn beside it
xe       cross-entropy on cached features of the encoder as it came
tune     cross-entropy, the encoder's upper layers learning along with the decoder
whole    the same with every layer, the early ones at a small rate
refine   cross-entropy on cached features of the tuned encoder
scst     self-critical sequence training on the same features
votes    what a photo shows, told to the search beside the decoder, on the same features

Each starts from the best checkpoint of the one before. A new stage is an entry of `STAGES`, of
another class where it learns in another way; its options follow from its fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from captioning.decoder import Decoder
from captioning.encoder import Encoder
from captioning.engine.preprocessing import Preprocessing
from captioning.votes import GridVotes
from train.captioning.objectives import (
    CachedGrids,
    CaptionModel,
    CrossEntropy,
    Objective,
    PhotoFiles,
    PhotoSource,
    SelfCritical,
)
from train.captioning.rewards import (
    CaptionReward,
    PhotoRewards,
    Reward,
    RewardWeights,
    nearest,
)
from train.captioning.run import CaptionRun
from train.captioning.tagging import Tagger, TaggingData, TaggingTask, Tags, VotesTask
from train.captioning.tasks import CaptionTask
from train.engine.loop import Loop, LoopConfig, Task
from train.engine.options import UsageError


@dataclass(frozen=True)
class Stage:
    """A decoder learns by cross-entropy, and the encoder with it where it has a rate."""

    epochs: int  # 0 leaves the stage out
    batch: int  # photos a step and process
    rate: float  # of what is new, or of the decoder, at the top of the cosine
    minutes: float = 0.0  # above 0 they end the stage early, and its learning rate with them
    validate_every: int = 1  # epochs
    encoder_rate: float = 0.0  # 0: the encoder stays as it is, and its cached features are read
    encoder_shares: tuple[float, ...] = (0.0, 0.0, 0.0, 1.0, 1.0)  # of it: stem, layers 1 to 4
    text: int = 0  # captioned photos that are not to be had, beside the batch, see `CaptionConfig`

    def train(self, name: str, run: CaptionRun) -> None:
        """Trains to the stage's end, or finds it done."""
        torch.manual_seed(run.config.seed)  # of what the stage adds to the models handed on
        Loop(self.task(name, run), self.loop(run), run.folder / name, run.process).run()

    def loop(self, run: CaptionRun) -> LoopConfig:
        """Options of the training loop for this stage."""
        config = run.config
        return LoopConfig(
            epochs=self.epochs,
            minutes=self.minutes,
            batch_size=self.batch * run.process.world,
            weight_decay=config.weight_decay,
            clip=1.0,
            ema=config.ema,
            average_every=4,
            validate_every=self.validate_every,
            checkpoint_minutes=config.checkpoint_minutes,
            bfloat16=config.bfloat16,
            seed=config.seed,
        )

    def task(self, name: str, run: CaptionRun) -> Task:
        """The task of the stage, started from the best checkpoint before it."""
        decoder, encoder = run.decoder(before=name), run.encoder(before=name)
        self.prepare(decoder)
        model = CaptionModel(decoder, encoder if self.encoder_rate else None, run.preprocessing)
        source = self.source(run, encoder)
        return CaptionTask(
            name, run, self.batch, model, self.groups(decoder, model.encoder), source,
            self.objective(run, source), self.text,
        )  # fmt: skip

    def prepare(self, decoder: Decoder) -> None:
        """Changes the decoder of the stage before, where this one wants it otherwise."""

    def source(self, run: CaptionRun, encoder: Encoder) -> PhotoSource:
        """The source of the photos."""
        if self.encoder_rate:
            return PhotoFiles(run.preprocessing, Preprocessing(size=run.config.crop_size))
        return CachedGrids(run.features(encoder))

    def objective(self, run: CaptionRun, source: PhotoSource) -> Objective:
        """The loss of the stage."""
        return CrossEntropy(run.config.label_smoothing)

    def groups(self, learner: nn.Module, encoder: Encoder | None) -> list[dict[str, Any]]:
        """Parameter groups with their rates; the rest of the encoder is frozen."""
        groups: list[dict[str, Any]] = [{"params": list(learner.parameters()), "lr": self.rate}]
        if encoder is None:
            return groups
        for share, (_, parameters) in zip(self.encoder_shares, encoder.stages(), strict=True):
            for parameter in parameters:
                parameter.requires_grad_(share > 0)
            if share:
                groups.append({"params": parameters, "lr": share * self.encoder_rate})
        return groups


@dataclass(frozen=True)
class Scst(Stage):
    """Captions that the decoder samples are rewarded, see `train.captioning.rewards`."""

    samples: int = 5  # captions a photo
    dropout: float = 0.1
    # Label smoothing leaves a part of the probability to words that make no sense, and most
    # sampled captions would hold one; logits times this take it back before SCST starts.
    sharpen: float = 1.2
    contrast: float = 0.0  # the parts of the reward beside CIDEr-D, as in `RewardWeights`
    words: float = 0.0
    gender: float = 0.0
    bleu: float = 0.0
    neighbours: int = 5  # similar photos that the contrast looks at
    cross_entropy: float = 0.0  # of people's captions, beside the reward
    reward_workers: int = 0  # processes that compute the rewards: one keeps a GPU waiting

    def prepare(self, decoder: Decoder) -> None:
        decoder.dropout.probability = self.dropout
        decoder.sharpen(self.sharpen)

    def objective(self, run: CaptionRun, source: PhotoSource) -> Objective:
        if self.samples < 2:
            raise UsageError(
                f"Expected 2 samples a photo or more, to be compared, got {self.samples}."
            )
        weights = RewardWeights(self.contrast, self.words, self.gender, self.bleu)
        rewards: list[tuple[Reward, int]] = []
        for photos in run.train_sets:  # each set's own document frequencies
            neighbours = np.zeros((len(photos), 0), np.int64)
            if self.contrast:
                if not isinstance(source, CachedGrids):
                    raise UsageError("A contrast with similar photos wants an encoder rate of 0.")
                if not 0 < self.neighbours < len(photos):
                    raise UsageError(
                        f"Expected 1 to {len(photos) - 1} neighbours of a set of {len(photos)} "
                        f"photos, got {self.neighbours}."
                    )
                neighbours = nearest(source.features.pooled(photos), self.neighbours)
            reward = CaptionReward(photos, weights, neighbours)
            rewards += [(reward, place) for place in range(len(photos))]
        shared = PhotoRewards(run.vocabulary, rewards, self.reward_workers)
        return SelfCritical(shared, self.samples, run.config.max_words, self.cross_entropy)


@dataclass(frozen=True)
class Tagging(Stage):
    """The encoder learns which content words the captions of a photo use, and with it, where it
    has a rate, the decoder learns the captions."""

    min_photos: int = 15  # training photos that a word must occur on
    smallest_crop: float = 0.65  # of each side
    decoder_rate: float = 0.0  # 0: no decoder learns beside the encoder
    tag_weight: float = 0.1  # of the words' loss, where a decoder learns too
    weight_decay: float = 0.03
    ema: float = 0.995  # decay of the averaged weights, every fourth step

    def loop(self, run: CaptionRun) -> LoopConfig:
        own = super().loop(run)
        return replace(own, clip=5.0, weight_decay=self.weight_decay, ema=self.ema)

    def task(self, name: str, run: CaptionRun) -> Task:
        data = TaggingData(run, self.min_photos, self.smallest_crop)
        decoder = run.decoder(before=name) if self.decoder_rate else None
        tagger = Tagger(run.encoder(before=name), len(data.tags.stems), decoder)
        groups = self.groups(tagger.votes, tagger.encoder)
        if decoder is None:
            return TaggingTask(name, run, self.batch, tagger, groups, data)
        groups.append({"params": list(decoder.parameters()), "lr": self.decoder_rate})
        return TaggingTask(name, run, self.batch, tagger, groups, data, self.tag_weight)


@dataclass(frozen=True)
class Votes(Stage):
    """The votes for content words alone learn on the encoder's cached features."""

    min_photos: int = 15  # training photos that a word must occur on
    dropout: float = 0.3
    weight_decay: float = 0.05

    def loop(self, run: CaptionRun) -> LoopConfig:
        return replace(super().loop(run), clip=5.0, weight_decay=self.weight_decay)

    def task(self, name: str, run: CaptionRun) -> Task:
        tags = Tags(run.photos, self.min_photos)
        model = GridVotes(len(tags.stems), self.dropout)
        features = run.features(run.encoder(before=name))
        groups = self.groups(model, None)
        return VotesTask(name, run, self.batch, model, groups, features, tags)


STAGES: Mapping[str, Stage] = {
    "tagging": Tagging(
        epochs=12, batch=24, rate=1e-3, encoder_rate=1e-4, encoder_shares=(0.0, 0.0, 0.0, 0.5, 1.0)
    ),
    "xe": Stage(epochs=8, batch=32, rate=1e-3),
    "tune": Stage(epochs=3, batch=16, rate=5e-4, encoder_rate=7e-5),
    "whole": Stage(
        epochs=1, batch=16, rate=2e-4, encoder_rate=4e-5,
        encoder_shares=(0.25, 0.25, 0.25, 1.0, 1.0),
    ),
    # The decoder alone again: tuning reads so few photos a second that it leaves it underfitted.
    "refine": Stage(epochs=4, batch=32, rate=1e-3),
    "scst": Scst(epochs=5, batch=32, rate=2e-4),
    "votes": Votes(epochs=6, batch=64, rate=2e-3),
}  # fmt: skip
