"""The trained captioner's weights, as the page and the command line load them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from captioning.captioner import DECODER_NAME, ENCODER_NAME, load_parts
from captioning.decoder import Decoder
from captioning.encoder import Encoder
from captioning.ensemble import DecoderEnsemble
from captioning.vocabulary import SPECIAL_WORDS, Vocabulary
from captioning.votes import VoteFacts, WordVotes
from keypoints_captions.weights import save_model
from train.captioning.run import CaptionRun, first_decoder, set_name
from train.captioning.words.content import content_stems
from train.engine.checkpoints import load_checkpoint, mean_state
from train.engine.options import UsageError

#: What a run's first decoder is called among its stages.
START = "start"
_LAST = "/last"


def export(
    run: CaptionRun,
    options: Mapping[str, Any],
    folder: Path,
    after: str | None,
    beside: Sequence[Path] = (),
    shares: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Writes the model as the given stage (the last one done, without) left it.

    options: of the run, which are told in the weights' JSON.
    beside: folders of exported weights whose decoders are to speak along, see
        `captioning.ensemble`.
    shares: where given, the decoder is `average_decoder` of them.
    Raises UsageError where one of these reads another encoder's features or knows other words, or
    where nothing has been trained.
    """
    if not run.has_decoder():
        raise UsageError(f"{run.folder} holds no trained decoder: expected a run (--checkpoints)")
    if after:
        _need(run, f"{after}/best.pt")
    before = _next(run, after) if after else None
    encoder = run.encoder(before)
    decoder = average_decoder(run, shares) if shares else run.decoder(before)
    others = [_decoder_beside(other, encoder, run.vocabulary) for other in beside]
    speaking = DecoderEnsemble([decoder, *others]) if others else decoder
    speaking.votes = _votes(run, encoder)
    told = dict(options)
    for key in ("features", "encoder_weights", "start_from", "text"):  # this machine's folders
        told[key] = Path(told[key]).name
    for key in ("train", "validation"):
        told[key] = [set_name(source) for source in told[key]]
    facts = {
        "photos": len(run.photos),
        "validation CIDEr-D after": {
            name: scores
            for name in run.order
            if (scores := _scores(run.folder / name)) and "cider" in scores
        },
        "options": told,
        **({"average": dict(shares)} if shares else {}),
    }
    save_model(
        folder / ENCODER_NAME,
        encoder.state_dict(),
        {
            "architecture": {"name": "ResNet-50, batch norm folded", "strides": encoder.strides},
            "preprocessing": run.preprocessing.to_dict(),
        },
        half=True,
    )
    save_model(
        folder / DECODER_NAME,
        speaking.state_dict(),
        {
            "architecture": dataclasses.asdict(run.decoder_config),
            "decoders": 1 + len(others),
            "vocabulary": run.vocabulary.words,
            **({"votes": dataclasses.asdict(speaking.votes.facts)} if speaking.votes else {}),
            "training": facts,
        },
        half=True,
    )
    print(f"wrote {folder / ENCODER_NAME} and {folder / DECODER_NAME}")


def average_decoder(run: CaptionRun, shares: Mapping[str, float]) -> Decoder:
    """A decoder whose weights are the mean of those that some stages left ("model soups",
    Wortsman et al. 2022): between cross-entropy's many words and the reward's good ones.

    shares: of stages by name: of what validation chose, or, with `/last`, of what the stage ended
        with; and of `START`, the decoder that the run began with.
    Raises UsageError where there is no such stage, or one that was not trained.
    """
    stages = {name.removesuffix(_LAST) for name in shares}
    if unknown := stages - {START, *run.order}:
        raise UsageError(f"no stage is called {', '.join(sorted(unknown))}")
    states = [_state(run, name) for name in shares]
    decoder = run.decoder()
    decoder.load_state_dict(mean_state(states, list(shares.values())))
    return decoder


def _state(run: CaptionRun, name: str) -> Mapping[str, torch.Tensor]:
    if name == START:
        return run.decoder(run.order[0]).state_dict()
    if not name.endswith(_LAST):
        _need(run, f"{name}/best.pt")
        return run.decoder(_next(run, name)).state_dict()
    last = _need(run, f"{name}.pt")
    part = "decoder."
    return {k.removeprefix(part): v for k, v in last["model"].items() if k.startswith(part)}


def _need(run: CaptionRun, checkpoint: str) -> dict[str, Any]:
    state = load_checkpoint(run.folder / checkpoint)
    if state is None:
        raise UsageError(f"{run.folder} holds no {checkpoint}: train this stage first")
    return state


def _next(run: CaptionRun, stage: str) -> str | None:
    """The stage after the given one, or None after the last."""
    return [*run.order, None][run.order.index(stage) + 1]


def _decoder_beside(folder: Path, encoder: Encoder, vocabulary: Vocabulary) -> Decoder:
    parts = load_parts(folder)
    if parts.vocabulary.words != vocabulary.words:
        raise UsageError(f"{folder}: its decoder knows other words than the run's")
    if not _same(parts.encoder, encoder):
        raise UsageError(f"{folder}: its decoder reads another encoder's features")
    return first_decoder(parts.decoder)


def _same(one: Encoder, other: Encoder) -> bool:
    """Whether they are the same when they are written."""
    own = one.state_dict()
    return all(torch.equal(v.half(), own[name].half()) for name, v in other.state_dict().items())


def _votes(run: CaptionRun, encoder: Encoder) -> WordVotes | None:
    """The votes that the run learnt, or those it began with, where they read the same encoder."""
    if state := run.votes():
        votes = WordVotes(_facts(state["stems"], run.vocabulary))
        votes.votes.load_state_dict(state["votes"])
        # A constant for a word passes through the weighted means over the places as it is.
        votes.votes.places.bias.data -= state["usual"]
        return votes
    if not (run.start and run.start.decoder.votes and _same(run.start.encoder, encoder)):
        return None
    before = run.start.decoder.votes
    votes = WordVotes(_facts(before.facts.tags, run.vocabulary))
    votes.load_state_dict(before.state_dict())
    return votes


def _facts(tags: Sequence[str], vocabulary: Vocabulary) -> VoteFacts:
    place = {tag: number for number, tag in enumerate(tags)}
    content = [content_stems([word]) - set(SPECIAL_WORDS) for word in vocabulary.words]
    return VoteFacts(tags, [place.get("".join(stems), -1) for stems in content])


def _scores(folder: Path) -> dict[str, float] | None:
    best = load_checkpoint(folder / "best.pt")
    return None if best is None else {k: round(v, 2) for k, v in best["scores"].items()}
