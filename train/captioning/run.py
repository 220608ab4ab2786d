"""A training run of the captioner: its options, its data, and the models its stages hand on."""

import copy
import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from captioning.captioner import DECODER_NAME, Parts, load_parts
from captioning.decoder import Decoder, DecoderConfig
from captioning.encoder import Encoder
from captioning.engine.preprocessing import Preprocessing
from captioning.ensemble import AnyDecoder, DecoderEnsemble
from captioning.vocabulary import Vocabulary
from train.captioning.data import load_set
from train.captioning.features import Features, fingerprint, make_features, pretrained_encoder
from train.captioning.text import load_text
from train.engine.checkpoints import load_checkpoint
from train.engine.options import UsageError
from train.engine.processes import Process


@dataclasses.dataclass(frozen=True)
class CaptionConfig:
    """Options that all stages of a run share; see `train.captioning.stages` for each one's own."""

    # ANNOTATIONS[,FOLDER[,SPLIT]], see train.captioning.data.load_set
    train: tuple[str, ...] = (
        "data/captions/coco_train.json",
        "data/captions/flickr8k_train.json",
    )
    validation: tuple[str, ...] = (
        "data/captions/coco_val.json",
        "data/captions/flickr8k_val.json",
    )
    text: str = ""  # a file of captions without photos, see train.captioning.text.load_text
    validation_photos: int = 300  # of each set, after each epoch; 0 for all
    # Another run, or a folder of exported weights: its last decoder and encoder start this one.
    start_from: str = ""
    fresh_decoder: bool = False  # of start_from take the encoder only
    decoder_from: str = ""  # a folder of exported weights: its first decoder starts this run's
    encoder_weights: str = ""  # a safetensors file of a ResNet-50; torchvision's without
    encoder_strides: str = "v1.5"  # v1 for weights of the original layout
    image_size: int = 256
    # Of the crops that the encoder learns from: they show things larger than the whole photo
    # does, so that the photo is read larger in the end (Touvron et al. 2019).
    crop_size: int = 224
    min_count: int = 5  # of a word in the training captions, to be in the vocabulary
    text_min_count: int = 10  # of a word that occurs twice at least with photos, photos' and text's
    max_words: int = 16  # longer captions are cut in training
    captions_per_photo: int = 5  # learnt at once, for one reading of the photo
    embed_size: int = 512
    heads: int = 8
    attention: bool = True
    dropout: float = 0.3
    label_smoothing: float = 0.05
    weight_decay: float = 0.02
    ema: float = 0.98  # decay of the averaged weights, every fourth step
    feature_views: int = 1  # of a training photo in the cache: as it is, and random crops
    features: str = ""  # folder of the feature caches, to share between runs; RUN/features without
    bfloat16: bool = True  # several times faster on processors and GPUs that have it
    feature_batch: int = 32
    workers: int = 2  # threads that read photos
    checkpoint_minutes: float = 3.0
    seed: int = 0


class CaptionRun:
    """A run: its data, and what its stages hand on to each other through its folder.

    order: the names of the stages, each a folder of the run, first one first.
    """

    def __init__(
        self, config: CaptionConfig, order: Sequence[str], folder: Path, process: Process
    ) -> None:
        self.config, self.order, self.folder, self.process = config, order, folder, process
        self.train_sets = [load_set(source) for source in config.train]
        self.photos = [photo for photos in self.train_sets for photo in photos]
        most = config.validation_photos or None
        self.validation = {set_name(s): load_set(s)[:most] for s in config.validation}
        if len(self.validation) < len(config.validation):
            raise UsageError(
                "Expected validation sets whose files have different names, got "
                f"{', '.join(config.validation)}."
            )
        self.text = load_text(config.text) if config.text else []
        self.preprocessing = Preprocessing(size=config.image_size)
        self.start: Parts | None = None
        if config.start_from and (Path(config.start_from) / f"{DECODER_NAME}.json").exists():
            self.start = load_parts(config.start_from)
        self.begun = None if config.fresh_decoder else self.start
        if config.decoder_from:
            self.begun = load_parts(config.decoder_from)
        self.vocabulary = self._known_words()
        if self.begun:
            more = self.vocabulary.words if config.text else []
            self.vocabulary = self.begun.vocabulary.grown(more)
        self.decoder_config = DecoderConfig(
            vocabulary_size=len(self.vocabulary),
            embed_size=config.embed_size,
            heads=config.heads,
            attention=config.attention,
            dropout=config.dropout,
        )
        if process.is_main:
            print(f"{len(self.photos)} photos, {len(self.vocabulary)} words", flush=True)

    def _known_words(self) -> Vocabulary:
        """The words frequent enough with photos, and those of the text that photos show too."""
        config = self.config
        shown = Counter(word for photo in self.photos for words in photo.words for word in words)
        told = shown + Counter(w for photo in self.text for words in photo.words for w in words)
        known = {
            word: count
            for word, count in told.items()
            if shown[word] >= config.min_count
            or (shown[word] >= 2 and self.text and count >= config.text_min_count)
        }
        return Vocabulary.build(known)

    def decoder(self, before: str | None = None) -> Decoder:
        """The decoder as the last stage done before the given one left it."""
        torch.manual_seed(self.config.seed)
        decoder = Decoder(self.decoder_config)
        checkpoints = self._checkpoints(before)
        if self.begun:
            decoder.take(first_decoder(self.begun.decoder))
        elif not self.config.fresh_decoder:
            checkpoints = self._checkpoints_of_start() + checkpoints
        if state := _last(checkpoints, "decoder"):
            decoder.load_state_dict(state["decoder"])
        elif not (self.begun or self.config.fresh_decoder):
            self._need_start()
        return decoder

    def encoder(self, before: str | None = None) -> Encoder:
        """The encoder as the last stage done before the given one left it."""
        checkpoints = self._checkpoints_of_start() + self._checkpoints(before)
        if state := _last(checkpoints, "encoder"):
            encoder = Encoder(state.get("strides", self.config.encoder_strides))
            encoder.load_state_dict(state["encoder"])
            return encoder
        if self.start:
            return copy.deepcopy(self.start.encoder)
        self._need_start()
        return pretrained_encoder(self.config.encoder_weights, self.config.encoder_strides)

    def has_decoder(self) -> bool:
        """Whether a stage has left a decoder, or the run begins with a trained one."""
        checkpoints = self._checkpoints_of_start() + self._checkpoints(None)
        return self.begun is not None or _last(checkpoints, "decoder") is not None

    def _need_start(self) -> None:
        """Raises UsageError where the run is to start from a folder that holds nothing."""
        folder, checkpoints = self.config.start_from, self._checkpoints_of_start()
        if folder and not self.start and not any(path.exists() for path in checkpoints):
            raise UsageError(
                f"Expected exported weights or a run's checkpoints in {folder} (--start-from), got "
                "neither."
            )

    def votes(self) -> dict[str, Any] | None:
        """What the stage of the votes left, as its task's `best` tells."""
        return _last(self._checkpoints_of_start() + self._checkpoints(None), "votes")

    def _checkpoints(self, before: str | None) -> list[Path]:
        done = self.order[: self.order.index(before)] if before else self.order
        return [self.folder / name / "best.pt" for name in done]

    def _checkpoints_of_start(self) -> list[Path]:
        start = self.config.start_from
        # Runs of earlier versions have the tagging's encoder in "tag".
        names = ("tag", *self.order) if start else ()
        return [Path(start) / name / "best.pt" for name in names]

    def features(self, encoder: Encoder) -> Features:
        """The cache of the grids by this encoder of the photos that training reads."""
        config = self.config
        root = Path(config.features) if config.features else self.folder / "features"
        checked = [photo for some in self.validation.values() for photo in some]
        return make_features(
            encoder, self.preprocessing, self.photos, config.feature_views, checked,
            root / fingerprint(encoder), self.process,
            config.feature_batch, config.workers, config.bfloat16,
        )  # fmt: skip


def _last(checkpoints: Sequence[Path], part: str) -> dict[str, Any] | None:
    """The last checkpoint that has this part of the model."""
    for path in reversed(checkpoints):
        state = load_checkpoint(path)
        if state and part in state:
            return state
    return None


def first_decoder(decoder: AnyDecoder) -> Decoder:
    """The decoder, or the first of several."""
    return decoder.decoders[0] if isinstance(decoder, DecoderEnsemble) else decoder


def set_name(source: str) -> str:
    """Name of a set that is given as ANNOTATIONS[,FOLDER[,SPLIT]]."""
    return Path(source.split(",")[0]).stem
