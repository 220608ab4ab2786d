"""Votes of the photo's places for words: what the eye sees, beside what the decoder would say.

Each place of the encoder's grid votes for each of some thousand content words. A word's votes are
averaged with weights that favour the strongest places (class-specific residual attention, Zhu and
Wu, ICCV 2021). The search adds them to the decoder's log-probabilities, as far as they exceed what
is voted for a word on average, until the word is said: a product of two experts (Hinton 2002), of
which one has learnt sentences and the other, apart from it, what photos show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from captioning.encoder import GRID_CHANNELS

_ATTENTION = 0.3  # weight of the strongest places' votes beside the mean of all


class GridVotes(nn.Module):
    """(B, P, C) grid to (B, tags) log-odds that the photo's captions use these words."""

    def __init__(self, tags: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.places = nn.Linear(GRID_CHANNELS, tags)
        self.dropout = dropout
        nn.init.normal_(self.places.weight, std=0.005)
        nn.init.constant_(self.places.bias, -3.5)

    def forward(self, grid: Tensor) -> Tensor:
        votes = self.places(F.dropout(grid, self.dropout, self.training)).float()
        strongest = (votes.softmax(1) * votes).sum(1)
        return (1 - _ATTENTION) * votes.mean(1) + _ATTENTION * strongest


@dataclass(frozen=True)
class VoteFacts:
    """What a decoder's JSON tells of its votes.

    tags: the words voted for, by their stems. tag_of: for each word of the vocabulary the number
    of its tag, -1 where it has none. strength: of the votes beside the decoder's log-probabilities.
    lowest, highest: log-odds above or below the word's average are cut off there.
    """

    tags: Sequence[str]
    tag_of: Sequence[int]
    strength: float = 0.45
    lowest: float = -3.0
    highest: float = 4.0


class WordVotes(nn.Module):
    """(B, P, C) grid to the lift of each tag, (B, tags) float32: what is added to the
    log-probabilities of its words until one of them is said."""

    def __init__(self, facts: VoteFacts) -> None:
        super().__init__()
        self.facts = facts
        self.votes = GridVotes(len(facts.tags))  # less each word's average

    def forward(self, grid: Tensor) -> Tensor:
        above = self.votes(grid)
        return self.facts.strength * above.clamp(self.facts.lowest, self.facts.highest)
