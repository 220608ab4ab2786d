"""A stage of the captioner as a task of the training loop."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from captioning.encoder import Encoder
from train.captioning.data import CaptionRows
from train.captioning.objectives import (
    Batch,
    CachedGrids,
    CaptionModel,
    Objective,
    PhotoSource,
    SelfCritical,
    Validation,
)
from train.captioning.run import CaptionRun
from train.captioning.text import Collages
from train.engine.batches import epoch_batches, prefetch
from train.engine.options import UsageError

#: A batch's epoch, its place there, and the numbers of its photos.
Key = tuple[int, int, list[int]]


class StageTask:
    """Batches of photos, the same ones however often a run was interrupted.

    batch: photos a step and process. groups: the optimizer's, with their learning rates.
    """

    def __init__(
        self, name: str, run: CaptionRun, batch: int, model: nn.Module, groups: list[dict[str, Any]]
    ) -> None:
        self.name, self.run, self.batch = name, run, batch
        self.model, self.groups = model, groups

    def keys(self, epoch: int) -> list[Key]:
        process, seed = self.run.process, self.run.config.seed
        batches = epoch_batches(
            len(self.run.photos), self.batch, epoch, seed, process.rank, process.world
        )
        return [(epoch, place, numbers) for place, numbers in enumerate(batches)]

    def batches(self, keys: Iterable[Key]) -> Iterator[Any]:
        workers = self.run.config.workers
        return prefetch(keys, self._load, workers, workers + 1)

    def _load(self, key: Key) -> Any:
        return self.load(key[2], random.Random(f"{self.name} {self.run.config.seed} {key}"))

    def load(self, numbers: list[int], rng: random.Random) -> Any:
        """The batch of the photos with these numbers."""
        raise NotImplementedError


class CaptionTask(StageTask):
    """A `CaptionModel` learns by an objective; greedy CIDEr-D chooses its checkpoint.

    text: captioned photos that are not to be had, drawn for each batch beside its own.
    """

    def __init__(
        self,
        name: str,
        run: CaptionRun,
        batch: int,
        model: CaptionModel,
        groups: list[dict[str, Any]],
        source: PhotoSource,
        objective: Objective,
        text: int = 0,
    ) -> None:
        super().__init__(name, run, batch, model, groups)
        self.source, self.objective = source, objective
        config = run.config
        self.text = text
        self.rows = CaptionRows(
            [*run.photos, *run.text], run.vocabulary, config.captions_per_photo, config.max_words
        )
        if text:
            rewarded = isinstance(objective, SelfCritical)
            if rewarded or len(run.text) < text or not isinstance(source, CachedGrids):
                raise UsageError(
                    f"stage {name}: {text} captions without photos a step need --text FILE with as "
                    f"many photos' captions, got {len(run.text)}, and a stage of cross-entropy "
                    "that leaves the encoder as it is"
                )
            self.collages = Collages(source.features, run.photos, run.text)
        self.validation = Validation(run.validation, run.vocabulary, source, config.bfloat16)

    def load(self, numbers: list[int], rng: random.Random) -> Batch:
        photos = self.source.load([self.run.photos[number] for number in numbers], rng)
        if not self.text:
            return Batch(photos, numbers, self.rows.draw(numbers, rng))
        texts = rng.sample(range(len(self.run.text)), self.text)
        grids = torch.cat([photos, self.collages.draw(texts, rng)])
        all_numbers = [*numbers, *(len(self.run.photos) + text for text in texts)]
        return Batch(grids, numbers, self.rows.draw(all_numbers, rng))

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        device = self.run.process.device
        there = Batch(batch.photos.to(device), batch.numbers, batch.words.to(device))
        return self.objective.loss(model, there)

    def validate(self, model: CaptionModel) -> tuple[float, dict[str, float]]:
        scores = self.validation.scores(model, self.run.process.device)
        return scores["cider"], scores

    def best(self, model: CaptionModel) -> dict[str, Any]:
        decoder = {"decoder": model.decoder.state_dict()}
        return decoder | (encoder_state(model.encoder) if model.encoder else {})


def encoder_state(encoder: Encoder) -> dict[str, Any]:
    """The encoder as a checkpoint holds it."""
    return {"encoder": encoder.state_dict(), "strides": encoder.strides}
