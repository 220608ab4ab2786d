"""The captioning tab of the page: a photo in; a caption, why each word, other captions out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from captioning.answer import Answer, SeenPhoto, answer_photo, answer_with_others, see_photo
from captioning.batches import Batches
from captioning.options import SearchOptions
from captioning.tab_download import build_download
from captioning.tab_endpoint import CAPTION_BUDGET, build_endpoint, sentence
from captioning.tab_quality import build_caption_quality
from captioning.tab_search import DEFAULTS, build_search, search_options
from captioning.tab_why import photo_alone, shown
from captioning.tab_words import Pace, in_the_making, summary, told
from captioning.vocabulary import join_words
from common.background import Background
from common.handover import PhotoTab, build_carry
from common.photos import PhotoError
from common.turns import MODELS
from common.ui import (
    EXAMPLES,
    PhotoInput,
    Upload,
    build_examples,
    clicks,
    notice,
    photo_input,
    private,
)
from common.weights import WeightsError

if TYPE_CHECKING:
    from captioning.captioner import Captioner

_EXAMPLES = {
    "flower.jpg": "An orange flower",
    "cat.jpg": "A cat, close up",
    "coffee.jpg": "A cup of coffee on a wooden table",
    "pagoda.jpg": "A pagoda above a lake",
}
_FIRST_EXAMPLE = next(iter(_EXAMPLES))
_LOADING = notice("info", "Getting ready", "The captioner is being loaded, a few seconds.")
#: Waiting for the model is no work: it holds up nothing that another tab asks for.
_OPENING: dict[str, Any] = {"concurrency_id": "captions-opening", "concurrency_limit": None}
_RESULTS = ("answer", "status", "words", "view", "downloads", "first_words")
#: Puts the keyboard back on the word that was chosen, after its sentence was written anew.
_FOCUS_CHOSEN = """() => {
  const words = document.querySelector("#captions-told");
  const word = words.querySelector("[aria-pressed=true]") ?? words.querySelector("[data-word]");
  word?.focus({preventScroll: true});
}"""


class Ready(NamedTuple):
    """The loaded model, what runs it for several visitors at once, and the example that the page
    opens with, already answered."""

    captioner: "Captioner"
    batches: Batches
    example: Answer


def load(weights: Path | None = None) -> Ready:
    """The trained model and its answer; the very first run is slower than all others.

    weights: folder of the captioner's weights; the project's own without.
    """
    from captioning.captioner import Captioner  # here, because torch takes seconds to import

    captioner = Captioner.load(weights)
    _answer_example(captioner)
    return Ready(captioner, Batches(captioner, MODELS), _answer_example(captioner))


def build_tab(page: gr.Blocks, weights: Path | None = None) -> PhotoTab:
    """Lays out the tab in the Gradio context of the caller.

    Args:
        page: the Blocks that the tab is part of.
        weights: folder of the captioner's weights; the project's own without.

    Returns:
        What the page connects; the model is not yet loading: handlers start it and wait for it.
    """
    ready = Background(lambda: load(weights))
    answer = gr.State(None)
    with gr.Row(elem_classes="photo-row"):
        with gr.Column(scale=5, min_width=320):
            photo = _build_input()
            search = build_search()
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(_LOADING, elem_id="captions-status")
            words = gr.HTML(elem_id="captions-told", js_on_load=clicks("data-begin"))
            view = gr.HTML(elem_id="captions-shown", js_on_load=clicks("data-begin"))
            with gr.Row(elem_classes="downloads", visible=False) as downloads:
                build_download(answer)
            carry, alt_text = build_carry("Find faces in this photo")
    build_caption_quality(ready)
    results = [answer, status, words, view, downloads, search.first_words]

    def on_open(request: gr.Request) -> list[Any]:
        settings = search.linked.read(request)
        try:
            return [*_answered(ready.get().example), *settings]
        except WeightsError as error:
            return [*_unanswered(_not_loaded(error)), *settings]

    def on_opened(answer: Answer | None, *choices: Any) -> Iterator[list[Any]]:
        if answer is None or search_options(*choices) == answer.options:
            yield _updates()
        else:  # the page was opened by a link with other settings
            yield from _search_again(ready, answer, *choices)

    def on_photo(photo: Upload | None, *choices: Any) -> Iterator[list[Any]]:
        if photo is None:
            yield _unanswered("")
            return
        try:
            # The first words were meant for the photo before.
            choices = (*choices[:-1], "")
            options = search_options(*choices)
            model = ready.get()
            if MODELS.busy:
                yield _with_others(model.batches, photo, options)
                return
            with MODELS.turn():
                seen = see_photo(model.captioner, *photo)
            yield _updates(words="", view=photo_alone(seen), first_words="")
            yield from _search(model.captioner, seen, options)
        except PhotoError as error:
            yield _unanswered(notice("error", "This photo cannot be used", str(error)))
        except WeightsError as error:
            yield _unanswered(_not_loaded(error))

    def on_search(answer: Answer | None, *choices: Any) -> Iterator[list[Any]]:
        if answer is None:
            yield _updates()
        else:
            yield from _search_again(ready, answer, *choices)

    def on_begin(event: gr.EventData, answer: Answer | None, *choices: Any) -> Iterator[list[Any]]:
        number = _number(event, "begin")
        beginnings = [] if answer is None else answer.beginnings()
        if answer is None or number is None or number not in range(len(beginnings)):
            yield _updates()
        else:
            choices = (*choices[:-1], join_words(beginnings[number]))
            yield from _search_again(ready, answer, *choices, from_word=True)

    inputs = [answer, *search.choices]
    opened = page.load(
        on_open,
        None,
        [*results, *search.linked.components],
        show_progress="hidden",
        **private(_OPENING),
    ).then(on_opened, inputs, results, **_asks(status))
    asked = photo.change(on_photo, [photo, *search.choices], results, **_asks(status))
    searched = gr.on(search.changed, on_search, inputs, results, **_asks(status))
    begun = gr.on([words.click, view.click], on_begin, inputs, results, **_asks(status))
    begun.success(None, js=_FOCUS_CHOSEN)
    build_endpoint(ready)
    answered = [opened, asked, searched, begun]
    return PhotoTab(ready, photo, answer, carry, alt_text, answered)


def _build_input() -> PhotoInput:
    photo = photo_input(
        label="Your photo",
        show_label=False,
        elem_id="captions-photo",
        placeholder="# Drop a photo here\nor click to choose one",
    )
    build_examples(photo, _EXAMPLES)
    return photo


def _asks(status: gr.HTML) -> dict[str, Any]:
    """Settings of the events that ask the model; of several in a row, the last one counts."""
    return {
        "show_progress": "minimal",
        "show_progress_on": status,
        "trigger_mode": "always_last",
        **private(CAPTION_BUDGET),
    }


def _answer_example(captioner: "Captioner") -> Answer:
    seen = see_photo(captioner, EXAMPLES / _FIRST_EXAMPLE, _FIRST_EXAMPLE)
    *_, answer = answer_photo(captioner, seen, DEFAULTS)
    assert isinstance(answer, Answer)
    return answer


def _search_again(
    ready: Background[Ready], answer: Answer, *choices: Any, from_word: bool = False
) -> Iterator[list[Any]]:
    """Updates of another search in a photo that the encoder has seen.

    from_word: whether the first words end with one chosen in the page, to be explained at once.
    """
    try:
        options = search_options(*choices)
        chosen = len(options.first_words) - 1 if from_word and options.first_words else None
        yield from _search(ready.get().captioner, answer.photo, options, chosen)
    except WeightsError as error:
        yield _unanswered(_not_loaded(error))
    except ValueError as error:
        yield _updates(status=notice("error", "No caption can be found so", sentence(error)))


def _search(
    captioner: "Captioner", seen: SeenPhoto, options: SearchOptions, chosen: int | None = None
) -> Iterator[list[Any]]:
    """Updates of a search, word by word; without them while others wait, because sending one costs
    the server more than finding the word."""
    pace = Pace()
    for step in MODELS.one_by_one(answer_photo(captioner, seen, options)):
        if isinstance(step, Answer):
            yield _answered(step, pace.delays(len(step.captions[0].words)), chosen)
        elif not MODELS.busy:
            yield _updates(words=in_the_making(step, pace.delays(len(step))))


def _with_others(batches: Batches, photo: Upload, options: SearchOptions) -> list[Any]:
    """Updates for a photo while others wait."""
    answer = answer_with_others(batches, *photo, options)
    return _answered(answer, Pace().delays(len(answer.captions[0].words)))


def _answered(
    answer: Answer, delays: list[float] | None = None, chosen: int | None = None
) -> list[Any]:
    if chosen is not None and chosen >= len(answer.captions[0].words):
        chosen = None
    return _updates(
        answer=answer,
        status=summary(answer),
        words=told(answer, delays or [], chosen),
        view=shown(answer, chosen),
        downloads=gr.update(visible=True),
        first_words=join_words(answer.options.first_words),
    )


def _unanswered(message: str) -> list[Any]:
    hidden = gr.update(visible=False)
    return _updates(
        answer=None, status=message, words="", view="", downloads=hidden, first_words=""
    )


def _updates(**values: Any) -> list[Any]:
    """For the results; those that are not named stay as they are."""
    return [values.get(name, gr.skip()) for name in _RESULTS]


def _not_loaded(error: WeightsError) -> str:
    return notice("error", "The model could not be loaded", str(error))


def _number(event: gr.EventData, name: str) -> int | None:
    """A whole number that the page sends with an event; None where it is something else."""
    try:
        number = getattr(event, name, None)
    except TypeError:  # the event's data is no object
        return None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
