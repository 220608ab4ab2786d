"""What the search asks of the networks: a state before the first word, and one step after another.

Arrays of numpy go in and come out, whatever runs the networks.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from captioning.engine.choice import Choice
from keypoints_captions.engines.engine import Engine


class Said(NamedTuple):
    """What a step tells of N sequences.

    log_probabilities: (N, V) float32 of the word that follows; -inf for what is never spoken.
    attention: (N, P) float32, shares of the grid's places in what was looked at; or None.
    state: after the step.
    """

    log_probabilities: np.ndarray
    attention: np.ndarray | None
    state: Any


class Lift(NamedTuple):
    """What B photos add to the log-probabilities of words until one of the same tag is said.

    tags: (B, tags) float32. tag_of: (V,) int64, the tag of each word, -1 without one. choice: how
    the captions found are chosen from; None where it was not fitted.
    """

    tags: np.ndarray
    tag_of: np.ndarray
    choice: Choice | None = None


class Speaker(Protocol):
    """A decoder, one step at a time. What photos and states are is its own affair."""

    def count(self, photos: Any) -> int:
        """How many photos these are."""
        ...

    def start(self, photos: Any) -> Any:
        """The state of one sequence a photo before <start>."""
        ...

    def lift(self, photos: Any) -> "Lift | None":
        """What the photos add to words, see `captioning.votes`; None where they add nothing."""
        ...

    def take(self, state: Any, rows: np.ndarray) -> Any:
        """The state of these sequences, (N,) int64; the same one may come twice."""
        ...

    def step(self, photos: Any, state: Any, words: np.ndarray) -> Said:
        """One word more in each of K sequences a photo; words: (B * K,) int64, their last."""
        ...


class Photos(NamedTuple):
    """What the networks have read of B photos, once for all searches.

    places: (B, P, S) float32, what the attention reads. hidden, cell: (B, S) float32, the state
    before <start>. lift: (B, tags) float32, as `Lift.tags`; None for a decoder without votes.
    """

    places: np.ndarray
    hidden: np.ndarray
    cell: np.ndarray
    lift: np.ndarray | None = None

    def one(self, index: int) -> "Photos":
        """One of the photos, in memory of its own."""
        return Photos(*(part[index : index + 1].copy() for part in self if part is not None))


class State(NamedTuple):
    """hidden, cell: (N, S) float32."""

    hidden: np.ndarray
    cell: np.ndarray


class EngineSpeaker:
    """The captioner's networks in an engine: photos to `Photos`, and a `Speaker` for them.

    encoder, start, step: see `captioning.engine.whole`. tag_of, choice: as in `Lift`.
    """

    def __init__(
        self,
        encoder: Engine,
        start: Engine,
        step: Engine,
        tag_of: np.ndarray | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.encoder, self._start, self._step = encoder, start, step
        self.tag_of, self.choice = tag_of, choice

    def look(self, squares: Sequence[np.ndarray]) -> Photos:
        """Encodes photos that `Preprocessing.squash` has made square."""
        grid = self.encoder(squares=np.stack(squares))["grid"]
        begun = self._start(grid=grid)
        return Photos(begun["places"], begun["hidden"], begun["cell"], begun.get("lift"))

    def count(self, photos: Photos) -> int:
        return len(photos.places)

    def lift(self, photos: Photos) -> Lift | None:
        if photos.lift is None or self.tag_of is None:
            return None
        return Lift(photos.lift, self.tag_of, self.choice)

    def start(self, photos: Photos) -> State:
        return State(photos.hidden, photos.cell)

    def take(self, state: State, rows: np.ndarray) -> State:
        return State(state.hidden[rows], state.cell[rows])

    def step(self, photos: Photos, state: State, words: np.ndarray) -> Said:
        rows = (len(photos.places), -1)
        size = photos.hidden.shape[1]
        told = self._step(
            places=photos.places,
            hidden=state.hidden.reshape(*rows, size),
            cell=state.cell.reshape(*rows, size),
            words=words.reshape(rows),
        )
        flat = {name: values.reshape(len(words), -1) for name, values in told.items()}
        after = State(flat["next_hidden"], flat["next_cell"])
        return Said(flat["log_probabilities"], flat["attention"], after)
