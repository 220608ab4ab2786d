"""The captioner in PyTorch: in training, on a GPU, and where no other engine is installed."""

import copy

import numpy as np
import torch
from torch import Tensor

from captioning.decoder import Photos, State
from captioning.encoder import Encoder
from captioning.engine.preprocessing import Preprocessing
from captioning.engine.speaker import Lift, Said
from captioning.engine.whole import DecoderStart, DecoderStep, WholeEncoder, places_of
from captioning.ensemble import AnyDecoder
from captioning.vocabulary import PAD, START, UNKNOWN
from keypoints_captions.engines.engine import Engine
from keypoints_captions.engines.on_torch import TorchEngine
from keypoints_captions.precision import fastest_precision


def spoken(logits: Tensor) -> Tensor:
    """Logits (…, vocabulary) to log-probabilities over the words that may be spoken."""
    never = torch.tensor([PAD, START, UNKNOWN], device=logits.device)
    return logits.float().index_fill(-1, never, -torch.inf).log_softmax(-1)


class TorchSpeaker:
    """A decoder as it is, in training too; see `captioning.engine.speaker.Speaker`."""

    def __init__(self, decoder: AnyDecoder) -> None:
        self.decoder = decoder

    def count(self, photos: Photos) -> int:
        return len(photos.grid)

    def start(self, photos: Photos) -> State:
        with torch.no_grad():
            return self.decoder.start(photos)

    def lift(self, photos: Photos) -> Lift | None:
        return None  # in training the decoder learns to speak without the votes

    def take(self, state: State, rows: np.ndarray) -> State:
        return state.take(torch.from_numpy(rows).to(state.hidden.device))

    def step(self, photos: Photos, state: State, words: np.ndarray) -> Said:
        with torch.no_grad():
            last = torch.from_numpy(words).to(photos.grid.device)
            logits, state = self.decoder.step(photos, state, last)
            return Said(spoken(logits).cpu().numpy(), None, state)


def encoder_engine(
    encoder: Encoder, preprocessing: Preprocessing, device: torch.device, exact: bool = False
) -> TorchEngine:
    """The encoder in the number format that is fastest on the device; exact: in float32."""
    encoder = encoder.to(device).to(memory_format=torch.channels_last).eval()
    precision = torch.float32 if exact else _precision(encoder)
    return TorchEngine(WholeEncoder(encoder.to(precision), preprocessing))


def decoder_engines(
    decoder: AnyDecoder, preprocessing: Preprocessing, device: torch.device
) -> dict[str, Engine]:
    """A start and a step, in float32: rounded probabilities make other captions."""
    decoder = decoder.to(device).eval()
    places = places_of(preprocessing)
    return {
        "_start": TorchEngine(DecoderStart(decoder, places)),
        "_step": TorchEngine(DecoderStep(decoder, places)),
    }


def _precision(encoder: Encoder) -> torch.dtype:
    def run(precision: torch.dtype) -> None:
        trial = copy.deepcopy(encoder).to(precision)  # the weights keep all their digits
        images = torch.zeros(1, 3, 96, 96, dtype=precision)
        trial(images.to(memory_format=torch.channels_last))

    return fastest_precision(next(encoder.parameters()).device, run)
