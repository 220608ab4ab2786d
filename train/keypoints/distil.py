"""The keypoint CNN learns from labels and from a teacher at once (Hinton et al., 2015)."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facial_keypoints.landmarks.markup import FLIP
from facial_keypoints.landmarks.network import KeypointNet, preprocess
from train.faces.data import UNLABELLED
from train.keypoints.teacher import beliefs, load_teacher
from train.keypoints.training import KeypointTask, label_maps
from train.keypoints.views import TrainConfig

#: Share of the crop's side from which on a teacher's point is not believed against a label.
MOST_DISAGREEMENT = 0.06


@dataclasses.dataclass(frozen=True)
class StudentConfig(TrainConfig):
    """One training run of the keypoint CNN, with a teacher or without."""

    teacher: str = ""  # the folder of a run of `python -m train.keypoints teacher`
    teacher_weight: float = 0.5  # share of what is learnt that is the teacher's, the rest labels
    teacher_mirror: bool = False  # the teacher reads the mirrored view, too, in twice the time
    unlabelled_share: float = 0.0  # of the faces: those that only a teacher sets points of

    def shares(self) -> Mapping[str, float]:
        return {**super().shares(), UNLABELLED: self.unlabelled_share}


class StudentTask(KeypointTask):
    """The keypoint CNN learns from random views, of which a teacher tells its own points."""

    config: StudentConfig

    def __init__(self, network: KeypointNet, config: StudentConfig, *data: Any) -> None:
        super().__init__(network, config, *data)
        teacher, facts = load_teacher(Path(config.teacher))
        self.teacher = teacher.to(memory_format=torch.channels_last).to(self.process.device)
        self.history[-1]["teacher"] = facts
        self.flip = torch.from_numpy(FLIP.copy()).to(self.process.device)

    def targets(self, crops: Tensor, labels: Tensor, cells: int) -> tuple[Tensor, Tensor]:
        """See `between`."""
        points, maps = self._ask(crops)
        with torch.autocast(crops.device.type, enabled=False):
            return between(labels, points, coarse(maps, cells), self.config.teacher_weight)

    @torch.no_grad()
    def _ask(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's `beliefs` about (N, S, S, 3) uint8 crops."""
        config = self.teacher.config
        points, maps = beliefs(self.teacher, preprocess(crops, config))
        if self.config.teacher_mirror:
            others, turned = beliefs(self.teacher, preprocess(crops.flip(2), config))
            x, y = others[:, self.flip].unbind(2)
            points = (points + torch.stack([-x, y], dim=2)) / 2
            maps = (maps + turned[:, self.flip].flip(3)) / 2
        return points, maps


def between(labels: Tensor, points: Tensor, maps: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Points and heat maps between the labels' and a teacher's where both roughly agree; elsewhere
    the labels', and the teacher's for faces without labels.

    labels, points: (N, 68, 2) in crop coordinates, a face's labels NaN where it has none.
    maps: (N, 68, cells²), the teacher's. weight: the teacher's share.
    """
    is_unlabelled = labels.isnan().flatten(1).any(dim=1)[:, None, None]
    agreed = (points - labels).norm(dim=2, keepdim=True) < MOST_DISAGREEMENT
    trust = torch.where(is_unlabelled, 1.0, weight * agreed)
    labels = torch.where(is_unlabelled, points, labels)
    own = label_maps(labels, math.isqrt(maps.shape[2]))
    return torch.lerp(labels, points, trust), torch.lerp(own, maps, trust)


def coarse(maps: Tensor, cells: int) -> Tensor:
    """Heat maps at another resolution: every probability spread as `label_maps` spreads a label.

    maps: (N, 68, C, C) of probabilities. Returns (N, 68, cells²).
    """
    here, there = (
        (torch.arange(n, device=maps.device, dtype=maps.dtype) + 0.5) / n
        for n in (maps.shape[-1], cells)
    )
    spread = torch.softmax(-((there[:, None] - here) * cells).square() / 2, dim=0)
    return (spread @ maps @ spread.T).flatten(2)
