"""Tiny generated worlds for tests of the captioner: photos with captions, untrained weights."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

import captioning.encoder
from captioning.captioner import DECODER_NAME, ENCODER_NAME
from captioning.decoder import Decoder, DecoderConfig
from captioning.encoder import Encoder, fold_batch_norm
from captioning.engine.preprocessing import Preprocessing
from captioning.vocabulary import SPECIAL_WORDS
from keypoints_captions.weights import save_model

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (20, 180, 40), "grey": (120,) * 3}
SHAPES = ("box", "stripe")
WORDS = ["a", "dog", "cat", "runs", "sits", "red", "blue", "ball", "fast", "here", "'s"]


def make_photos(folder: Path) -> str:
    """Eight photos of one coloured shape each, 64 × 48, in COCO's format; gives the JSON's path."""
    images: list[dict] = []
    annotations: list[dict] = []
    for number, (colour, shape) in enumerate((c, s) for c in COLOURS for s in SHAPES):
        pixels = np.full((48, 64, 3), 255, np.uint8)
        if shape == "box":
            pixels[12:36, 16:48] = COLOURS[colour]
        else:
            pixels[:, 8:20] = COLOURS[colour]
        name = f"photo{number}.png"
        Image.fromarray(pixels).save(folder / name)
        images.append({"id": number + 1, "file_name": name, "width": 64, "height": 48})
        for text in (f"A {colour} {shape} on a white wall.", f"a {colour} {shape} in the middle"):
            annotations.append({"id": len(annotations), "image_id": number + 1, "caption": text})
    path = folder / "photos.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return str(path)


def shallow_resnet(weights: None = None, **options: Any) -> ResNet:
    """ResNet-50 with one block in each of its stages: a third of the parameters and of the time."""
    return ResNet(Bottleneck, [1, 1, 1, 1], **options)


@contextmanager
def shallow_encoders() -> Iterator[None]:
    """Meanwhile all encoders are shallow, those of this file and those of the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captioning.encoder, "resnet50", shallow_resnet)
        yield


def untrained_resnet() -> ResNet:
    """A ResNet whose batch norm fits coloured noise, so that photos differ in its features; read it
    only. ResNet-50, but in `shallow_encoders`."""
    return _untrained(captioning.encoder.resnet50)


@cache
def _untrained(architecture: Callable[..., ResNet]) -> ResNet:
    torch.manual_seed(0)
    model = architecture(weights=None)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    colours, places = torch.randn(16, 3, 1, 1), torch.randn(16, 3, 4, 4)
    with torch.no_grad():
        model(nn.functional.interpolate(colours + places, size=64))
    return model


def make_resnet(folder: Path) -> str:
    """`untrained_resnet` in a safetensors file; gives its path."""
    path = folder / "resnet50.safetensors"
    state = untrained_resnet().state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return str(path)


def make_captioner(folder: Path) -> Path:
    """An untrained captioner that knows `WORDS`, saved as a trained one is; gives the folder."""
    encoder = Encoder()
    encoder.load_state_dict(fold_batch_norm(untrained_resnet().state_dict()))
    torch.manual_seed(1)
    config = {"vocabulary_size": 4 + len(WORDS), "embed_size": 32, "heads": 2}
    decoder = Decoder(DecoderConfig(**config))
    decoder.sharpen(2.0)
    preprocessing = Preprocessing(size=64).to_dict()
    facts = {"architecture": {"strides": encoder.strides}, "preprocessing": preprocessing}
    save_model(folder / ENCODER_NAME, encoder.state_dict(), facts, half=True)
    facts = {"architecture": config, "vocabulary": [*SPECIAL_WORDS, *WORDS]}
    save_model(folder / DECODER_NAME, decoder.state_dict(), facts, half=True)
    return folder


@dataclass(frozen=True)
class World:
    """Where the photos' annotations and the ResNet's weights lie."""

    folder: Path
    annotations: str
    resnet: str


def make_world(folder: Path) -> World:
    return World(folder, make_photos(folder), make_resnet(folder))


def tiny_options(world: World, run: str) -> list[str]:
    """Options of a training that overfits the photos in seconds."""
    options = {
        "train": world.annotations, "validation": world.annotations,
        "encoder-weights": world.resnet, "checkpoints": world.folder / run,
        "features": world.folder / "features", "image-size": 64, "crop-size": 64, "min-count": 1,
        "embed-size": 64, "heads": 4, "captions-per-photo": 2, "dropout": 0.0,
        "tagging-epochs": 0, "votes-epochs": 0,
        "scst-dropout": 0.0, "label-smoothing": 0.0, "xe-epochs": 50, "xe-rate": 0.01,
        "xe-batch": 4, "tune-epochs": 1, "tune-batch": 4, "tune-rate": 1e-3,
        "tune-encoder-rate": 1e-5, "whole-epochs": 1, "whole-batch": 4,
        "whole-encoder-rate": 1e-5, "refine-epochs": 2, "refine-batch": 4,
        "refine-rate": 1e-3, "scst-epochs": 2, "scst-batch": 4, "workers": 1,
    }  # fmt: skip
    return [part for key, value in options.items() for part in (f"--{key}", str(value))]
