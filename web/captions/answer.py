"""The answer for one photo: the encoder's features and the captions.

Another search needs no second run of the encoder. The server keeps an answer as long as its page is
open, so it holds a small JPEG, not the pixels.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from captioning.caption import Caption, Word
from captioning.export import Record
from captioning.options import SearchOptions
from keypoints_captions.photos.jpeg import encode_jpeg, shrunk
from keypoints_captions.photos.reader import read_photo
from web.captions.batches import Batches

if TYPE_CHECKING:  # torch takes seconds to import; the page is up before it
    from captioning.captioner import Captioner
    from captioning.engine.speaker import Photos

PREVIEW_SIDE = 960  # pixels, the longer side of what is shown under the attention
_PREVIEW_QUALITY = 88  # of the JPEG


@dataclass(frozen=True)
class SeenPhoto:
    """One photo and its features.

    path, name: of the photo's file; the file may be deleted later, the name is for display.
    preview: the photo as a JPEG of at most `PREVIEW_SIDE` pixels, without metadata.
    photos: input of the decoder; a batch of one.
    seconds: time of the encoder, without reading the file.
    """

    path: Path
    name: str
    preview: bytes
    photos: "Photos"
    seconds: float


@dataclass(frozen=True)
class Answer:
    """The captions of one photo, best first.

    seconds: time of the search.
    """

    photo: SeenPhoto
    options: SearchOptions
    captions: tuple[Caption, ...]
    seconds: float

    @property
    def record(self) -> Record:
        """Input of the command line's exports."""
        return Record(self.photo.name, self.captions)

    def beginnings(self) -> list[tuple[str, ...]]:
        """First words of every other search that the page offers, by its number there.

        First no words at all; then, for each caption, for each of its words, for each of the
        word's alternatives that can be followed, the words before and that alternative.
        """
        return [()] + [
            (*(before.word for before in caption.words[:place]), other.word)
            for caption in self.captions
            for place, word in enumerate(caption.words)
            for other in word.alternatives
            if can_follow(other.word)
        ]


def can_follow(word: str) -> bool:
    """Whether a caption can go on after this alternative, which `<end>` does not allow."""
    return not word.startswith("<")


def see_photo(captioner: "Captioner", path: Path, name: str) -> SeenPhoto:
    """Reads a photo and runs the encoder on it.

    Raises:
        PhotoError: the photo cannot be read.
    """
    image = read_photo(path, max_side=captioner.preprocessing.read_side)
    start = time.perf_counter()
    photos = captioner.look([image])
    seconds = time.perf_counter() - start
    return SeenPhoto(path, name, _preview(image), photos, seconds)


def answer_photo(
    captioner: "Captioner", photo: SeenPhoto, options: SearchOptions
) -> Iterator["tuple[Word, ...] | Answer"]:
    """Searches for captions; yields the words of the best one so far, and at last the answer.

    Raises:
        ValueError: the captioner has not learnt one of the first words.
    """
    steps = captioner.stream(photo.photos, options)
    seconds = 0.0
    while True:
        start = time.perf_counter()
        step = next(steps)
        seconds += time.perf_counter() - start  # without what the page does between two steps
        if step.captions:
            yield Answer(photo, options, step.captions, seconds)
            return
        yield step.words


def answer_with_others(batches: Batches, path: Path, name: str, options: SearchOptions) -> Answer:
    """Reads a photo and captions it together with those of other visitors.

    Raises:
        PhotoError: the photo cannot be read.
    """
    done = batches.caption(path, options)
    seen = SeenPhoto(path, name, _preview(done.image), done.photos, done.look_seconds)
    return Answer(seen, options, tuple(done.captions), done.search_seconds)


def _preview(image: np.ndarray) -> bytes:
    return encode_jpeg(shrunk(image, PREVIEW_SIDE), _PREVIEW_QUALITY)
