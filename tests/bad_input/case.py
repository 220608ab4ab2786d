"""One file of the corpus, and how its result is judged."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keypoints_captions.photos.reader import PhotoError

ANY_SIZE = (0, 0)  # of files so damaged that whatever can still be read is right
#: Mean difference of colour values, 0..255, that lossy formats and palettes are allowed.
TOLERANCE = 10.0
DAMAGED = "damaged|cut short|cannot be decoded"
NO_PHOTO = "a photo can be JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF"
TOO_LARGE = "at most 64 million|too many pixels|at most \\d+ million"


@dataclass(frozen=True)
class Case:
    """A file and what must come of it: a photo, a sentence, or either where both are right.

    file_name: what its owner calls it; it decides nothing.
    size: width and height of the upright photo, or `ANY_SIZE`; None where it must be refused.
    picture: (height, width, 3) uint8 RGB that the photo must show, if that is known.
    says: what the sentence of the refusal must hold, as a regular expression; None where it must
        be read.
    """

    name: str
    file_name: str
    data: bytes
    size: tuple[int, int] | None = None
    picture: np.ndarray | None = None
    says: str | None = None


def problem(case: Case, read: Callable[[bytes], np.ndarray]) -> str | None:
    """What is wrong with how `read` took the file; None where nothing is."""
    try:
        image = read(case.data)
    except PhotoError as error:
        return _wrong_refusal(case, str(error))
    except Exception as error:
        return f"{type(error).__name__} instead of a sentence: {error}"
    return _wrong_answer(case, image)


def _wrong_refusal(case: Case, sentence: str) -> str | None:
    if case.says is None:
        return f"refused: {sentence}"
    if not plain(sentence):
        return f"no plain sentence: {sentence!r}"
    if not re.search(case.says, sentence):
        return f"does not say {case.says!r}: {sentence}"
    return None


def _wrong_answer(case: Case, image: np.ndarray) -> str | None:
    if case.size is None:
        return f"read as {image.shape}, should be refused"
    height, width = image.shape[:2] if case.size == ANY_SIZE else reversed(case.size)
    if image.dtype != np.uint8 or image.shape != (height, width, 3):
        return f"read as {image.dtype} of {image.shape}, should have {case.size} pixels"
    if case.picture is not None:
        off = np.abs(image.astype(int) - case.picture).mean()
        if off > TOLERANCE:
            return f"shows something else: {off:.0f} of 255 off"
    return None


def plain(sentence: str) -> bool:
    """Whether it is one line that a person may read: whole, and without Python's own words."""
    odd = re.search(r"Traceback|Error\b|Exception|object at 0x|\n|<class|errno", sentence)
    return sentence.endswith(".") and len(sentence) < 250 and odd is None
