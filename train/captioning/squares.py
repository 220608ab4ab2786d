"""Photos in memory as squares, and random views of them that the training's device makes."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor

from captioning.engine.preprocessing import Preprocessing
from train.captioning.data import CaptionedPhoto, photo_square


class Squares:
    """Whole photos, each squashed to a square, decoded once.

    pixels: (N, size, size, 3) uint8 RGB on the device. may_flip: (N,) bool, there too.
    """

    def __init__(
        self, photos: Sequence[CaptionedPhoto], size: int, device: torch.device, workers: int
    ) -> None:
        preprocessing = Preprocessing(size=size)
        pixels = torch.empty(len(photos), size, size, 3, dtype=torch.uint8)

        def read(number: int) -> None:
            pixels[number] = torch.from_numpy(photo_square(photos[number], preprocessing))

        with ThreadPoolExecutor(max(1, workers)) as pool:
            list(pool.map(read, range(len(photos))))
        self.pixels = pixels.to(device)
        self.may_flip = torch.tensor([photo.may_flip for photo in photos], device=device)
        self._number = {photo.path: number for number, photo in enumerate(photos)}

    def load(self, photos: Sequence[CaptionedPhoto], rng: random.Random | None) -> Tensor:
        """The squares of these photos, as `train.captioning.objectives.PhotoSource` gives them."""
        return self.pixels[[self._number[photo.path] for photo in photos]]


def random_views(pixels: Tensor, may_flip: Tensor, size: int, smallest: float) -> Tensor:
    """Random parts of squares: cropped, mirrored half the time where that may be, half of them in
    other colours, and a quarter with a rectangle hidden.

    Args:
        pixels: (B, S, S, 3) uint8 RGB. may_flip: (B,) bool.
        size: side of the views in pixels. smallest: share of each side that a crop keeps at least.

    Returns:
        (B, size, size, 3) float32 RGB, 0..255, on the device of the pixels.
    """
    with torch.autocast(pixels.device.type, enabled=False):  # places need all their digits
        places = _random_places(may_flip, size, smallest)
        whole = pixels.permute(0, 3, 1, 2).float() / 255
        views = F.grid_sample(whole, places, padding_mode="border", align_corners=False)
        return 255 * _partly_hidden(_coloured(views)).permute(0, 2, 3, 1)


def _random_places(may_flip: Tensor, size: int, smallest: float) -> Tensor:
    """(B, size, size, 2): the places in the squares, -1..1, of the pixels of random crops."""
    count, device = len(may_flip), may_flip.device
    shares = smallest + (1 - smallest) * torch.rand(count, 2, device=device)
    mirrored = may_flip & (torch.rand(count, device=device) < 0.5)
    affine = torch.zeros(count, 2, 3, device=device)
    affine[:, 0, 0] = torch.where(mirrored, -shares[:, 0], shares[:, 0])
    affine[:, 1, 1] = shares[:, 1]
    affine[:, :, 2] = (1 - shares) * (2 * torch.rand(count, 2, device=device) - 1)
    return F.affine_grid(affine, [count, 3, size, size], align_corners=False)


def _coloured(views: Tensor) -> Tensor:
    """Half of the (B, 3, S, S) views, 0..1, in another gamma, contrast, brightness, saturation
    and white balance."""
    count, device = len(views), views.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, 1, 1, device=device)

    changed = views.clamp(1e-4, 1) ** torch.exp(0.25 * normal(1))
    changed = (changed - 0.5) * torch.exp(0.2 * normal(1)) + 0.5 + 0.08 * normal(1)
    grey = changed.mean(1, keepdim=True)
    changed = grey + (changed - grey) * torch.exp(0.3 * normal(1))
    changed = (changed * torch.exp(0.07 * normal(3))).clamp(0, 1)
    chosen = torch.rand(count, 1, 1, 1, device=device) < 0.5
    return torch.where(chosen, changed, views)


def _partly_hidden(views: Tensor) -> Tensor:
    """A quarter of the (B, 3, S, S) views, 0..1, with a grey rectangle of up to 0.4 of each side
    (random erasing, Zhong et al., AAAI 2020)."""
    count, device = len(views), views.device
    axis = (torch.arange(views.shape[-1], device=device) + 0.5) / views.shape[-1]
    middle = torch.rand(count, 2, 1, device=device)
    half = 0.05 + 0.15 * torch.rand(count, 2, 1, device=device)
    inside = (axis - middle).abs() < half  # (B, 2, S): of the columns and of the rows
    chosen = torch.rand(count, 1, 1, device=device) < 0.25
    hidden = inside[:, 0, None, :] & inside[:, 1, :, None] & chosen
    return torch.where(hidden[:, None], 0.45, views)
