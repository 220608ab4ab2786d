"""The encoder learns to name what a photo shows: the content words of its captions.

    python -m train.captioning.tagging --train DATA/coco_train.json DATA/flickr8k_train.json \\
        --validation DATA/coco_val.json DATA/flickr8k_val.json \\
        --start-from weights --checkpoints runs/tagging --minutes 120

A dense and cheap task that tunes the encoder before any decoder reads it: for each of some
thousand words, which share of the photo's captions use it. Each place of the encoder's grid votes
for each word, and a word's votes are averaged with weights that favour the strongest places
(class-specific residual attention, Zhu and Wu, ICCV 2021). The same command again goes on where an
interrupted run stopped. `python -m train.captioning xe --start-from runs/tagging --fresh-decoder`
takes the encoder from there.
"""

import argparse
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from nltk.stem import PorterStemmer
from torch import Tensor, nn

from captioning.captioner import load_parts
from captioning.encoder import GRID_CHANNELS, Encoder, Preprocessing
from keypoints_captions.photos.reader import read_photo
from train.captioning.data import CaptionedPhoto, epoch_batches, load_set, prefetch
from train.command_line import run
from train.engine import (
    AveragedWeights,
    Progress,
    cosine_schedule,
    load_checkpoint,
    save_checkpoint,
)
from train.picture_effects import colour

_FUNCTION_WORDS = """
a an the and or but of to in on at by for with from as is are was were be been being am it its
's this that these those there here his her hers their theirs them they he she him we us our you
your i my me who whom which what where when while how why not no nor do does did done doing has
have had having can could will would may might must shall should some any each every other
another one both all few more most many much so than too very just only own same such up down
out off over under again then once into onto about against between through during before after
above below near next along around across behind beside towards toward upon within without also
like get gets getting go goes going themselves himself herself itself
"""
#: Words that say nothing of what a photo shows.
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())

_ATTENTION = 0.3  # weight of the strongest places' votes beside the mean of all
_AVERAGE_EVERY = 4


@dataclass(frozen=True)
class TaggingConfig:
    """One run. The learning rate falls with the time, to zero at `minutes`."""

    min_photos: int = 15  # training photos that a word must occur on
    size: int = 224  # of the crops learnt from
    smallest_crop: float = 0.65  # of each side
    batch: int = 24
    rate: float = 1e-3  # of the votes
    encoder_rate: float = 1e-4  # of layer4; half of it for layer3, a quarter for layer2
    weight_decay: float = 0.03
    ema: float = 0.995
    minutes: float = 120.0
    frozen: tuple[str, ...] = ("stem", "layer1", "layer2")
    checkpoint_minutes: float = 4.0
    seed: int = 0


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


def content_stems(words: Sequence[str], stem: PorterStemmer) -> set[str]:
    """The stems of a caption's content words."""
    return {stem.stem(word) for word in words if word not in FUNCTION_WORDS and len(word) > 1}


class Tags:
    """Words by their stems, and for each photo the share of its captions that use each.

    stems: the words that the encoder learns, most frequent first.
    """

    def __init__(self, photos: Sequence[CaptionedPhoto], min_photos: int) -> None:
        self._stemmer = PorterStemmer()
        counts = Counter(stem for photo in photos for stem in set().union(*self._of(photo)))
        self.stems = [stem for stem, count in counts.most_common() if count >= min_photos]
        self._place = {stem: place for place, stem in enumerate(self.stems)}

    def _of(self, photo: CaptionedPhoto) -> list[set[str]]:
        return [content_stems(words, self._stemmer) for words in photo.words]

    def targets(self, photo: CaptionedPhoto) -> np.ndarray:
        """(words,) float32, 0..1."""
        shares = np.zeros(len(self.stems), np.float32)
        captions = self._of(photo)
        for caption in captions:
            for stem in caption & self._place.keys():
                shares[self._place[stem]] += 1 / len(captions)
        return np.minimum(shares, 1)


class Photos:
    """Photos decoded once and kept in memory, (H, W, 3) uint8 RGB, with their targets."""

    def __init__(self, photos: Sequence[CaptionedPhoto], tags: Tags, side: int) -> None:
        def read(photo: CaptionedPhoto) -> np.ndarray:
            image = read_photo(photo.path)
            scale = side / min(image.shape[:2])
            if scale >= 1:
                return image
            return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

        self.photos = photos
        with ThreadPoolExecutor(2) as pool:
            self.images = list(pool.map(read, photos))
        self.targets = np.stack([tags.targets(photo) for photo in photos])

    def whole(self, number: int, size: int) -> np.ndarray:
        return Preprocessing(size=size).squash(self.images[number])

    def crop(self, number: int, config: TaggingConfig, rng: random.Random) -> np.ndarray:
        """A random part of the photo in other colours, mirrored half the time."""
        image = self.images[number]
        height, width = image.shape[:2]
        w, h = (
            max(1, round(side * rng.uniform(config.smallest_crop, 1))) for side in (width, height)
        )
        x, y = rng.randint(0, width - w), rng.randint(0, height - h)
        square = Preprocessing(size=config.size).squash(image[y : y + h, x : x + w])
        if rng.random() < 0.5:
            square = square[:, ::-1]
        if rng.random() < 0.5:
            square = colour(
                np.ascontiguousarray(square), np.random.default_rng(rng.getrandbits(32))
            )
        return np.ascontiguousarray(square)


@torch.inference_mode()
def average_precision(model: Tagger, sets: dict[str, Photos], size: int) -> dict[str, float]:
    """By set, in %: the mean over photos of the average precision of the words, ranked by the
    model, that three or more captions use."""
    model.eval()
    found = {}
    for name, photos in sets.items():
        precisions = []
        for start in range(0, len(photos.photos), 50):
            numbers = range(start, min(start + 50, len(photos.photos)))
            squares = np.stack([photos.whole(number, size) for number in numbers])
            images = Preprocessing().normalise(torch.from_numpy(squares))
            with torch.autocast("cpu", torch.bfloat16):
                order = model(images).argsort(1, descending=True).numpy()
            for number, ranked in zip(numbers, order, strict=True):
                right = photos.targets[number][ranked] >= 0.55
                if right.any():
                    places = np.flatnonzero(right)
                    precisions.append(np.mean(np.arange(1, len(places) + 1) / (places + 1)))
        found[name] = 100 * float(np.mean(precisions))
    return found


def train(
    config: TaggingConfig,
    train_sets: Sequence[str],
    validation_sets: Sequence[str],
    start_from: Path,
    folder: Path,
) -> None:
    """Trains to the end of the time, writing last.pt every few minutes and best.pt when better."""
    parts = load_parts(start_from)
    learnt = [photo for source in train_sets for photo in load_set(source)]
    tags = Tags(learnt, config.min_photos)
    photos = Photos(learnt, tags, 256)
    checked = {
        Path(source.split(",")[0]).stem: Photos(load_set(source)[:300], tags, 256)
        for source in validation_sets
    }
    print(f"{len(learnt)} photos, {len(tags.stems)} words", flush=True)
    torch.manual_seed(config.seed)
    model = Tagger(parts.encoder, len(tags.stems)).to(memory_format=torch.channels_last)
    rates = {"layer4": 1.0, "layer3": 0.5, "layer2": 0.25, "layer1": 0.1, "stem": 0.1}
    groups: list[dict] = [{"params": list(model.votes.parameters()), "top_rate": config.rate}]
    for name, parameters in model.encoder.stages():
        learns = name not in config.frozen
        for parameter in parameters:
            parameter.requires_grad_(learns)
        if learns:
            groups.append({"params": parameters, "top_rate": config.encoder_rate * rates[name]})
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)
    average = AveragedWeights(model, config.ema)
    step, elapsed, best = 0, 0.0, 0.0
    last = load_checkpoint(folder / "last.pt", torch.device("cpu"))
    if last is not None:
        step, elapsed, best = last["step"], last["elapsed"], last["best"]
        model.load_state_dict(last["model"])
        optimizer.load_state_dict(last["optimizer"])
        average.updates, average.state = last["average"]
    if elapsed >= 60 * config.minutes:
        return
    per_epoch = len(epoch_batches(len(learnt), config.batch, 0, config.seed))

    def plan(step: int) -> Iterator[tuple[int, list[int]]]:
        for epoch in itertools.count(step // per_epoch):
            batches = epoch_batches(len(learnt), config.batch, epoch, config.seed)
            for place in range(step % per_epoch, per_epoch):
                yield step, batches[place]
                step += 1

    def load(item: tuple[int, list[int]]) -> tuple[Tensor, Tensor]:
        number, chosen = item
        rng = random.Random(f"tagging {config.seed} {number}")
        squares = np.stack([photos.crop(place, config, rng) for place in chosen])
        return torch.from_numpy(squares), torch.from_numpy(photos.targets[chosen])

    def checkpoint() -> None:
        save_checkpoint(
            folder / "last.pt", step=step, elapsed=elapsed, best=best, losses=figures,
            model=model.state_dict(), optimizer=optimizer.state_dict(),
            average=(average.updates, average.state),
        )  # fmt: skip

    total = round(config.minutes * 60)
    progress = Progress(total, round(elapsed), 30, "s", True)
    since, saved = time.monotonic() - elapsed, time.monotonic()
    told = elapsed
    figures: list[float] = []
    for squares, targets in prefetch(plan(step), load, 1, 3):
        model.train()
        share = min(1.0, elapsed / 60 / config.minutes)
        factor = cosine_schedule(int(share * 10_000), 10_000, 200)
        for group in optimizer.param_groups:
            group["lr"] = group["top_rate"] * factor
        images = Preprocessing().normalise(squares)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(images)
        loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1).mean()
        loss.backward()
        for group in groups:
            nn.utils.clip_grad_norm_(group["params"], 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        figures = [*figures, loss.item()][-100:]
        step += 1
        if step % _AVERAGE_EVERY == 0:
            average.update(model)
        elapsed = time.monotonic() - since
        rate = step * config.batch / elapsed
        progress.update(
            round(elapsed - told), f"step {step} {rate:.1f} img/s loss {np.mean(figures):.3f}"
        )
        told = elapsed
        done = share >= 1
        if step % per_epoch == 0 or done:
            kept = {name: value.clone() for name, value in model.state_dict().items()}
            model.load_state_dict(average.state)
            scores = average_precision(model, checked, config.size + 32)
            mean = float(np.mean(list(scores.values())))
            text = "  ".join(f"{name} {value:.2f}" for name, value in scores.items())
            print(
                f"epoch {step / per_epoch:.1f}: AP {text}{' *' if mean > best else ''}", flush=True
            )
            if mean > best:
                best = mean
                save_checkpoint(
                    folder / "tag" / "best.pt", scores=scores | {"cider": mean}, step=step,
                    encoder=model.encoder.state_dict(), votes=model.votes.state_dict(),
                    stems=tags.stems,
                )  # fmt: skip
            model.load_state_dict(kept)
        if done or time.monotonic() - saved > 60 * config.checkpoint_minutes:
            checkpoint()
            saved = time.monotonic()
        if done:
            return


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m train.captioning.tagging", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--validation", nargs="+", required=True)
    parser.add_argument("--start-from", type=Path, default=Path("weights"))
    parser.add_argument("--checkpoints", type=Path, default=Path("runs/tagging"))
    parser.add_argument("--minutes", type=float, default=TaggingConfig.minutes)
    parser.add_argument("--encoder-rate", type=float, default=TaggingConfig.encoder_rate)
    parser.add_argument("--unfreeze", nargs="*", default=[], help="layer2, say")
    given = parser.parse_args()
    frozen = tuple(name for name in TaggingConfig.frozen if name not in given.unfreeze)
    config = TaggingConfig(minutes=given.minutes, encoder_rate=given.encoder_rate, frozen=frozen)
    train(config, given.train, given.validation, given.start_from, given.checkpoints)


if __name__ == "__main__":
    run(main)
