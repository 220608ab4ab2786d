"""Retrieval model for the evaluation: does a caption find its own photo among others?

    python -m train.captioning.words.retrieval --data DATA --output runs/retrieval \
        --encoder-weights resnet50_imagenet.safetensors --encoder-strides v1
    python -m train.captioning.words.retrieval --data DATA --output runs/retrieval \
        --features runs/captioning/features/FINGERPRINT

It reads pooled features of the photos and a caption as a bag of words; both meet in one space
(Kiros et al. 2014; the loss is CLIP's). It shares nothing with the reward of the training but the
photos. The features are an ImageNet ResNet-50's, which no captioner has tuned, or, quicker, those
of the grids that a training has cached; compare captioners by the same ones. The folder keeps them,
and the model, which `python -m train.evaluate captioning --retrieval FOLDER` asks.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from captioning.encoder import GRID_CHANNELS, Encoder
from captioning.engine.preprocessing import Preprocessing
from captioning.vocabulary import Vocabulary
from keypoints_captions.files import replacing
from keypoints_captions.weights import load_model, save_model
from train.captioning.data import CaptionedPhoto, load_set, photo_square
from train.captioning.features import Features, encode, fingerprint, pretrained_encoder
from train.captioning.words.figures import recall
from train.captioning.words.inference import TRAINING, VALIDATION
from train.command_line import program, run
from train.engine.batches import epoch_batches, prefetch

SIZE = 160  # pixels of the squares: half the work of ImageNet's 224
POOLED = 2 * GRID_CHANNELS  # mean and maximum over the grid
_NAME = "retrieval"
_BATCH = 32
_KEPT_EVERY = 20  # batches; an interrupted run goes on from there


@dataclass(frozen=True)
class RetrievalConfig:
    """The model's size and how it learns."""

    space: int = 512  # dimensions in which photos and captions meet
    members: int = 3  # models trained apart, whose likenesses are added
    min_count: int = 3  # of a word in the training captions
    epochs: int = 24
    batch: int = 256  # photos a step, a caption of each
    rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.4
    seed: int = 1234


class RetrievalModel(nn.Module):
    """Photos and captions as unit vectors of one space, whose product is their likeness."""

    def __init__(self, words: int, config: RetrievalConfig) -> None:
        super().__init__()
        self.photo = nn.Linear(POOLED, config.space)
        self.words = nn.EmbeddingBag(words, config.space, mode="sum", padding_idx=0)
        self.caption = nn.Sequential(
            nn.LayerNorm(config.space), nn.ReLU(), nn.Linear(config.space, config.space)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.scale = nn.Parameter(torch.tensor(2.7))  # exponential of it: 15
        nn.init.normal_(self.words.weight, std=0.1)

    def photos(self, pooled: Tensor) -> Tensor:
        """(N, POOLED) to (N, space) unit vectors."""
        return F.normalize(self.photo(self.dropout(pooled)), dim=1)

    def captions(self, bags: Tensor) -> Tensor:
        """(N, T) word numbers, 0 where there is none, to (N, space) unit vectors."""
        return F.normalize(self.caption(self.dropout(self.words(bags))), dim=1)

    def loss(self, pooled: Tensor, bags: Tensor) -> Tensor:
        """Cross-entropy of each caption's photo and of each photo's caption among the batch's."""
        likeness = self.scale.exp() * self.captions(bags) @ self.photos(pooled).T
        own = torch.arange(len(bags))
        return F.cross_entropy(likeness, own) + F.cross_entropy(likeness.T, own)


class PooledFeatures:
    """(POOLED,) unit features of photos by a fixed encoder, kept in a file of the folder."""

    def __init__(self, folder: Path, encoder: Encoder | None, kind: str = "") -> None:
        """kind: what tells features that no encoder here has made from others; "" takes any."""
        self._path = folder / "pooled.npz"
        self.encoder = encoder and encoder.to(memory_format=torch.channels_last).eval()
        self._kind = fingerprint(encoder) if encoder else kind
        self._known: dict[str, np.ndarray] = {}
        if self._path.exists():
            with np.load(self._path) as kept:
                if self._kind in ("", str(kept["encoder"])):
                    self._known = dict(zip(kept["files"].tolist(), kept["rows"], strict=True))

    def knows(self, photos: Sequence[CaptionedPhoto]) -> bool:
        """Whether there are, or can be made, features of all the photos."""
        return self.encoder is not None or all(str(p.path) in self._known for p in photos)

    def take(self, cache: Features) -> None:
        """Pools the grids of all photos that a training has cached, as they are."""
        files = [f for f in cache.row_of if "#" not in Path(f).name and f not in self._known]
        for start in tqdm(range(0, len(files), 128), "features", mininterval=10):
            some = files[start : start + 128]
            grids = cache.read(np.array([cache.row_of[file] for file in some])).float()
            self._add(some, grids)
        if files:
            self._keep()

    def _add(self, files: Sequence[str], grids: Tensor) -> None:
        pooled = torch.cat([_unit(grids.mean(1)), _unit(grids.amax(1))], 1)
        self._known |= dict(zip(files, pooled.half().numpy(), strict=True))

    def __call__(self, photos: Sequence[CaptionedPhoto]) -> Tensor:
        """(N, POOLED) float32 of the photos, in their order."""
        new = [photo for photo in photos if str(photo.path) not in self._known]
        preprocessing = Preprocessing(size=SIZE)

        def load(start: int) -> Tensor:
            batch = new[start : start + _BATCH]
            return torch.from_numpy(np.stack([photo_square(p, preprocessing) for p in batch]))

        starts = range(0, len(new), _BATCH)
        bar = tqdm(prefetch(starts, load, 2, 2), "features", len(starts), mininterval=10)
        for start, squares in zip(starts, bar, strict=True):
            assert self.encoder is not None  # see `knows`
            grids = torch.from_numpy(encode(self.encoder, preprocessing, squares, True)).float()
            self._add([str(photo.path) for photo in new[start : start + _BATCH]], grids)
            if start == starts[-1] or start // _BATCH % _KEPT_EVERY == 0:
                self._keep()
        return torch.from_numpy(np.stack([self._known[str(p.path)] for p in photos])).float()

    def _keep(self) -> None:
        files, rows = list(self._known), np.stack(list(self._known.values()))
        with replacing(self._path) as partial, open(partial, "wb") as file:
            np.savez(file, files=files, rows=rows, encoder=self._kind)


def _unit(rows: Tensor) -> Tensor:
    return F.normalize(rows, dim=1) * rows.shape[1] ** 0.5


class CaptionRetrieval:
    """What `train.captioning.words.figures.measure` asks for likenesses."""

    def __init__(
        self, models: Sequence[RetrievalModel], vocabulary: Vocabulary, features: PooledFeatures
    ) -> None:
        self.models, self.vocabulary, self.features = models, vocabulary, features

    @torch.inference_mode()
    def __call__(
        self, photos: Sequence[CaptionedPhoto], captions: Sequence[Sequence[str]]
    ) -> np.ndarray:
        """(N, M) of each caption (row) to each photo (column); more is more alike."""
        pooled, bags = self.features(photos), bag(captions, self.vocabulary)
        likeness = [m.eval().captions(bags) @ m.photos(pooled).T for m in self.models]
        return torch.stack(likeness).sum(0).numpy()

    @classmethod
    def load(cls, folder: Path) -> "CaptionRetrieval":
        """Reads the model that the command wrote to this folder.

        Raises keypoints_captions.weights.WeightsError where it is missing or damaged.
        """
        state, facts = load_model(folder / _NAME)
        config = RetrievalConfig(**facts["config"])
        vocabulary = Vocabulary(facts["vocabulary"])
        parts: dict[str, dict[str, Tensor]] = {}
        for name, value in state.items():
            member, _, rest = name.partition(".")
            parts.setdefault(member, {})[rest] = value.float()
        encoder = None
        if "encoder" in parts:
            encoder = Encoder(facts["strides"])
            encoder.load_state_dict(parts.pop("encoder"))
        models = [RetrievalModel(len(vocabulary), config) for _ in parts]
        for number, model in enumerate(models):
            model.load_state_dict(parts[str(number)])
        return cls(models, vocabulary, PooledFeatures(folder, encoder))

    def save(self, folder: Path, config: RetrievalConfig) -> None:
        """Writes the models and the encoder that they read, if one."""
        encoder = self.features.encoder
        state = (
            {f"encoder.{n}": value for n, value in encoder.state_dict().items()} if encoder else {}
        )
        for number, model in enumerate(self.models):
            state |= {f"{number}.{name}": value for name, value in model.state_dict().items()}
        facts = {
            "config": vars(config),
            "strides": encoder.strides if encoder else "",
            "vocabulary": self.vocabulary.words,
        }
        save_model(folder / _NAME, state, facts, half=True)


def bag(captions: Sequence[Sequence[str]], vocabulary: Vocabulary) -> Tensor:
    """Captions as rows of their words' numbers, filled up with 0; unknown words are left out."""
    rows = [[n for n in vocabulary.encode(words) if n > 3] or [0] for words in captions]
    length = max(map(len, rows))
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def train(
    photos: Sequence[CaptionedPhoto],
    pooled: Tensor,
    vocabulary: Vocabulary,
    config: RetrievalConfig,
    seed: int,
) -> RetrievalModel:
    """One model, trained on the photos with these features, (N, POOLED)."""
    torch.manual_seed(seed)
    model = RetrievalModel(len(vocabulary), config)
    optimizer = torch.optim.AdamW(model.parameters(), config.rate, weight_decay=config.weight_decay)
    rng = random.Random(seed)
    steps = config.epochs * len(epoch_batches(len(photos), config.batch, 0, seed))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(config.epochs):
        for batch in epoch_batches(len(photos), config.batch, epoch, seed):
            chosen = [rng.choice(photos[number].words) for number in batch]
            loss = model.loss(pooled[batch], bag(chosen, vocabulary))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the models, writes them, and prints how well people's captions find their photos."""
    parser = program("captioning.words.retrieval", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of annotation files")
    parser.add_argument("--output", type=Path, default=Path("runs/retrieval"))
    parser.add_argument("--features", type=Path, help="a training's cache, instead of an encoder")
    parser.add_argument("--encoder-weights", default="", help="torchvision's ResNet-50 without")
    parser.add_argument("--encoder-strides", default="v1.5", choices=["v1", "v1.5"])
    for name, value in vars(RetrievalConfig()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args(arguments)
    config = RetrievalConfig(**{name: getattr(options, name) for name in vars(RetrievalConfig())})
    sets = {n: load_set(str(options.data / f"{n}.json")) for n in (*TRAINING, *VALIDATION)}
    if options.features:
        features = PooledFeatures(options.output, None, kind=options.features.resolve().name)
        features.take(Features(options.features, views=1))
    else:
        encoder = pretrained_encoder(options.encoder_weights, options.encoder_strides)
        features = PooledFeatures(options.output, encoder)
    photos = [photo for name in TRAINING for photo in sets[name]]
    counts = Counter(word for photo in photos for words in photo.words for word in words)
    vocabulary = Vocabulary.build(counts, config.min_count)
    pooled = features(photos)
    models = [
        train(photos, pooled, vocabulary, config, config.seed + n) for n in range(config.members)
    ]
    retrieval = CaptionRetrieval(models, vocabulary, features)
    retrieval.save(options.output, config)
    for name in VALIDATION:
        known = [photo for photo in sets[name] if features.knows([photo])]
        first = [photo.words[0] for photo in known]
        one, five = recall(retrieval(known, first))
        told = {"set": name, "photos": len(first), "recall at 1": one, "recall at 5": five}
        print(json.dumps(told))


if __name__ == "__main__":
    run(main)
