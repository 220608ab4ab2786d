"""The captioner: look at its data, train it in stages, and write its weights.

    python -m train.captioning show   [--output sheet.png]
    python -m train.captioning all    --checkpoints runs/captioning
    python -m train.captioning scst   --checkpoints runs/captioning   (or another stage)
    python -m train.captioning features --checkpoints runs/captioning   (stage xe's cache)
    python -m train.captioning export --checkpoints runs/captioning --weights weights
    torchrun --nproc-per-node 2 -m train.captioning all …         (several GPUs or machines)

Photos are named by `--train` and `--validation`; `--config` takes a JSON file of options, see
`train/recipes`. Stages run one after the other, each from the best checkpoint of the one before;
a run interrupted and started again with the same `--checkpoints` goes on where it was.
"""

import argparse
import copy
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torchvision.models import ResNet50_Weights

from captioning.captioner import DECODER_NAME, ENCODER_NAME, Parts, load_parts
from captioning.decoder import Decoder, DecoderConfig
from captioning.encoder import Encoder, Preprocessing, fold_batch_norm
from captioning.ensemble import AnyDecoder, DecoderEnsemble
from captioning.vocabulary import Vocabulary
from keypoints_captions.weights import save_model
from train.captioning.data import CaptionedPhoto, CaptionRows, load_set
from train.captioning.features import Features, fingerprint, make_features, wait_for_all
from train.captioning.metrics import CiderD
from train.captioning.objectives import (
    CachedGrids,
    CaptionModel,
    CrossEntropy,
    Objective,
    PhotoFiles,
    PhotoSource,
    SelfCritical,
    Validation,
)
from train.captioning.sheet import write_training_sheet
from train.captioning.stages import Stage, StageConfig
from train.command_line import run
from train.engine import (
    Process,
    add_config_arguments,
    config_from_arguments,
    load_checkpoint,
    process_group,
)

STAGES = ("xe", "tune", "whole", "refine", "scst")
_UPPER, _EARLY = ("layer3", "layer4"), ("stem", "layer1", "layer2")


@dataclasses.dataclass(frozen=True)
class CaptionConfig:
    """One training run. Epochs of 0 leave a stage out; minutes above 0 end it early, its
    learning rate then falls with the time."""

    # ANNOTATIONS[,FOLDER[,SPLIT]], see train.captioning.data.load_set
    train: tuple[str, ...] = (
        "data/captions/coco_train.json",
        "data/captions/flickr8k_train.json",
    )
    validation: tuple[str, ...] = (
        "data/captions/coco_val.json",
        "data/captions/flickr8k_val.json",
    )
    validation_photos: int = 300  # of each set, after each epoch; 0 for all
    # Another run, or a folder of exported weights: its last decoder and encoder start this one.
    start_from: str = ""
    fresh_decoder: bool = False  # of start_from take the encoder only
    encoder_weights: str = ""  # a safetensors file of a ResNet-50; torchvision's without
    encoder_strides: str = "v1.5"  # v1 for weights of the original layout
    image_size: int = 256
    # Of the crops that the encoder learns from: they show things larger than the whole photo
    # does, so that the photo is read larger in the end (Touvron et al. 2019).
    crop_size: int = 224
    min_count: int = 5  # of a word in the training captions, to be in the vocabulary
    max_words: int = 16  # longer captions are cut in training
    captions_per_photo: int = 5  # learnt at once, for one reading of the photo
    embed_size: int = 512
    heads: int = 8
    attention: bool = True
    dropout: float = 0.3
    label_smoothing: float = 0.05
    weight_decay: float = 0.02
    ema: float = 0.98  # decay of the averaged weights, every fourth step
    xe_epochs: int = 8
    xe_minutes: float = 0.0
    xe_batch: int = 32  # photos a step and process
    xe_rate: float = 1e-3
    tune_epochs: int = 3
    tune_minutes: float = 0.0
    tune_batch: int = 16
    tune_rate: float = 5e-4  # of the decoder
    tune_encoder_rate: float = 7e-5  # of layer3 and layer4
    whole_epochs: int = 1
    whole_minutes: float = 0.0
    whole_batch: int = 16
    whole_rate: float = 2e-4  # of the decoder
    whole_encoder_rate: float = 4e-5  # of layer3 and layer4; a quarter of it before them
    # The decoder alone again: tuning reads so few photos a second that it leaves it underfitted.
    refine_epochs: int = 4
    refine_minutes: float = 0.0
    refine_batch: int = 32
    refine_rate: float = 1e-3
    scst_epochs: int = 5
    scst_minutes: float = 0.0
    scst_batch: int = 32
    scst_rate: float = 2e-4
    scst_samples: int = 5  # captions a photo
    scst_dropout: float = 0.1
    # Label smoothing leaves a part of the probability to words that make no sense, and most
    # sampled captions would hold one; logits times this take it back before SCST starts.
    scst_sharpen: float = 1.2
    feature_views: int = 1  # of a training photo in the cache: as it is, and random crops
    features: str = ""  # folder of the feature caches, to share between runs; RUN/features without
    bfloat16: bool = True  # several times faster on processors and GPUs that have it
    feature_batch: int = 32
    workers: int = 2  # threads that read photos
    checkpoint_minutes: float = 3.0
    seed: int = 0


class Training:
    """A run: its data, and what its stages hand on to each other through its folder."""

    def __init__(self, config: CaptionConfig, run: Path, process: Process) -> None:
        self.config, self.run, self.process = config, run, process
        self.train_sets = [load_set(source) for source in config.train]
        self.photos = [photo for photos in self.train_sets for photo in photos]
        most = config.validation_photos or None
        self.validation = {_name(source): load_set(source)[:most] for source in config.validation}
        self.preprocessing = Preprocessing(size=config.image_size)
        self.start: Parts | None = None
        if config.start_from and (Path(config.start_from) / f"{DECODER_NAME}.json").exists():
            self.start = load_parts(config.start_from)
        if self.start and not config.fresh_decoder:
            self.vocabulary = self.start.vocabulary
        else:
            captions = (words for photo in self.photos for words in photo.words)
            self.vocabulary = Vocabulary.build(captions, config.min_count)
        if process.is_main:
            run.mkdir(parents=True, exist_ok=True)
            self.vocabulary.save(run / "vocabulary.json")
            facts = json.dumps(dataclasses.asdict(config), indent=1)
            (run / "config.json").write_text(facts, encoding="utf-8")
            print(f"{len(self.photos)} photos, {len(self.vocabulary)} words", flush=True)

    def stage(self, name: str) -> None:
        """Runs one stage to its end, or finds it done."""
        if getattr(self.config, f"{name}_epochs") == 0:
            return
        decoder, encoder = self.latest(before=name)
        learns_encoder = name in ("tune", "whole")
        source: PhotoSource
        if learns_encoder:
            source = PhotoFiles(self.preprocessing, Preprocessing(size=self.config.crop_size))
        else:
            source = CachedGrids(self.features(encoder))
        if name == "scst":
            decoder.dropout.probability = self.config.scst_dropout
            decoder.sharpen(self.config.scst_sharpen)
        model = CaptionModel(decoder, encoder if learns_encoder else None, self.preprocessing)
        rows = CaptionRows(
            self.photos, self.vocabulary, self.config.captions_per_photo, self.config.max_words
        )
        stage = Stage(
            self.stage_config(name), model, self.photos, rows, source, self.objective(name),
            self.checks(source), self.run / name, self.process,
        )  # fmt: skip
        stage.run()
        wait_for_all(self.process)

    def stage_config(self, name: str) -> StageConfig:
        config, rates = self.config, {}
        if name in ("tune", "whole"):
            rates = dict.fromkeys(_UPPER, getattr(config, f"{name}_encoder_rate"))
        if name == "whole":
            rates |= dict.fromkeys(_EARLY, config.whole_encoder_rate / 4)
        return StageConfig(
            name=name,
            epochs=getattr(config, f"{name}_epochs"),
            minutes=getattr(config, f"{name}_minutes"),
            photos_per_batch=getattr(config, f"{name}_batch"),
            rate=getattr(config, f"{name}_rate"),
            encoder_rates=rates,
            weight_decay=config.weight_decay,
            ema=config.ema,
            seed=config.seed,
            bfloat16=config.bfloat16,
            workers=config.workers,
            checkpoint_minutes=config.checkpoint_minutes,
        )

    def objective(self, name: str) -> Objective:
        if name != "scst":
            return CrossEntropy(self.config.label_smoothing)
        references = []
        for photos in self.train_sets:  # each set's own document frequencies
            scorer = CiderD([[[*w, "<end>"] for w in photo.words] for photo in photos])
            references += [(scorer, place) for place in range(len(photos))]
        return SelfCritical(
            self.vocabulary, references, self.config.scst_samples, self.config.max_words
        )

    def checks(self, source: PhotoSource) -> Validation:
        return Validation(self.validation, self.vocabulary, source, self.config.bfloat16)

    def features(self, encoder: Encoder) -> Features:
        """The cache of the grids by this encoder of the photos that training reads."""
        root = Path(self.config.features) if self.config.features else self.run / "features"
        checked = [photo for some in self.validation.values() for photo in some]
        return make_features(
            encoder, self.preprocessing, self.photos, self.config.feature_views, checked,
            root / fingerprint(encoder), self.process,
            self.config.feature_batch, self.config.workers, self.config.bfloat16,
        )  # fmt: skip

    def latest(self, before: str | None = None) -> tuple[Decoder, Encoder]:
        """Decoder and encoder as the last stage done before the given one left them."""
        torch.manual_seed(self.config.seed)
        decoder = Decoder(self.decoder_config())
        encoder: Encoder | None = None
        if self.start:
            encoder = copy.deepcopy(self.start.encoder)
            if not self.config.fresh_decoder:
                decoder.load_state_dict(_first(self.start.decoder).state_dict())
        own = [self.run / name for name in STAGES[: STAGES.index(before) if before else None]]
        start = Path(self.config.start_from)
        # "tag" is of train.captioning.tagging: an encoder without a decoder.
        others = [start / name for name in ("tag", *STAGES)] if self.config.start_from else []
        for folder in others + own:
            best = load_checkpoint(folder / "best.pt", torch.device("cpu"))
            if best is None:
                continue
            if "decoder" in best and (folder in own or not self.config.fresh_decoder):
                decoder.load_state_dict(best["decoder"])
            if "encoder" in best:
                encoder = Encoder(self.config.encoder_strides)
                encoder.load_state_dict(best["encoder"])
        return decoder, encoder or pretrained_encoder(self.config)

    def decoder_config(self) -> DecoderConfig:
        config = self.config
        return DecoderConfig(
            vocabulary_size=len(self.vocabulary),
            embed_size=config.embed_size,
            heads=config.heads,
            attention=config.attention,
            dropout=config.dropout,
        )


def pretrained_encoder(config: CaptionConfig) -> Encoder:
    """The ImageNet ResNet-50 that training starts from.

    Raises FileNotFoundError where there is none and none can be downloaded.
    """
    if config.encoder_weights:
        state = load_file(config.encoder_weights)
    else:
        try:
            state = dict(ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True))
        except URLError as error:
            raise FileNotFoundError(
                f"torchvision's ImageNet ResNet-50 could not be downloaded ({error.reason}); "
                "name a safetensors file of one with --encoder-weights"
            ) from None
    encoder = Encoder(config.encoder_strides)
    encoder.load_state_dict(fold_batch_norm(state))
    return encoder


def export(
    training: Training, folder: Path, after: str | None, beside: Sequence[Path] = ()
) -> None:
    """Writes the model as the given stage (the last one done, without) left it.

    beside: folders of exported weights whose decoders are to speak along, see
        `captioning.ensemble`.
    Raises ValueError where one of these reads another encoder's features or knows other words.
    """
    before = STAGES[STAGES.index(after) + 1 :][:1] if after else ()
    decoder, encoder = training.latest(before=before[0] if before else None)
    others = [_decoder_beside(other, encoder, training.vocabulary) for other in beside]
    speaking = DecoderEnsemble([decoder, *others]) if others else decoder
    options = dataclasses.asdict(training.config)
    for key in ("features", "encoder_weights", "start_from"):  # this machine's folders
        options[key] = Path(options[key]).name
    for key in ("train", "validation"):
        options[key] = [_name(source) for source in options[key]]
    facts = {
        "photos": len(training.photos),
        "validation CIDEr-D after": {
            name: scores for name in STAGES if (scores := _scores(training.run / name))
        },
        "options": options,
    }
    save_model(
        folder / ENCODER_NAME,
        encoder.state_dict(),
        {
            "architecture": {"name": "ResNet-50, batch norm folded", "strides": encoder.strides},
            "preprocessing": training.preprocessing.to_dict(),
        },
        half=True,
    )
    save_model(
        folder / DECODER_NAME,
        speaking.state_dict(),
        {
            "architecture": dataclasses.asdict(training.decoder_config()),
            "decoders": 1 + len(others),
            "vocabulary": training.vocabulary.words,
            "training": facts,
        },
        half=True,
    )
    print(f"wrote {folder / ENCODER_NAME} and {folder / DECODER_NAME}")


def _first(decoder: AnyDecoder) -> Decoder:
    return decoder.decoders[0] if isinstance(decoder, DecoderEnsemble) else decoder


def _decoder_beside(folder: Path, encoder: Encoder, vocabulary: Vocabulary) -> Decoder:
    parts = load_parts(folder)
    if parts.vocabulary.words != vocabulary.words:
        raise ValueError(f"{folder}: its decoder knows other words than the run's")
    own = encoder.state_dict()
    for name, value in parts.encoder.state_dict().items():
        if not torch.equal(value.half(), own[name].half()):
            raise ValueError(f"{folder}: its decoder reads another encoder's features")
    return _first(parts.decoder)


def _scores(folder: Path) -> dict[str, float] | None:
    best = load_checkpoint(folder / "best.pt", torch.device("cpu"))
    return None if best is None else {k: round(v, 2) for k, v in best["scores"].items()}


def _name(source: str) -> str:
    return Path(source.split(",")[0]).stem


def parse(arguments: Sequence[str] | None) -> tuple[CaptionConfig, argparse.Namespace]:
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--config", type=Path, help="JSON file of options, which others override")
    given, _ = first.parse_known_args(arguments)
    defaults = CaptionConfig()
    if given.config:
        values = json.loads(given.config.read_text(encoding="utf-8"))
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        defaults = dataclasses.replace(defaults, **values)
    parser = argparse.ArgumentParser(prog="python -m train.captioning", parents=[first])
    parser.add_argument("command", choices=["show", "features", *STAGES, "all", "export"])
    parser.add_argument("--checkpoints", dest="run", type=Path, default=Path("runs/captioning"))
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="of export")
    parser.add_argument("--after", choices=STAGES, help="of export; the last stage done without")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[],
        help="of export: folders of exported weights, with the same encoder, whose decoders are "
        "to speak along",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("out/captions.png"), help="of show")
    add_config_arguments(parser, defaults)
    parsed = parser.parse_args(arguments)
    own = parsed.run / "config.json"
    if parsed.command == "export" and not parsed.config and own.exists():
        given_all = sys.argv[1:] if arguments is None else arguments
        return parse([*given_all, "--config", str(own)])  # as the run was trained
    return config_from_arguments(CaptionConfig, parsed), parsed


def main(arguments: Sequence[str] | None = None) -> None:
    config, parsed = parse(arguments)
    if parsed.command == "show":
        photos: list[CaptionedPhoto] = [p for source in config.train for p in load_set(source)]
        write_training_sheet(photos, Preprocessing(config.image_size), parsed.output, config.seed)
        return
    with process_group() as process:
        training = Training(config, parsed.run, process)
        if parsed.command == "export":
            try:
                export(training, parsed.weights, parsed.after, parsed.beside)
            except ValueError as error:
                raise SystemExit(f"cannot export: {error}") from None
            return
        if parsed.command == "features":
            training.features(training.latest(before="xe")[1])
            return
        for name in STAGES if parsed.command == "all" else [parsed.command]:
            training.stage(name)


if __name__ == "__main__":
    run(main)
