"""Options of the caption search. Needs no torch, so that the page can show them first."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class SearchOptions:
    """Options of the caption search.

    Raises ValueError where a value is out of its range.
    """

    method: str = "beam"  # or "sample"
    beam_size: int = 3  # 1 is greedy search
    num_captions: int = 1
    min_length: int = 4  # words
    max_length: int = 20  # words
    length_penalty: float = 1.4  # captions rank by log-probability / length ** this
    agreement: float = 0.4  # plus this times what the photo adds to their words; 0: no choice by it
    spread: int = 2  # captions followed for each of a beam above 1, for `agreement` to choose from
    no_repeat: int = 2  # no run of so many words occurs twice, no word twice in a row; 0 allows it
    dangling_ends: bool = False  # whether a caption may end on "a" or "with the"
    neutral_people: bool = True  # "person" where the model is not sure of man or woman
    temperature: float = 1.0  # of sampling; below 1 the likely words become likelier
    top_p: float = 0.9  # sampling draws from the fewest words that reach this probability
    first_words: tuple[str, ...] = ()  # the caption begins with these
    seed: int | None = None  # of sampling; None draws anew every time

    def __post_init__(self) -> None:
        checks = (
            ("method", self.method in ("beam", "sample"), "'beam' or 'sample'"),
            ("beam_size", 1 <= self.beam_size <= 20, "1 to 20"),
            ("num_captions", 1 <= self.num_captions <= 20, "1 to 20"),
            ("max_length", 1 <= self.max_length <= 60, "1 to 60"),
            ("min_length", 0 <= self.min_length <= self.max_length, "0 to max_length"),
            ("length_penalty", 0 <= self.length_penalty <= 2, "0 to 2"),
            ("agreement", 0 <= self.agreement <= 5, "0 to 5"),
            ("spread", 1 <= self.spread <= 4, "1 to 4"),
            ("no_repeat", self.no_repeat == 0 or self.no_repeat > 1, "0, or 2 or more"),
            ("temperature", 0.05 <= self.temperature <= 5, "0.05 to 5"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("first_words", len(self.first_words) < self.max_length, "fewer than max_length"),
        )
        for name, kept, accepted in checks:
            if not kept:
                raise ValueError(f"{name} must be {accepted}, not {getattr(self, name)!r}")


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """--beam-size and --num-captions."""
    parser.add_argument(
        "--beam-size",
        type=int,
        default=3,
        help="captions followed at once in the search; 1 is fastest; default: %(default)s",
    )
    parser.add_argument(
        "--num-captions", type=int, default=1, help="captions a photo; default: %(default)s"
    )
