"""An ensemble of decoders: each word's probability is the geometric mean of theirs.

Decoders that were trained apart err apart, so together they say less that is not there
(Hansen & Salamon 1990). They share the encoder, whose work they read at the price of one.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from captioning.decoder import Decoder, DecoderConfig, Photos, State
from captioning.votes import WordVotes


class DecoderEnsemble(nn.Module):
    """Takes a `Decoder`'s place in search. `Photos` and `State` hold those of the members side by
    side in their last dimension.

    members: decoders of the same vocabulary and sizes.
    Raises ValueError where these differ.
    """

    def __init__(self, members: Sequence[Decoder]) -> None:
        super().__init__()
        kinds = {replace(member.config, dropout=0.0) for member in members}
        if len(kinds) != 1:
            raise ValueError(f"decoders of one shape expected, {len(kinds)} shapes given")
        self.members = nn.ModuleList(members)
        self.votes: WordVotes | None = None

    @property
    def config(self) -> DecoderConfig:
        return self.decoders[0].config

    @property
    def decoders(self) -> list[Decoder]:
        """The members, of their own type."""
        return list(self.members)  # type: ignore[arg-type]

    def read(self, grid: Tensor) -> Photos:
        """As `Decoder.read`; grid (B, P, n * E) and vector (B, n * E) of n members."""
        parts = [member.read(grid) for member in self.decoders]
        return Photos(*(torch.cat(tensors, -1) for tensors in zip(*parts, strict=True)))

    def forward(self, photos: Photos, words: Tensor, where: Tensor | None = None) -> Tensor:
        """As `Decoder.forward`; the logits are the members' mean log-probabilities, float32, short
        of the constant that would make a word's probabilities sum to 1."""
        parts = zip(self.decoders, self._photos(photos), strict=True)
        return _mean([member(part, words, where) for member, part in parts])

    def explain(self, photos: Photos, words: Tensor) -> tuple[Tensor, Tensor | None]:
        """As `Decoder.explain`, the attention the mean over the members."""
        parts = zip(self.decoders, self._photos(photos), strict=True)
        logits, looks = zip(*(member.explain(part, words) for member, part in parts), strict=True)
        seen = [look for look in looks if look is not None]
        return _mean(logits), torch.stack(seen).mean(0) if seen else None

    def start(self, photos: Photos) -> State:
        """As `Decoder.start`."""
        parts = zip(self.decoders, self._photos(photos), strict=True)
        return _join([member.start(part) for member, part in parts])

    def step(self, photos: Photos, state: State, words: Tensor) -> tuple[Tensor, State]:
        """As `Decoder.step`."""
        count = len(self.members)
        states = map(State, state.hidden.chunk(count, -1), state.cell.chunk(count, -1))
        parts = zip(self.decoders, self._photos(photos), states, strict=True)
        steps = [member.step(part, own, words) for member, part, own in parts]
        logits, grown = zip(*steps, strict=True)
        return _mean(logits), _join(grown)

    def _photos(self, photos: Photos) -> list[Photos]:
        count = len(self.members)
        return list(map(Photos, photos.grid.chunk(count, -1), photos.vector.chunk(count, -1)))


#: What speaks: one decoder or several.
AnyDecoder = Decoder | DecoderEnsemble


def _mean(logits: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.float().log_softmax(-1) for part in logits]).mean(0)


def _join(states: Sequence[State]) -> State:
    return State(*(torch.cat(tensors, -1) for tensors in zip(*states, strict=True)))
