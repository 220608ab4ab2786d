"""The captioner's networks as every engine runs them: photo to grid, grid to the first state, and
one step from a word to the next.

The decoder's weights stay as torch keeps them, an LSTM's gates in the order input, forget, cell,
output: an exported graph can then read them from the very file that torch reads.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.decoder import Photos
from captioning.encoder import GRID_CHANNELS, Encoder
from captioning.engine.preprocessing import Preprocessing
from captioning.ensemble import AnyDecoder, DecoderEnsemble
from captioning.vocabulary import PAD, START, UNKNOWN
from keypoints_captions.engines.ports import Port, Ports


class WholeEncoder(nn.Module):
    """Square photos to the grid of features that the decoder reads."""

    def __init__(self, network: Encoder, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.preprocessing = network, preprocessing

    @property
    def inputs(self) -> Ports:
        size = self.preprocessing.size
        squares = "RGB, 0..255: whole photos, squashed to a square"
        return {"squares": Port("uint8", ("batch", size, size, 3), squares)}

    @property
    def outputs(self) -> Ports:
        places = places_of(self.preprocessing)
        grid = "features of the places of a square grid, row by row"
        return {"grid": Port("float32", ("batch", places, GRID_CHANNELS), grid)}

    def forward(self, squares: Tensor) -> tuple[Tensor]:
        images = self.preprocessing.normalise(squares)
        return (self.network(_like(self.network, images)).flatten(1, 2),)


class DecoderStart(nn.Module):
    """The grid to what every step reads of it, and to the state before the first word."""

    def __init__(self, network: AnyDecoder, places: int) -> None:
        super().__init__()
        self.network, self.places = network, places

    @property
    def inputs(self) -> Ports:
        grid = "what the encoder gave"
        return {"grid": Port("float32", ("batch", self.places, GRID_CHANNELS), grid)}

    @property
    def outputs(self) -> Ports:
        size = state_size(self.network)
        ports = {
            "places": Port("float32", ("batch", self.places, size), "what the attention reads"),
            "hidden": Port("float32", ("batch", size), "the LSTM's state before <start>"),
            "cell": Port("float32", ("batch", size), "the rest of that state"),
        }
        if self.network.votes:
            lift = "what the photo adds to log_probabilities of a tag's words until one is said"
            ports["lift"] = Port("float32", ("batch", len(self.network.votes.facts.tags)), lift)
        return ports

    def forward(self, grid: Tensor) -> tuple[Tensor, ...]:
        parts = []
        grid = _like(self.network, grid)
        for member in members(self.network):
            photos = member.read(grid)
            nothing = torch.zeros_like(photos.vector)
            parts.append((photos.grid, *_grow(member.lstm, photos.vector, nothing, nothing)))
        begun = [torch.cat(tensors, -1) for tensors in zip(*parts, strict=True)]
        return (*begun, self.network.votes(grid)) if self.network.votes else tuple(begun)


class DecoderStep(nn.Module):
    """One word more in each of several sequences a photo."""

    def __init__(self, network: AnyDecoder, places: int) -> None:
        super().__init__()
        self.network, self.places = network, places

    @property
    def inputs(self) -> Ports:
        size = state_size(self.network)
        rows = ("batch", "sequences")
        return {
            "places": Port("float32", ("batch", self.places, size), "as the start gave them"),
            "hidden": Port("float32", (*rows, size), "the LSTM's state before the word"),
            "cell": Port("float32", (*rows, size), "the rest of that state"),
            "words": Port("int64", rows, "the last word of each sequence, its number"),
        }

    @property
    def outputs(self) -> Ports:
        size, rows = state_size(self.network), ("batch", "sequences")
        spoken = "natural logarithm of each word's probability to follow; -inf: never spoken"
        attention = "share of each place in what was looked at, sum 1"
        vocabulary = self.network.config.vocabulary_size
        return {
            "log_probabilities": Port("float32", (*rows, vocabulary), spoken),
            "attention": Port("float32", (*rows, self.places), attention),
            "next_hidden": Port("float32", (*rows, size), "the state after the word"),
            "next_cell": Port("float32", (*rows, size), "the rest of that state"),
        }

    def forward(
        self, places: Tensor, hidden: Tensor, cell: Tensor, words: Tensor
    ) -> tuple[Tensor, ...]:
        parts = []
        decoders = members(self.network)
        chunks = [
            _like(self.network, tensor).chunk(len(decoders), -1)
            for tensor in (places, hidden, cell)
        ]
        for member, seen, *state in zip(decoders, *chunks, strict=True):
            new_hidden, new_cell = _grow(member.lstm, member.embed(words), *state)
            logits, attention = member.speak(Photos(seen, seen[:, 0]), new_hidden[:, :, None])
            if attention is None:  # it looks at the whole photo, once
                attention = torch.full_like(logits[..., : self.places], 1 / self.places)
            parts.append((logits[:, :, 0], attention[:, :, 0], new_hidden, new_cell))
        logits, attention, *grown = map(list, zip(*parts, strict=True))
        never = torch.zeros(logits[0].shape[-1], device=places.device)
        never[[PAD, START, UNKNOWN]] = -torch.inf
        log_probabilities = (_together(logits) + never).log_softmax(-1)
        state = [torch.cat(tensors, -1) for tensors in grown]
        return log_probabilities, torch.stack(attention).mean(0), *state


def members(decoder: AnyDecoder) -> list:
    """The decoders that speak: several, or the one."""
    return decoder.decoders if isinstance(decoder, DecoderEnsemble) else [decoder]


def places_of(preprocessing: Preprocessing) -> int:
    """Places of the encoder's grid."""
    return (preprocessing.size // 32) ** 2


def state_size(decoder: AnyDecoder) -> int:
    """Numbers of the hidden state, those of all members."""
    return len(members(decoder)) * decoder.config.embed_size


def _like(network: nn.Module, tensor: Tensor) -> Tensor:
    """The tensor in the number format of the network's weights."""
    return tensor.to(next(network.parameters()).dtype)


def _together(logits: Sequence[Tensor]) -> Tensor:
    if len(logits) == 1:
        return logits[0].float()
    return torch.stack([part.float().log_softmax(-1) for part in logits]).mean(0)


def _grow(lstm: nn.LSTM, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM of one layer: (…, E) each, new hidden and cell state."""
    from_input, from_hidden, input_bias, hidden_bias = lstm.all_weights[0]
    gates = F.linear(x, from_input, input_bias) + F.linear(hidden, from_hidden, hidden_bias)
    enter, keep, candidate, leave = gates.chunk(4, -1)
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
    return torch.sigmoid(leave) * torch.tanh(cell), cell
