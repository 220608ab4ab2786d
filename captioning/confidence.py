"""Confidence of a caption's words: the chance that a person would use them.

A decoder is surer of its words than it should be. What it states is brought here to what people say
of validation photos, by a logistic regression that `python -m train.captioning.words.calibration`
fits and writes into the decoder's JSON. Needs no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from captioning.caption import Caption
from captioning.engine.fitted import weights_from_dict, weights_to_dict

#: What the regression reads of each word, in its order; see `word_features`.
FEATURES = (
    "log-odds of the word",
    "log-odds above 1.5",
    "log-odds above 4",
    "lead over the next best word",
    "mean log-probability of the caption",
    "least log-probability of the caption",
    "concentration of the attention",
    "place in the caption",
    "length of the caption",
)
_EDGE = 1e-5  # probabilities are kept so far from 0 and 1


def word_features(caption: Caption) -> np.ndarray:
    """(words, features) float64, a row for each word of the caption."""
    told = np.array([word.probability for word in caption.words]).clip(_EDGE, 1 - _EDGE)
    rivals = [max((o.probability for o in word.alternatives), default=0) for word in caption.words]
    looks = [word.attention for word in caption.words]
    odds, logs = np.log(told) - np.log1p(-told), np.log(told)
    return np.stack(
        [
            odds,
            np.maximum(odds - 1.5, 0),
            np.maximum(odds - 4, 0),
            (logs - np.log(np.clip(rivals, _EDGE, 1))).clip(-4, 8),
            np.full_like(told, logs.mean()),
            np.full_like(told, logs.min()),
            np.array([0.0 if look is None else np.log(look.max() * look.size) for look in looks]),
            np.arange(len(told)) / 10,
            np.full_like(told, len(told) / 10),
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Confidence:
    """The fitted regression.

    weights: of `FEATURES`, for log-odds.
    words: content word -> its own share of the log-odds. Of other words nothing is said: "a" and
        "with" are neither right nor wrong.
    """

    weights: tuple[float, ...]
    words: Mapping[str, float]

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Confidence":
        """From the entry "confidence" of the decoder's JSON.

        Raises ValueError where it was fitted for other features.
        """
        program = "train.captioning.words.calibration"
        weights = weights_from_dict(facts, FEATURES, "confidence", program)
        words = dict(zip(facts["words"], facts["log-odds of the words"], strict=True))
        return cls(weights, words)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        weights = weights_to_dict(FEATURES, self.weights)
        shares = [round(share, 3) for share in self.words.values()]
        return {"weights": weights, "words": list(self.words), "log-odds of the words": shares}

    def tell(self, caption: Caption) -> Caption:
        """The caption with the confidence of its words."""
        if not caption.words:
            return caption
        odds = word_features(caption) @ np.array(self.weights)
        words = tuple(
            word
            if word.word not in self.words
            else replace(word, confidence=float(1 / (1 + np.exp(-(own + self.words[word.word])))))
            for word, own in zip(caption.words, odds, strict=True)
        )
        return replace(caption, words=words)
