"""`Captioner`: a photo in, captions out, with one call that loads everything it needs."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from PIL import Image

from captioning.caption import Alternative, Caption, Word, with_articles
from captioning.confidence import Confidence
from captioning.engine.choice import Choice
from captioning.engine.highest import highest
from captioning.engine.preprocessing import Preprocessing
from captioning.engine.rows import Step
from captioning.engine.speaker import EngineSpeaker, Photos
from captioning.options import SearchOptions
from captioning.people import NeutralWords, Sure
from captioning.search import (
    Found,
    Rules,
    beam_search,
    drain,
    sample_captions,
)
from captioning.vocabulary import UNKNOWN, Vocabulary, join_words
from keypoints_captions.batches import Outcome, run_batches
from keypoints_captions.engines.choice import load_engines
from keypoints_captions.engines.engine import Engine
from keypoints_captions.files import shipped
from keypoints_captions.hub import HubModel, find_weights
from keypoints_captions.photos.reader import PhotoSource
from keypoints_captions.weights import read_facts

if TYPE_CHECKING:  # torch takes seconds to import, and serving on a CPU needs none
    import torch

    from captioning.encoder import Encoder
    from captioning.ensemble import AnyDecoder

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


class Words(NamedTuple):
    """What a captioner is made of beside its networks."""

    vocabulary: Vocabulary
    preprocessing: Preprocessing
    confidence: Confidence | None = None
    sure: Sure | None = None


class Parts(NamedTuple):
    """What a captioner is made of, in PyTorch, as it was trained, in float32."""

    encoder: "Encoder"
    decoder: "AnyDecoder"
    vocabulary: Vocabulary
    preprocessing: Preprocessing
    confidence: Confidence | None = None
    sure: Sure | None = None


def load_parts(folder: str | Path) -> Parts:
    """Reads `captioning_encoder` and `captioning_decoder`, each .safetensors and .json.

    Raises keypoints_captions.weights.WeightsError where a file is missing or damaged.
    """
    encoder = load_encoder(Path(folder))
    decoder = load_decoder(Path(folder))
    return Parts(encoder, decoder, *_words(Path(folder)))


def load_encoder(folder: Path) -> "Encoder":
    """The encoder alone, see `load_parts`."""
    from captioning.encoder import Encoder
    from keypoints_captions.weights import load_model

    state, facts = load_model(folder / ENCODER_NAME)
    encoder = Encoder(facts["architecture"]["strides"])
    encoder.load_state_dict(state)
    return encoder


def load_decoder(folder: Path) -> "AnyDecoder":
    """The decoder, or the several that speak as one, alone; see `load_parts`."""
    from captioning.decoder import Decoder, DecoderConfig
    from captioning.ensemble import AnyDecoder, DecoderEnsemble
    from captioning.votes import VoteFacts, WordVotes
    from keypoints_captions.weights import load_model

    state, facts = load_model(folder / DECODER_NAME)
    config = DecoderConfig(**facts["architecture"])
    decoder: AnyDecoder = Decoder(config)
    if (count := facts.get("decoders", 1)) > 1:
        decoder = DecoderEnsemble([Decoder(config) for _ in range(count)])
    if votes := facts.get("votes"):
        decoder.votes = WordVotes(VoteFacts(**votes))
    decoder.load_state_dict(state)
    return decoder


def _words(folder: Path) -> Words:
    encoder, decoder = read_facts(folder / ENCODER_NAME), read_facts(folder / DECODER_NAME)
    return Words(
        Vocabulary(decoder["vocabulary"]),
        Preprocessing.from_dict(encoder["preprocessing"]),
        Confidence.from_dict(facts) if (facts := decoder.get("confidence")) else None,
        Sure.from_dict(facts) if (facts := decoder.get("sure of people")) else None,
    )


class Captioner(HubModel):
    """Captions photos. Make one with `Captioner.load`; calls may come from several threads.

    has_attention: whether the decoder looks at places of the photo.
    """

    PAIRS, CARD = (ENCODER_NAME, DECODER_NAME), "captioning"

    def __init__(self, speaker: EngineSpeaker, words: Words, has_attention: bool = True) -> None:
        self.speaker = speaker
        self.vocabulary, self.preprocessing = words.vocabulary, words.preprocessing
        self.confidence = words.confidence
        self.neutral = NeutralWords(words.vocabulary, words.sure) if words.sure else None
        self.has_attention = has_attention

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        device: str | None = None,
        engine: str = "auto",
        exact: bool = False,
    ) -> "Captioner":
        """Loads the encoder, the decoder, the vocabulary and the preprocessing.

        weights: the folder, or the repository of the Hugging Face Hub (OWNER/NAME), with
            `captioning_encoder` and `captioning_decoder` (each .safetensors and .json), or the
            path of one of these files; the project's own without.
        device: of torch; by default a GPU where there is one.
        engine: "auto", "openvino" or "torch"; see `load_engines`.
        exact: compute in float32, and not in bfloat16 where the processor or GPU has it: that is
            nearly twice as fast, and about one caption in twenty is another one.
        Raises keypoints_captions.weights.WeightsError where a file is missing or damaged,
        ValueError where there is no such device or engine.
        """
        pair = find_weights(weights, ENCODER_NAME)
        folder = pair.parent if pair.name in cls.PAIRS else pair
        words = _words(folder)

        def encoder(device: "torch.device") -> dict[str, Engine]:
            from captioning.engine.in_torch import encoder_engine

            return {"": encoder_engine(load_encoder(folder), words.preprocessing, device, exact)}

        def decoder(device: "torch.device") -> dict[str, Engine]:
            from captioning.engine.in_torch import decoder_engines

            return decoder_engines(load_decoder(folder), words.preprocessing, device)

        seers = load_engines(
            folder / ENCODER_NAME, [""], device, engine, encoder, exact, small=True
        )
        steps = load_engines(
            folder / DECODER_NAME,
            ["_start", "_step"],
            device,
            engine,
            decoder,
            exact,
            small=True,
            spread=False,  # a step is over before a second core has begun
        )
        facts: dict[str, Any] = read_facts(folder / DECODER_NAME)
        votes, choice = facts.get("votes"), facts.get("choice")
        speaker = EngineSpeaker(
            seers[""],
            steps["_start"],
            steps["_step"],
            np.array(votes["tag_of"]) if votes else None,
            Choice.from_dict(choice, votes["strength"]) if votes and choice else None,
        )
        captioner = cls(speaker, words, facts["architecture"].get("attention", True))
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

    def look_at(self, squares: Sequence[np.ndarray]) -> Photos:
        """As `look`, of photos that `Preprocessing.read` or `squash` has made square."""
        return self.speaker.look(squares)

    def caption(self, photos: Photos, options: SearchOptions) -> list[list[Caption]]:
        """Captions of photos that `look` has encoded: a list for each, best first."""
        return self._describe(drain(self._search(photos, options)), options)

    def stream(self, photo: Photos, options: SearchOptions) -> Iterator[Progress]:
        """Captions one photo and tells the best text after every word.

        photo: one photo that `look` has encoded.
        """
        search = self._search(photo, options)
        while True:
            try:
                step = next(search)
            except StopIteration as stop:
                captions = tuple(self._describe(stop.value, options)[0])
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
        rules = Rules(self.vocabulary, options)
        if options.method == "sample":
            return sample_captions(self.speaker, photos, rules)
        if self.neutral and options.neutral_people and options.num_captions > 1:
            # Some become one when they are told with neutral words.
            more = min(20, 2 * options.num_captions)
            rules = Rules(self.vocabulary, replace(options, num_captions=more))
        return beam_search(self.speaker, photos, rules)

    def _describe(self, found: list[list[Found]], options: SearchOptions) -> list[list[Caption]]:
        return [
            _distinct((self.tell(caption, options) for caption in captions), options.num_captions)
            for captions in found
        ]

    def tell(self, caption: Found, options: SearchOptions) -> Caption:
        """A caption that the search has found, in words, with what can be said of them."""
        evidence = caption.evidence
        chosen = evidence.of(caption.words)
        likeliest = highest(evidence.log_probabilities, _RUNNERS_UP + 1).tolist()
        words = [
            Word(
                self.vocabulary.words[number],
                float(np.exp(chosen[place])),
                self._alternatives(evidence.log_probabilities[place], likeliest[place], number),
                _square(evidence.attention[place])
                if evidence.attention is not None and self.has_attention
                else None,
            )
            for place, number in enumerate(caption.words)
        ]
        if self.neutral and options.neutral_people:

            def probabilities(place: int) -> np.ndarray:
                return np.exp(evidence.log_probabilities[place])

            words = self.neutral(words, probabilities, given=len(options.first_words))
        words = with_articles(words, given=len(options.first_words))
        text = join_words(word.word for word in words)
        described = Caption(text, float(chosen.sum()), tuple(words), caption.score)
        return self.confidence.tell(described) if self.confidence else described

    def _alternatives(
        self, log_probabilities: np.ndarray, likeliest: Sequence[int], said: int
    ) -> tuple[Alternative, ...]:
        """The likeliest other words, best first."""
        others = [number for number in likeliest if number != said][:_RUNNERS_UP]
        return tuple(
            Alternative(self.vocabulary.words[n], float(np.exp(log_probabilities[n])))
            for n in others
        )


def _distinct(captions: Iterable[Caption], most: int) -> list[Caption]:
    """The first of different texts, `most` at most: neutral words can make two captions one."""
    found: dict[str, Caption] = {}
    for caption in captions:
        found.setdefault(caption.text, caption)
        if len(found) == most:
            break
    return list(found.values())


def _square(attention: np.ndarray) -> np.ndarray:
    side = round(len(attention) ** 0.5)
    return attention.reshape(side, side).astype(np.float32)
