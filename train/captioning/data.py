"""Captioned photos: annotation files in, training batches out."""

import contextlib
import io
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pycocotools.coco import COCO
from torch import Tensor

from captioning.engine.preprocessing import Preprocessing
from captioning.vocabulary import END, PAD, START, Vocabulary, tokenize
from train.engine.options import UsageError
from train.photos import naming


@dataclass(frozen=True)
class CaptionedPhoto:
    """A photo's path and its captions as written, and as words."""

    path: Path
    captions: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]

    @property
    def may_flip(self) -> bool:
        """Mirrored, "left" and "right" would change places; some photos speak of them."""
        return not any(word in ("left", "right") for words in self.words for word in words)


def load_set(source: str) -> list[CaptionedPhoto]:
    """Reads the captioned photos of `ANNOTATIONS[,FOLDER[,SPLIT]]`.

    ANNOTATIONS: a JSON file in COCO's format, or Karpathy's `dataset_coco.json`.
    FOLDER: where its photos' file names start; the file's own folder without.
    SPLIT: for Karpathy's file, the splits to take, as in `train+restval`.
    Raises FileNotFoundError where a file or the first photo is missing, UsageError where the file
    is of another form or has no such photo.
    """
    file, folder, split = [*source.split(","), "", ""][:3]
    annotations = Path(file)
    photos = Path(folder) if folder else annotations.parent
    if not annotations.exists():
        raise FileNotFoundError(f"{annotations}: no such annotation file")
    try:
        found = _karpathy(annotations, photos, split) if split else _coco(annotations, photos)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        form = "Karpathy's" if split else "COCO's (FILE,FOLDER,SPLIT reads Karpathy's)"
        raise UsageError(
            f"Expected captions in the format {form} in {annotations}, got something else "
            f"({error!r})."
        ) from error
    found = [photo for photo in found if photo.words]
    if not found:
        raise UsageError(f"{annotations} has no photo with a caption{split and f' in {split}'}")
    if not found[0].path.exists():
        raise FileNotFoundError(f"{annotations} names {found[0].path}, which is not there")
    return found


def _coco(annotations: Path, folder: Path) -> list[CaptionedPhoto]:
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timings
        coco = COCO(str(annotations))
    photos = []
    for number in sorted(coco.imgs):
        texts = [annotation["caption"] for annotation in coco.imgToAnns[number]]
        photos.append(captioned(folder / coco.imgs[number]["file_name"], texts))
    return photos


def _karpathy(annotations: Path, folder: Path, split: str) -> list[CaptionedPhoto]:
    wanted = split.split("+")
    images = json.loads(annotations.read_text(encoding="utf-8"))["images"]
    return [
        captioned(
            folder / image.get("filepath", "") / image["filename"],
            [sentence["raw"] for sentence in image["sentences"]],
        )
        for image in images
        if image["split"] in wanted
    ]


def captioned(path: Path, texts: Sequence[str]) -> CaptionedPhoto:
    """The photo with its captions, of which those without a word are left out."""
    pairs = [(text, tuple(tokenize(text))) for text in texts]
    pairs = [(text, words) for text, words in pairs if words]
    return CaptionedPhoto(
        path, tuple(text for text, _ in pairs), tuple(words for _, words in pairs)
    )


class CaptionRows:
    """Draws a photo's captions as rows of word numbers.

    per_photo: captions drawn of each photo, all different where it has so many; a photo with
        fewer leaves rows of <pad>.
    max_words: longer captions are cut there, without <end>.
    """

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        vocabulary: Vocabulary,
        per_photo: int,
        max_words: int,
    ) -> None:
        self.per_photo = per_photo
        self.max_words = max_words
        self.numbers = [[vocabulary.encode(words) for words in photo.words] for photo in photos]

    def draw(self, photos: Iterable[int], rng: random.Random) -> Tensor:
        """(B, per_photo, T) int64: <start>, words, <end>, then <pad>."""
        rows = []
        for photo in photos:
            captions = self.numbers[photo]
            drawn = rng.sample(captions, min(self.per_photo, len(captions)))
            rows.append([self._row(caption) for caption in drawn])
        length = max(len(row) for group in rows for row in group)
        batch = torch.full((len(rows), self.per_photo, length), PAD)
        for i, group in enumerate(rows):
            for j, row in enumerate(group):
                batch[i, j, : len(row)] = torch.tensor(row)
        return batch

    def _row(self, caption: list[int]) -> list[int]:
        cut = caption[: self.max_words]
        return [START, *cut] if len(caption) > self.max_words else [START, *cut, END]


def photo_square(photo: CaptionedPhoto, preprocessing: Preprocessing) -> np.ndarray:
    """The photo as the encoder sees it, before normalising: (size, size, 3) uint8 RGB.

    Raises UsageError where it cannot be read.
    """
    with naming(photo.path):
        return preprocessing.read(photo.path)
