"""The face detector as a task of the training loop."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facial_keypoints.detection.network import DetectorNet, decode, preprocess
from train.detector.batches import Key, RandomCanvases, batch_keys, collate
from train.detector.dataset import TrainingData
from train.detector.loss import detector_loss
from train.detector.validation import Validation
from train.engine.cnn import CnnConfig, CnnTask, total
from train.engine.processes import Process


@dataclass(frozen=True)
class TrainConfig(CnnConfig):
    """One training run."""

    ytf_share: float = 0.25
    turned_share: float = 0.2  # of the faces: those of `turned.csv`
    epoch_canvases: int = 12288
    canvas: int = 320  # pixels, side
    large_every: int = 4  # steps, of which one has a quarter as many canvases of twice the side
    validation_photos: int = 400


class DetectorTask(CnnTask):
    """The detector learns from random canvases; average precision chooses its checkpoint."""

    config: TrainConfig
    collate = staticmethod(collate)

    def __init__(
        self,
        network: DetectorNet,
        config: TrainConfig,
        data: TrainingData,
        cache: Path,
        process: Process,
    ) -> None:
        self.network, self.process = network.config, process
        canvases = process.first_alone(
            lambda: RandomCanvases(data, cache, config.ytf_share, config.turned_share, config.seed)
        )
        super().__init__(network.to(memory_format=torch.channels_last), config, canvases)
        self.validation = process.first_alone(
            lambda: Validation(data, cache, config.validation_photos)
        )

    def keys(self, epoch: int) -> list[list[Key]]:
        config = self.config
        steps = max(1, config.epoch_canvases // config.batch_size)
        return batch_keys(
            epoch, steps, config.batch_size, config.canvas, config.large_every, self.process
        )

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        photos, boxes, points, ignored = (
            part.to(self.process.device, non_blocking=True) for part in batch
        )
        maps = model(preprocess(photos, self.network))
        sizes = [level.shape[-2:] for level in maps]
        return total(detector_loss(decode(maps), sizes, boxes, points, ignored))

    def validate(self, model: DetectorNet) -> tuple[float, dict[str, float]]:
        precision = torch.bfloat16 if self.config.bfloat16 else torch.float32
        return self.validation.scores(copy.deepcopy(model), precision)
