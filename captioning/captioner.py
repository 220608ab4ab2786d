"""`Captioner`: a photo in, captions out, with one call that loads everything it needs."""

import copy
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from captioning.caption import Alternative, Caption, Word
from captioning.confidence import Confidence
from captioning.decoder import Decoder, DecoderConfig, Photos
from captioning.encoder import Encoder, Preprocessing
from captioning.ensemble import AnyDecoder, DecoderEnsemble
from captioning.options import SearchOptions
from captioning.people import NeutralWords, Sure
from captioning.search import (
    Found,
    Rules,
    Step,
    beam_search,
    drain,
    sample_captions,
    spoken,
)
from captioning.vocabulary import END, START, UNKNOWN, Vocabulary, join_words
from keypoints_captions.batches import Outcome, run_batches
from keypoints_captions.device import pick_device
from keypoints_captions.files import shipped
from keypoints_captions.hub import HubModel, find_weights
from keypoints_captions.photos.reader import PhotoSource
from keypoints_captions.precision import fastest_precision
from keypoints_captions.weights import load_model

WEIGHTS = shipped("weights")
ENCODER_NAME, DECODER_NAME = "captioning_encoder", "captioning_decoder"
_RUNNERS_UP = 5
BATCH = 32  # photos through the encoder and the search at once


@dataclass(frozen=True)
class Progress:
    """A step of `Captioner.stream`.

    text, words: the best caption so far; it need not be how the next step's begins. Before the
        last step its words have their probability only.
    captions: at the last step, what was found, best first; empty before.
    """

    text: str
    words: tuple[Word, ...]
    captions: tuple[Caption, ...]


class Parts(NamedTuple):
    """What a captioner is made of, as it was trained, in float32."""

    encoder: Encoder
    decoder: AnyDecoder
    vocabulary: Vocabulary
    preprocessing: Preprocessing
    confidence: Confidence | None = None
    sure: Sure | None = None


def load_parts(folder: str | Path) -> Parts:
    """Reads `captioning_encoder` and `captioning_decoder`, each .safetensors and .json.

    Raises keypoints_captions.weights.WeightsError where a file is missing or damaged.
    """
    encoder_state, encoder_facts = load_model(Path(folder) / ENCODER_NAME)
    decoder_state, decoder_facts = load_model(Path(folder) / DECODER_NAME)
    encoder = Encoder(encoder_facts["architecture"]["strides"])
    encoder.load_state_dict(encoder_state)
    config = DecoderConfig(**decoder_facts["architecture"])
    decoder: AnyDecoder = Decoder(config)
    if (count := decoder_facts.get("decoders", 1)) > 1:
        decoder = DecoderEnsemble([Decoder(config) for _ in range(count)])
    decoder.load_state_dict(decoder_state)
    return Parts(
        encoder,
        decoder,
        Vocabulary(decoder_facts["vocabulary"]),
        Preprocessing.from_dict(encoder_facts["preprocessing"]),
        Confidence.from_dict(facts) if (facts := decoder_facts.get("confidence")) else None,
        Sure.from_dict(facts) if (facts := decoder_facts.get("sure of people")) else None,
    )


class Captioner(HubModel):
    """Captions photos. Make one with `Captioner.load`; calls may come from several threads."""

    PAIRS, CARD = (ENCODER_NAME, DECODER_NAME), "captioning"

    def __init__(
        self,
        encoder: Encoder,
        decoder: AnyDecoder,
        vocabulary: Vocabulary,
        preprocessing: Preprocessing,
        confidence: Confidence | None = None,
        sure: Sure | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.encoder = encoder.to(self.device).to(memory_format=torch.channels_last).eval()
        self.decoder = decoder.to(self.device).float().eval()
        self.vocabulary = vocabulary
        self.preprocessing = preprocessing
        self.confidence = confidence
        self.neutral = NeutralWords(vocabulary, sure) if sure else None
        self.precision = _encoder_precision(self.encoder)
        self.encoder.to(self.precision)
        # A step of the decoder is mostly the reading of its weights.
        self._decoder_precision = (
            torch.bfloat16 if self.precision == torch.bfloat16 else torch.float32
        )
        self.decoder.to(self._decoder_precision)

    @classmethod
    def load(
        cls, weights: str | Path | None = None, device: str | torch.device | None = None
    ) -> "Captioner":
        """Loads the encoder, the decoder, the vocabulary and the preprocessing.

        weights: the folder, or the repository of the Hugging Face Hub (OWNER/NAME), with
            `captioning_encoder` and `captioning_decoder` (each .safetensors and .json), or the
            path of one of these files; the project's own without.
        device: of torch; by default a GPU where there is one.
        Raises keypoints_captions.weights.WeightsError where a file is missing or damaged,
        ValueError where there is no such device.
        """
        device = pick_device(device)
        pair = find_weights(weights, ENCODER_NAME)
        folder = pair.parent if pair.name in cls.PAIRS else pair
        captioner = cls(*load_parts(folder), device=device)
        captioner.pairs = tuple(folder / name for name in cls.PAIRS)
        return captioner

    @overload
    def __call__(
        self,
        image: np.ndarray | Image.Image,
        beam_size: int = 3,
        num_captions: int = 1,
        **options,
    ) -> list[Caption]: ...

    @overload
    def __call__(
        self,
        image: Sequence[np.ndarray | Image.Image],
        beam_size: int = 3,
        num_captions: int = 1,
        **options,
    ) -> list[list[Caption]]: ...

    def __call__(
        self,
        image: np.ndarray | Image.Image | Sequence[np.ndarray | Image.Image],
        beam_size: int = 3,
        num_captions: int = 1,
        **options,
    ) -> list[Caption] | list[list[Caption]]:
        """Captions of one photo, best first; of a list of photos a list for each.

        image: HWC uint8 RGB array or PIL image, or a list or tuple of these, of any sizes.
        options: more fields of `SearchOptions`.
        Raises PhotoError for an image of another kind, ValueError for an option out of range.
        """
        search = SearchOptions(beam_size=beam_size, num_captions=num_captions, **options)
        many = isinstance(image, list | tuple)
        images: Sequence = image if many else [image]  # type: ignore[assignment]
        squares = [self.preprocessing.read(one) for one in images]
        captions = [
            found
            for start in range(0, len(squares), BATCH)
            for found in self._describe_squares(squares[start : start + BATCH], search)
        ]
        return captions if many else captions[0]

    def stream_photos(
        self, photos: Iterable[PhotoSource], options: SearchOptions | None = None
    ) -> Iterator[Outcome[PhotoSource, list[Caption]]]:
        """Captions of any number of photos, in their order, each as soon as it is known.

        Photos are read in threads, a few ahead, and go through the networks in batches on all
        cores. One that cannot be read stops nothing: its outcome says why.

        photos: whatever `read_photo` takes: paths, the files' bytes, images, arrays. A generator
            is taken from as the work goes on.
        """
        search = options or SearchOptions()

        def handle(squares: list[np.ndarray]) -> list[list[Caption]]:
            return self._describe_squares(squares, search)

        return run_batches(photos, self.preprocessing.read, handle, batch_size=BATCH)

    def _describe_squares(
        self, squares: Sequence[np.ndarray], search: SearchOptions
    ) -> list[list[Caption]]:
        """Together, but sampled one by one: what a seed draws depends on no other photo."""
        alone = search.method == "sample"
        batches = [[square] for square in squares] if alone else [squares]
        return [
            captions for batch in batches for captions in self.caption(self.look_at(batch), search)
        ]

    def look(self, images: Sequence[np.ndarray | Image.Image]) -> Photos:
        """Encodes photos once, for one or more calls of `caption` and `stream`.

        images: HWC uint8 RGB arrays or PIL images of any sizes.
        """
        return self.look_at([self.preprocessing.read(image) for image in images])

    @torch.inference_mode()
    def look_at(self, squares: Sequence[np.ndarray]) -> Photos:
        """As `look`, of photos that `Preprocessing.read` or `squash` has made square."""
        batch = self.preprocessing.normalise(torch.from_numpy(np.stack(squares)).to(self.device))
        grid = self.encoder(batch.to(self.precision))
        return self.decoder.read(grid.to(self._decoder_precision))

    @torch.inference_mode()
    def caption(self, photos: Photos, options: SearchOptions) -> list[list[Caption]]:
        """Captions of photos that `look` has encoded: a list for each, best first."""
        return self._describe(photos, drain(self._search(photos, options)), options)

    def stream(self, photo: Photos, options: SearchOptions) -> Iterator[Progress]:
        """Captions one photo and tells the best text after every word.

        photo: one photo that `look` has encoded.
        """
        search = self._search(photo, options)
        while True:
            with torch.inference_mode():
                try:
                    step = next(search)
                except StopIteration as stop:
                    captions = tuple(self._describe(photo, stop.value, options)[0])
                    yield Progress(captions[0].text, captions[0].words, captions)
                    return
            words = tuple(
                Word(self.vocabulary.words[number], float(np.exp(value)), (), None)
                for number, value in zip(step.words, step.log_probabilities, strict=True)
                if number > UNKNOWN
            )
            yield Progress(join_words(word.word for word in words), words, ())

    def _search(
        self, photos: Photos, options: SearchOptions
    ) -> Generator[Step, None, list[list[Found]]]:
        rules = Rules(self.vocabulary, options, self.device)
        if options.method == "sample":
            return sample_captions(self.decoder, photos, rules)
        return beam_search(self.decoder, photos, rules)

    def _describe(
        self, photos: Photos, found: list[list[Found]], options: SearchOptions
    ) -> list[list[Caption]]:
        """Runs the decoder once over the captions found, for what is told of each word."""
        most = max(len(captions) for captions in found)
        length = 2 + max(len(caption.words) for captions in found for caption in captions)
        rows = [
            [[START, *caption.words, END] for caption in captions]
            + [[START, END]] * (most - len(captions))
            for captions in found
        ]
        words = torch.tensor(
            [[row + [END] * (length - len(row)) for row in photo] for photo in rows],
            device=self.device,
        )
        logits, attention = self.decoder.explain(photos, words[..., :-1])
        log_probabilities = spoken(logits)
        told = _Told(
            chosen=log_probabilities.gather(-1, words[..., 1:, None])[..., 0].tolist(),
            best=log_probabilities.topk(_RUNNERS_UP + 1, dim=-1),
            log_probabilities=log_probabilities,
            attention=None if attention is None else attention.float().cpu().numpy(),
        )
        return [
            _distinct(
                self._tell(caption, told, photo, i, options) for i, caption in enumerate(captions)
            )
            for photo, captions in enumerate(found)
        ]

    def _tell(
        self, caption: Found, told: "_Told", photo: int, index: int, options: SearchOptions
    ) -> Caption:
        chosen = told.chosen[photo][index][: len(caption.words) + 1]
        values, numbers = (part[photo, index].tolist() for part in told.best)
        words = []
        for place, number in enumerate(caption.words):
            others = zip(numbers[place], np.exp(values[place]), strict=True)
            alternatives = [
                Alternative(self.vocabulary.words[other], float(probability))
                for other, probability in others
                if other != number
            ]
            words.append(
                Word(
                    self.vocabulary.words[number],
                    float(np.exp(chosen[place])),
                    tuple(alternatives[:_RUNNERS_UP]),
                    None
                    if told.attention is None
                    else _square(told.attention[photo, index, place]),
                )
            )
        if self.neutral and options.neutral_people:

            def probabilities(place: int) -> np.ndarray:
                return told.log_probabilities[photo, index, place].exp().cpu().numpy()

            words = self.neutral(words, probabilities, given=len(options.first_words))
        described = Caption(join_words(word.word for word in words), sum(chosen), tuple(words))
        return self.confidence.tell(described) if self.confidence else described


@dataclass(frozen=True)
class _Told:
    chosen: list[list[list[float]]]
    best: Sequence[Tensor]
    log_probabilities: Tensor
    attention: np.ndarray | None


def _distinct(captions: Iterable[Caption]) -> list[Caption]:
    """The first of those with the same text: neutral words can make two captions one."""
    found: dict[str, Caption] = {}
    for caption in captions:
        found.setdefault(caption.text, caption)
    return list(found.values())


def _square(attention: np.ndarray) -> np.ndarray:
    side = round(len(attention) ** 0.5)
    return attention.reshape(side, side).astype(np.float32)


def _encoder_precision(encoder: Encoder) -> torch.dtype:
    """What the encoder runs fastest in on its device."""

    def run(precision: torch.dtype) -> None:
        trial = copy.deepcopy(encoder).to(precision)  # the weights keep all their digits
        images = torch.zeros(1, 3, 96, 96, dtype=precision)
        trial(images.to(memory_format=torch.channels_last))

    return fastest_precision(next(encoder.parameters()).device, run)
