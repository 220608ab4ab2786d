"""The decoder: an LSTM over [photo, <start>, word, word, …] with attention on top of it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioning.encoder import GRID_CHANNELS
from captioning.votes import WordVotes


@dataclass(frozen=True)
class DecoderConfig:
    vocabulary_size: int
    grid_channels: int = GRID_CHANNELS
    embed_size: int = 512  # of words, of the photo and of the LSTM
    heads: int = 8  # of the attention
    attention: bool = True  # without it the photo is read once, before the first word
    dropout: float = 0.5


class Photos(NamedTuple):
    """What the decoder has read of B photos; made once for each photo by `Decoder.read`.

    grid: (B, P, E), one row for each of the P places of the encoder's grid.
    vector: (B, E), the pooled feature vector embedded as the sequence's first input.
    """

    grid: Tensor
    vector: Tensor

    def repeat(self, times: int) -> "Photos":
        """Each photo `times` times, one after the other: (B * times, …)."""
        return Photos(
            self.grid.repeat_interleave(times, 0), self.vector.repeat_interleave(times, 0)
        )


class State(NamedTuple):
    """The LSTM's state for N sequences, both (N, E)."""

    hidden: Tensor
    cell: Tensor

    def take(self, rows: Tensor) -> "State":
        return State(self.hidden[rows], self.cell[rows])


class Decoder(nn.Module):
    """Word logits from a photo's grid and the words so far.

    The attention is late: it reads the grid with the LSTM's outputs and does not feed
    back into the LSTM, so in training one `nn.LSTM` call runs the whole sequence and all
    time steps attend at once. What it read passes a gate that sees the LSTM's output too
    ("attention on attention", Huang et al. 2019). The output layer shares the word
    embedding's weights (Press & Wolf 2017), half the parameters of a small-data model.

    votes: see `captioning.votes`; the search's affair, not that of `forward` and `step`.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        size = config.embed_size
        self.words = nn.Embedding(config.vocabulary_size, size)
        self.grid = nn.Linear(config.grid_channels, size)
        self.grid_norm = nn.LayerNorm(size)
        self.vector = nn.Linear(size, size)
        self.lstm = nn.LSTM(size, size, batch_first=True)
        if config.attention:
            self.query = nn.Linear(size, size)
            self.gate = nn.Linear(2 * size, size)
            self.value = nn.Linear(size, size)
        self.output_norm = nn.LayerNorm(size)
        self.output_bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.dropout = SequenceDropout(config.dropout)
        self.votes: WordVotes | None = None
        # Scaled by sqrt(size) on the way in, words then have the size that an LSTM wants,
        # and logits start near standard deviation 1 on the way out.
        nn.init.normal_(self.words.weight, std=size**-0.5)

    def read(self, grid: Tensor) -> Photos:
        """The encoder's grid, (B, P, C) or (B, h, w, C), to what every step reads."""
        features = torch.relu(self.grid(grid.flatten(1, -2)))
        places = self.dropout(self.grid_norm(features))
        return Photos(places, self.vector(places.mean(1)))

    def forward(self, photos: Photos, words: Tensor, where: Tensor | None = None) -> Tensor:
        """Teacher forcing: logits of the word after each given one.

        photos: B photos; words: (B, K, T) numbers, K captions a photo, each beginning
        with <start>. where: (B, K, T) bool, the M places to give logits for; all without.
        Returns (M, vocabulary), or (B, K, T, vocabulary) without `where`.
        """
        outputs = self._run(photos, words)
        seen, _ = self._look(photos, outputs)
        if where is not None:
            outputs, seen = outputs[where], None if seen is None else seen[where]
        return self._logits(outputs, seen)

    def explain(self, photos: Photos, words: Tensor) -> tuple[Tensor, Tensor | None]:
        """As `forward`, with the attention: (B, K, T, P), sums to 1 over the P places,
        mean over the heads, or None for a decoder without attention."""
        return self.speak(photos, self._run(photos, words))

    def speak(self, photos: Photos, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """LSTM outputs (B, K, T, E) to what `explain` gives."""
        seen, weights = self._look(photos, outputs)
        return self._logits(outputs, seen), weights

    def start(self, photos: Photos) -> State:
        """The state after the photo, before <start>."""
        _, (hidden, cell) = self._recur(photos.vector[:, None])
        return State(hidden[0], cell[0])

    def step(self, photos: Photos, state: State, words: Tensor) -> tuple[Tensor, State]:
        """One word more in each of K sequences a photo.

        photos: B photos; state: of B * K sequences; words: (B * K,) numbers, the last
        word of each. Returns logits (B * K, vocabulary) and the new state.
        """
        embedded = self.embed(words)[:, None]
        before = (state.hidden[None].contiguous(), state.cell[None].contiguous())
        outputs, (hidden, cell) = self._recur(embedded, before)
        outputs = outputs.unflatten(0, (photos.grid.shape[0], -1))
        seen, _ = self._look(photos, outputs)
        return self._logits(outputs, seen).flatten(0, 2), State(hidden[0], cell[0])

    def embed(self, words: Tensor) -> Tensor:
        return self.dropout(self.words(words) * self.config.embed_size**0.5)

    @torch.no_grad()
    def take(self, other: "Decoder") -> None:
        """Takes over the weights of a decoder whose vocabulary may be the beginning of this one's.

        Words that it does not know keep their vectors, and start as unlikely as its rarest.
        """
        known = other.config.vocabulary_size
        state = {k: v for k, v in other.state_dict().items() if not k.startswith("votes.")}
        self.output_bias.fill_(state["output_bias"].min())
        for name in ("words.weight", "output_bias"):
            own = self.state_dict()[name]
            own[:known] = state[name]
            state[name] = own
        self.load_state_dict(state)

    @torch.no_grad()
    def sharpen(self, factor: float) -> None:
        """Multiplies all logits by the factor: above 1, likely words become likelier."""
        for parameter in (self.output_norm.weight, self.output_norm.bias, self.output_bias):
            parameter.mul_(factor)

    def _recur(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`nn.LSTM`. On a GPU autocast would always compute it in float16, where gradients as
        small as a caption's word gives vanish; so there it stays in float32."""
        if inputs.device.type == "cpu":
            return self.lstm(inputs, state)
        with torch.autocast(inputs.device.type, enabled=False):
            before = None if state is None else (state[0].float(), state[1].float())
            return self.lstm(inputs.float(), before)

    def _run(self, photos: Photos, words: Tensor) -> Tensor:
        """The LSTM over [photo, words]; its outputs for the words, (B, K, T, E)."""
        count, captions, _ = words.shape
        embedded = self.embed(words.flatten(0, 1))
        first = photos.vector.repeat_interleave(captions, 0)[:, None]
        outputs, _ = self._recur(torch.cat([first, embedded], 1))
        return outputs[:, 1:].unflatten(0, (count, captions))

    def _look(self, photos: Photos, outputs: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What LSTM outputs (B, K, T, E) read in the grid, of the same shape, and the weights
        of that reading, (B, K, T, P), mean over the heads."""
        if not self.config.attention:
            return None, None
        heads, length = self.config.heads, outputs.shape[1:3]
        places = photos.grid.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, heads, P, E/h)
        queries = self.query(outputs).flatten(1, 2).unflatten(-1, (heads, -1)).transpose(1, 2)
        scores = queries @ places.transpose(-1, -2) * queries.shape[-1] ** -0.5
        weights = scores.float().softmax(-1)  # sums to 1 in bfloat16 too
        seen = (weights.to(places.dtype) @ places).transpose(1, 2).flatten(-2).unflatten(1, length)
        return seen, weights.mean(1).unflatten(1, length)

    def _logits(self, outputs: Tensor, seen: Tensor | None) -> Tensor:
        """LSTM outputs (…, E) and what they read to logits (…, vocabulary)."""
        if seen is not None:
            gate = torch.sigmoid(self.gate(torch.cat([outputs, seen], -1)))
            outputs = outputs + gate * self.value(seen)
        mixed = F.dropout(self.output_norm(outputs), self.dropout.probability, self.training)
        return F.linear(mixed, self.words.weight, self.output_bias)


class SequenceDropout(nn.Module):
    """Dropout that leaves out the same features at every step of a sequence (Gal &
    Ghahramani 2016): (…, T, E) in, one mask for all T. Drawing it costs T times less."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        mask = torch.rand((*x.shape[:-2], 1, x.shape[-1]), device=x.device) < keep
        return x * (mask.to(x.dtype) / keep)
