"""From any photo to the encoder's input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from keypoints_captions.photos.reader import PhotoSource, read_photo

if TYPE_CHECKING:  # torch takes seconds to import, and serving on a CPU needs none
    from torch import Tensor


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the encoder's input; travels with the weights.

    The whole photo is squashed to a square: a caption may speak of what stands at the
    border, and Flickr8k's photos, as they are passed around, are squashed so already.
    """

    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # RGB, of 0..1, ImageNet's
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @property
    def read_side(self) -> int:
        """A photo may be read smaller, as long as its longer side keeps this many pixels."""
        return 4 * self.size

    def read(self, source: PhotoSource) -> np.ndarray:
        """Any photo that `keypoints_captions.photos.read_photo` takes, to `squash`'s result."""
        return self.squash(read_photo(source, max_side=self.read_side))

    def squash(self, image: np.ndarray) -> np.ndarray:
        """HWC uint8 RGB of any size to (size, size, 3) uint8 RGB."""
        height, width = image.shape[:2]
        if (height, width) == (self.size, self.size):
            return image
        shrinks = height >= self.size and width >= self.size
        return cv2.resize(
            image,
            (self.size, self.size),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )

    def normalise(self, squares: "Tensor") -> "Tensor":
        """(B, size, size, 3) uint8 RGB to (B, 3, size, size) float32, channels last."""
        import torch

        mean = torch.tensor(self.mean, device=squares.device).view(3, 1, 1) * 255
        std = torch.tensor(self.std, device=squares.device).view(3, 1, 1) * 255
        return (squares.permute(0, 3, 1, 2).float() - mean) / std

    def to_dict(self) -> dict[str, object]:
        return {
            "resize": "squash to a square",
            "size": self.size,
            "colour": "RGB, 0..1",
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "Preprocessing":
        mean, std = tuple(values["mean"]), tuple(values["std"])
        return cls(size=int(values["size"]), mean=mean, std=std)
