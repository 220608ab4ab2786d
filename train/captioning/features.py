"""Feature cache: the encoder's grids of all photos, in float16 on disk."""

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from torchvision.models import ResNet50_Weights
from tqdm import tqdm

from captioning.encoder import Encoder, fold_batch_norm
from captioning.engine.preprocessing import Preprocessing
from keypoints_captions.files import replacing
from train.captioning.augment import augmented_square
from train.captioning.data import CaptionedPhoto, photo_square
from train.engine.batches import prefetch
from train.engine.processes import Process
from train.engine.resnet import load_resnet


class Features:
    """A memory-mapped file of grids: rows of (rows * columns, 2048) float16.

    Of the photos to learn from it holds `views`: the photo as it is, and so many less one
    random crops of it, half of them mirrored.
    """

    def __init__(self, folder: Path, views: int) -> None:
        self.grids = np.load(folder / "grids.npy", mmap_mode="r")
        files = json.loads((folder / "index.json").read_text(encoding="utf-8"))["files"]
        self.row_of = {file: row for row, file in enumerate(files)}
        self.views = views

    def rows(self, photos: Sequence[CaptionedPhoto], rng: random.Random | None) -> np.ndarray:
        """The row of each photo, (B,) int64: of any of its views, or as it is without `rng`."""
        views = [rng.randrange(self.views) if rng else 0 for _ in photos]
        names = [_name(photo, view) for photo, view in zip(photos, views, strict=True)]
        return np.array([self.row_of[name] for name in names], np.int64)

    def read(self, rows: np.ndarray) -> torch.Tensor:
        """(B, P, 2048) float16, copied from the file."""
        return torch.from_numpy(self.grids[rows])

    def pooled(self, photos: Sequence[CaptionedPhoto]) -> np.ndarray:
        """(N, 2048) float32: the mean over the places of each photo as it is."""
        rows = self.rows(photos, None)
        chunks = (rows[start : start + 128] for start in range(0, len(rows), 128))
        return np.concatenate([self.read(chunk).float().mean(1).numpy() for chunk in chunks])

    def read_places(self, places: np.ndarray) -> torch.Tensor:
        """(B, P, 2048) float16 of single places: (B, P, 2) int64, each a row and a place of it."""
        flat = self.grids.reshape(-1, self.grids.shape[-1])
        return torch.from_numpy(flat[places[..., 0] * self.grids.shape[1] + places[..., 1]])


def make_features(
    encoder: Encoder,
    preprocessing: Preprocessing,
    learnt: Sequence[CaptionedPhoto],
    views: int,
    checked: Sequence[CaptionedPhoto],
    folder: Path,
    process: Process,
    batch: int,
    workers: int,
    bfloat16: bool,
) -> Features:
    """Writes the photos' grids to `folder`, or goes on where an interrupted run stopped.

    learnt: photos to learn from, of which there are `views`. checked: photos of one view.
    Each process does its share of them; 8 × 8 grids cost 260 KB of disk a view, 7 × 7 200 KB.
    A cache of another encoder or of other photos is made anew.
    """
    photos = [(photo, view) for view in range(views) for photo in learnt]
    photos += [(photo, 0) for photo in checked]
    files = [_name(photo, view) for photo, view in photos]
    index = {"files": files, "encoder": fingerprint(encoder), "size": preprocessing.size}
    places = (preprocessing.size // 32) ** 2
    if process.is_main:
        _prepare(folder, index, (len(files), places, 2048))
    process.wait()
    grids = np.lib.format.open_memmap(folder / "grids.npy", mode="r+")
    share = np.array_split(np.arange(len(files)), process.world)[process.rank]
    done_file = folder / f"done-{process.rank}-of-{process.world}.txt"
    done = int(done_file.read_text()) if done_file.exists() else 0
    batches = [share[start : start + batch] for start in range(done, len(share), batch)]
    bar = tqdm(
        desc="features", total=len(share), initial=done, unit="photo", mininterval=10,
        disable=not process.is_main,
    )  # fmt: skip
    encoder = encoder.to(process.device).to(memory_format=torch.channels_last).eval()

    def squares(rows: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        images = [_view(photos[row], preprocessing) for row in rows]
        return rows, torch.from_numpy(np.stack(images))

    for rows, images in prefetch(batches, squares, workers, 2 * workers):
        grids[rows] = encode(encoder, preprocessing, images.to(process.device), bfloat16)
        done += len(rows)
        if done == len(share) or done // 512 != (done - len(rows)) // 512:
            grids.flush()
            with replacing(done_file) as partial:
                partial.write_text(str(done))
        bar.update(len(rows))
    process.wait()
    return Features(folder, views)


def _name(photo: CaptionedPhoto, view: int) -> str:
    return f"{photo.path}#{view}" if view else str(photo.path)


def _view(wanted: tuple[CaptionedPhoto, int], preprocessing: Preprocessing) -> np.ndarray:
    photo, view = wanted
    if view == 0:
        return photo_square(photo, preprocessing)
    return augmented_square(photo, preprocessing, random.Random(_name(photo, view)))


@torch.inference_mode()
def encode(
    encoder: Encoder, preprocessing: Preprocessing, squares: torch.Tensor, bfloat16: bool
) -> np.ndarray:
    """(B, size, size, 3) uint8 RGB to grids, (B, P, 2048) float16."""
    images = preprocessing.normalise(squares)
    with torch.autocast(squares.device.type, torch.bfloat16, enabled=bfloat16):
        grid = encoder(images)
    return grid.flatten(1, 2).to(torch.float16).cpu().numpy()


def fingerprint(encoder: Encoder) -> str:
    """A short checksum of the encoder's weights and of its strides, which they do not tell."""
    digest = hashlib.sha256(encoder.strides.encode())
    for value in encoder.state_dict().values():
        digest.update(value.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _prepare(folder: Path, index: dict, shape: tuple[int, int, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index_file = folder / "index.json"
    if index_file.exists() and json.loads(index_file.read_text(encoding="utf-8")) == index:
        return
    for old in folder.glob("done-*.txt"):
        old.unlink()
    np.lib.format.open_memmap(folder / "grids.npy", mode="w+", dtype=np.float16, shape=shape)
    with replacing(index_file) as partial:
        partial.write_text(json.dumps(index), encoding="utf-8")


def pretrained_encoder(weights: str, strides: str) -> Encoder:
    """The ImageNet ResNet-50 that training starts from.

    weights: a safetensors file; "" for torchvision's. strides: of `Encoder`.

    Raises FileNotFoundError where there is none and none can be downloaded, UsageError where the
    file holds something else.
    """
    encoder = Encoder(strides)
    if weights:
        load_resnet(encoder, weights)
        return encoder
    try:
        state = dict(ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True))
    except URLError as error:
        raise FileNotFoundError(
            f"torchvision's ImageNet ResNet-50 could not be downloaded ({error.reason}); "
            "name a safetensors file of one with --encoder-weights"
        ) from None
    encoder.load_state_dict(fold_batch_norm(state))
    return encoder
