"""Which of the captions found is told first: how well each of them fits the photo.

The search ranks captions by what the decoder thinks of them. Here is what else tells a good one:
what the photo votes for, see `captioning.votes`, and how long people's captions are.
`python -m train.captioning.words.choice` fits the weights and writes them into the decoder's JSON.
Needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.engine.fitted import weights_from_dict, weights_to_dict

#: What is read of each caption, in this order; see `Choice.read`.
FEATURES = (
    "voted words that a person would say",
    "mean log-chance of the voted words",
    "mean log-probability that the votes add",
    "squared distance from ten words",
)
_USUAL_LENGTH = 10  # words
_NEVER = -5.0  # log-chance that a person says a word again


def agreement(lift: np.ndarray, tags: np.ndarray) -> float:
    """What a photo adds to the words of a caption, on average over those that have a tag; 0 without
    any. A tag said again adds nothing.

    lift: (tags,), as in `Lift`. tags: of the caption's words, those without one left out.
    """
    return float(lift[np.unique(tags)].sum()) / max(len(tags), 1)


@dataclass(frozen=True)
class Choice:
    """The fitted weights.

    weights: of `FEATURES`, beside the search's own score.
    usual: (tags,) log-odds that a person uses a tag's words, whatever the photo.
    strength: of the votes in `Lift`, by which their log-odds were multiplied.
    """

    weights: Sequence[float]
    usual: np.ndarray
    strength: float

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], strength: float) -> "Choice":
        """From the entry "choice" of the decoder's JSON.

        Raises ValueError where it was fitted for other features.
        """
        program = "train.captioning.words.choice"
        weights = weights_from_dict(facts, FEATURES, "choice among captions", program)
        return cls(weights, np.array(facts["usual log-odds"]), strength)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        weights = weights_to_dict(FEATURES, self.weights)
        return {"weights": weights, "usual log-odds": [round(float(o), 2) for o in self.usual]}

    def read(
        self, lift: np.ndarray, tags: np.ndarray, length: int, added: float
    ) -> tuple[float, ...]:
        """The `FEATURES` of one caption. The first is the sum of the chances that a person uses its
        words which have a tag, each of them once.

        lift, tags: as in `agreement`. length: in words. added: what the votes have added to its
        log-probability; much of it is a sentence that only the votes would say.
        """
        said = np.unique(tags)
        odds = self.usual[said] + lift[said] / self.strength
        chances = 1 / (1 + np.exp(-odds))
        logs = np.log(chances).sum() + _NEVER * (len(tags) - len(said))
        return (
            float(chances.sum()),
            float(logs / len(tags)) if len(tags) else _NEVER,
            added / (length + 1),
            float((length - _USUAL_LENGTH) ** 2),
        )

    def weigh(self, features: Sequence[float]) -> float:
        """What they add to a caption's score."""
        return float(np.dot(self.weights, features))
