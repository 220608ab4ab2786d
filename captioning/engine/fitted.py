"""Weights fitted for named features, as the decoder's JSON has them."""

from collections.abc import Mapping, Sequence
from typing import Any

#: Digits that are kept of a weight.
_DIGITS = 5


def weights_to_dict(features: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """JSON-ready: feature -> its weight."""
    return dict(zip(features, (round(w, _DIGITS) for w in weights), strict=True))


def weights_from_dict(
    facts: Mapping[str, Any], features: Sequence[str], fitted: str, program: str
) -> tuple[float, ...]:
    """The weights in the order of the features, from the entry "weights".

    fitted: what was, for people. program: the module that fits it.

    Raises ValueError where it was fitted for other features.
    """
    weights: Mapping[str, float] = facts["weights"]
    if list(weights) != list(features):
        raise ValueError(
            f"the {fitted} was fitted for {', '.join(weights)}; fit it again: python -m {program}"
        )
    return tuple(weights.values())
