"""CIDEr-D, fast enough for a training reward, and the published scorers."""

import math
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Words = Sequence[str]
#: TF-IDF weights of n-grams, their norm for each n, and the number of bigrams.
Vector = tuple[dict[tuple[str, ...], float], list[float], int]
_SIGMA = 6.0  # of the length penalty, as in Vedantam et al. 2015
_MOST = 4  # n-grams of 1 to 4 words


class CiderD:
    """CIDEr-D (Vedantam et al. 2015) against the references of a fixed set of photos.

    The same figures as pycocoevalcap's `Cider`, whose document frequencies are those of the
    photos scored; here they are counted once, so a few captions can be scored at any time.

    references: for each photo, its captions as words.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        self.references = references
        self._vectors: dict[int, list[Vector]] = {}  # of the photos asked for so far
        frequencies: Counter[tuple[str, ...]] = Counter()
        for captions in references:
            frequencies.update({ngram for words in captions for ngram in _ngrams(words)})
        self._log_photos = math.log(len(references))
        # An n-gram of one photo weighs as much as an unseen one: log 1 = 0.
        self._log_frequency = {n: math.log(c) for n, c in frequencies.items() if c > 1}

    def score(self, photo: int, captions: Sequence[Words]) -> list[float]:
        """CIDEr-D (0..10) of each of some captions of one photo."""
        if photo not in self._vectors:
            self._vectors[photo] = [self._vector(words) for words in self.references[photo]]
        references = self._vectors[photo]
        return [self._compare(self._vector(words), references) for words in captions]

    def mean(self, captions: Sequence[Words]) -> float:
        """The mean over all photos, given one caption for each in their order."""
        if len(captions) != len(self.references):
            raise ValueError(f"{len(self.references)} captions expected, {len(captions)} given")
        return sum(self.score(i, [words])[0] for i, words in enumerate(captions)) / len(captions)

    def _vector(self, words: Words) -> Vector:
        """TF-IDF weights of the n-grams, their norm for each n, and the number of bigrams,
        by which pycocoevalcap measures length."""
        weights, squares = {}, [0.0] * _MOST
        for ngram, count in Counter(_ngrams(words)).items():
            weight = count * (self._log_photos - self._log_frequency.get(ngram, 0.0))
            weights[ngram] = weight
            squares[len(ngram) - 1] += weight * weight
        return weights, [math.sqrt(square) for square in squares], max(0, len(words) - 1)

    def _compare(self, candidate: Vector, references: Sequence[Vector]) -> float:
        weights, norms, length = candidate
        total = 0.0
        for reference, reference_norms, reference_length in references:
            products = [0.0] * _MOST
            for ngram, weight in weights.items():
                other = reference.get(ngram)
                if other is not None:
                    products[len(ngram) - 1] += min(weight, other) * other
            penalty = math.exp(-((length - reference_length) ** 2) / (2 * _SIGMA**2))
            for product, norm, other_norm in zip(products, norms, reference_norms, strict=True):
                if norm and other_norm:
                    total += penalty * product / (norm * other_norm)
        return 10 * total / _MOST / len(references)


def _ngrams(words: Words) -> list[tuple[str, ...]]:
    words = tuple(words)
    return [
        words[start : start + n] for n in range(1, _MOST + 1) for start in range(len(words) - n + 1)
    ]


@dataclass(frozen=True)
class Scores:
    """Figures of one set of captions, in %, as papers print them; METEOR needs Java."""

    bleu: tuple[float, float, float, float]
    rouge: float
    cider: float
    meteor: float | None
    vocabulary: int  # different words used
    distinct: float  # share of different captions among all
    tokenizer: str


def java_found() -> bool:
    return shutil.which("java") is not None


def score_captions(references: Sequence[Sequence[str]], captions: Sequence[str]) -> Scores:
    """pycocoevalcap's scorers over texts as written: some references and one caption a photo.

    The texts pass the Penn Treebank tokenizer of the published figures where Java is found,
    this project's own otherwise.
    """
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge

    truth = _tokenized(dict(enumerate(references)))
    told = _tokenized({i: [caption] for i, caption in enumerate(captions)})
    bleu, _ = Bleu(4).compute_score(truth, told, verbose=0)
    return Scores(
        bleu=tuple(100 * value for value in bleu),
        rouge=100 * float(Rouge().compute_score(truth, told)[0]),
        cider=100 * float(Cider().compute_score(truth, told)[0]),
        meteor=100 * float(Meteor().compute_score(truth, told)[0]) if java_found() else None,
        vocabulary=len({word for texts in told.values() for word in texts[0].split()}),
        distinct=100 * len({texts[0] for texts in told.values()}) / len(told),
        tokenizer="Penn Treebank" if java_found() else "simple",
    )


def _tokenized(texts: dict[int, Sequence[str]]) -> dict[int, list[str]]:
    if java_found():
        from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

        return PTBTokenizer().tokenize(
            {key: [{"caption": text} for text in group] for key, group in texts.items()}
        )
    from captioning.vocabulary import tokenize

    return {key: [" ".join(tokenize(text)) for text in group] for key, group in texts.items()}
