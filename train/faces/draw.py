"""Random draws of faces from several sources."""

from collections.abc import Mapping

import numpy as np

from train.engine.options import UsageError


class SourceDraw:
    """Draws faces at random, given shares of them from some sources, the rest from all others.

    sources: (N,) of the faces. shares: source -> its share, 0..1; those of sources that there are
    none of go to the others, and the others' to the named ones where there are no others.
    emphasis: (N,) how often a face is drawn against the others of its kind; alike without.

    Raises:
        UsageError: there are no faces, or the shares are more than 1 in sum, or leave none to draw.
    """

    def __init__(
        self,
        sources: np.ndarray,
        shares: Mapping[str, float],
        emphasis: np.ndarray | float = 1.0,
    ) -> None:
        named = [sources == source for source in shares]
        other = ~np.any([np.zeros(len(sources), bool), *named], axis=0)
        emphasis = np.broadcast_to(emphasis, len(sources))
        weight = np.zeros(len(sources))
        rest = max(0.0, 1 - sum(shares.values()))
        for part, share in zip([*named, other], [*shares.values(), rest], strict=True):
            weight[part] = share * emphasis[part] / emphasis[part].sum()
        there = [share for part, share in zip(named, shares.values(), strict=True) if part.any()]
        if sum(there) > 1 + 1e-6 or min(there, default=0.0) < 0 or not weight.any():
            told = ", ".join(f"{share:g} of {source}" for source, share in shares.items())
            kinds = ", ".join(sorted(set(sources.tolist()))) or "no faces"
            raise UsageError(
                "Expected shares of the sources, 0 to 1 and no more than 1 in sum, and faces to "
                f"draw by them; got {told}, and {kinds}."
            )
        self.cumulative = np.cumsum(weight / weight.sum())

    def __call__(self, rng: np.random.Generator) -> int:
        """The number of a face."""
        return min(int(np.searchsorted(self.cumulative, rng.random())), len(self.cumulative) - 1)
