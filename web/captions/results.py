"""Updates of the captioning tab's components, during a search and after it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from captioning.options import SearchOptions
from captioning.vocabulary import join_words
from keypoints_captions.weights import WeightsError
from web.captions.answer import Answer, SeenPhoto, answer_photo, answer_with_others
from web.captions.batches import Batches
from web.captions.search_form import search_options
from web.captions.why import shown
from web.captions.words import Pace, in_the_making, summary, told
from web.components import Upload, not_loaded, notice, sentence
from web.models import MODELS, Background

if TYPE_CHECKING:
    from captioning.captioner import Captioner
    from web.captions.model import Ready

#: The components that are updated, in their order.
RESULTS = ("answer", "status", "words", "view", "downloads", "carry", "first_words")


def answered(
    answer: Answer, delays: list[float] | None = None, chosen: int | None = None
) -> list[Any]:
    """Updates that show an answer.

    delays: of the words of the best caption, seconds, from `Pace`.
    chosen: the word of the best caption that is explained from the start.
    """
    if chosen is not None and chosen >= len(answer.captions[0].words):
        chosen = None
    return updates(
        answer=answer,
        status=summary(answer),
        words=told(answer, delays or [], chosen),
        view=shown(answer, chosen),
        downloads=gr.update(visible=True),
        carry=gr.update(interactive=True),
        first_words=join_words(answer.options.first_words),
    )


def unanswered(message: str) -> list[Any]:
    """Updates that show a message, as HTML, and nothing else."""
    return updates(
        answer=None,
        status=message,
        words="",
        view="",
        downloads=gr.update(visible=False),
        carry=gr.update(interactive=False),
        first_words="",
    )


def updates(**values: Any) -> list[Any]:
    """For the results; those that are not named stay as they are."""
    return [values.get(name, gr.skip()) for name in RESULTS]


def search_again(
    ready: "Background[Ready]", answer: Answer, *choices: Any, from_word: bool = False
) -> Iterator[list[Any]]:
    """Updates of another search in a photo that the encoder has seen.

    from_word: whether the first words end with one chosen in the page, to be explained at once.
    """
    try:
        options = search_options(*choices)
        chosen = len(options.first_words) - 1 if from_word and options.first_words else None
        yield from search(ready.get().captioner, answer.photo, options, chosen)
    except WeightsError as error:
        yield unanswered(not_loaded(error))
    except ValueError as error:
        yield updates(status=notice("error", "No caption can be found so", sentence(error)))


def search(
    captioner: "Captioner", seen: SeenPhoto, options: SearchOptions, chosen: int | None = None
) -> Iterator[list[Any]]:
    """Updates of a search, word by word. While other visitors wait only the last one is sent: an
    update costs the server more than finding a word."""
    pace = Pace()
    for step in MODELS.one_by_one(answer_photo(captioner, seen, options)):
        if isinstance(step, Answer):
            yield answered(step, pace.delays(len(step.captions[0].words)), chosen)
        elif not MODELS.busy:
            yield updates(words=in_the_making(step, pace.delays(len(step))))


def with_others(batches: Batches, photo: Upload, options: SearchOptions) -> list[Any]:
    """Updates for a photo that is captioned in one batch with those of other visitors."""
    answer = answer_with_others(batches, *photo, options)
    return answered(answer, Pace().delays(len(answer.captions[0].words)))
