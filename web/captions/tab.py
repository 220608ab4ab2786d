"""The captioning tab: photo, caption, reasons for each word, other captions."""

from collections.abc import Iterator
from typing import Any, Literal

import gradio as gr

from captioning.vocabulary import join_words
from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.weights import WeightsError
from web.captions.answer import Answer, see_photo
from web.captions.api import CAPTION_BUDGET, build_endpoint
from web.captions.downloads import build_download
from web.captions.model import PHOTOS, Ready
from web.captions.quality import build_caption_quality
from web.captions.results import (
    answered,
    search,
    search_again,
    unanswered,
    updates,
    with_others,
)
from web.captions.search_form import build_search, search_options
from web.captions.why import photo_alone
from web.components import (
    OPENING_BUDGET,
    Upload,
    build_photo_input,
    clicks,
    not_loaded,
    notice,
    private,
)
from web.models import MODELS, Background
from web.photo_transfer import PhotoTab, build_carry

_LOADING = notice(
    "info", "Getting ready", "The captioning model is loading; this takes a few seconds."
)
#: Moves the keyboard's focus back to the chosen word after the sentence was rendered again.
_FOCUS_CHOSEN = """() => {
  const words = document.querySelector("#captions-told");
  const word = words.querySelector("[aria-pressed=true]") ?? words.querySelector("[data-word]");
  word?.focus({preventScroll: true});
}"""


def build_tab(page: gr.Blocks, ready: Background[Ready]) -> PhotoTab:
    """Lays out the tab in the Gradio context of the caller.

    Args:
        page: the Blocks that the tab is part of.
        ready: the model; handlers start it and wait for it.

    Returns:
        What the page connects.
    """
    answer = gr.State(None)
    with gr.Row(elem_classes="photo-row"):
        with gr.Column(scale=5, min_width=320):
            photo = build_photo_input("captions-photo", PHOTOS)
            fold = build_search()
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(_LOADING, elem_id="captions-status")
            words = gr.HTML(elem_id="captions-told", js_on_load=clicks("data-begin"))
            view = gr.HTML(elem_id="captions-shown", js_on_load=clicks("data-begin"))
            with gr.Row(elem_classes="downloads", visible=False) as downloads:
                build_download(answer)
            carry, alt_text = build_carry("Find faces in this photo")
    build_caption_quality(ready)
    results = [answer, status, words, view, downloads, carry, fold.first_words]

    def on_open(request: gr.Request) -> list[Any]:
        # Choices made during loading stay: `on_opened` searches with them.
        settings = fold.linked.updates(request)
        try:
            return [*answered(ready.get().example)[:-1], *settings]
        except WeightsError as error:
            return [*unanswered(not_loaded(error))[:-1], *settings]

    def on_opened(
        answer: Answer | None, photo: Upload | None, *choices: Any
    ) -> Iterator[list[Any]]:
        if answer is None or (photo is None and search_options(*choices) == answer.options):
            yield updates()
        else:  # a link or the visitor chose other options, or the visitor a photo
            yield from on_ask(answer, photo, *choices)

    def on_photo(photo: Upload, *choices: Any) -> Iterator[list[Any]]:
        try:
            # The first words belonged to the photo before.
            choices = (*choices[:-1], "")
            options = search_options(*choices)
            model = ready.get()
            if MODELS.busy:
                yield with_others(model.batches, photo, options)
                return
            with MODELS.turn():
                seen = see_photo(model.captioner, *photo)
            yield updates(words="", view=photo_alone(seen), first_words="")
            yield from search(model.captioner, seen, options)
        except PhotoError as error:
            yield unanswered(notice("error", "This photo cannot be used", str(error)))
        except WeightsError as error:
            yield unanswered(not_loaded(error))

    def on_ask(answer: Answer | None, photo: Upload | None, *choices: Any) -> Iterator[list[Any]]:
        """Looks at a photo that is new, and searches again in one that is not."""
        if photo is not None and (answer is None or photo.path != answer.photo.path):
            yield from on_photo(photo, *choices)
        elif answer is not None and (photo or answer.photo.path == ready.get().example.photo.path):
            yield from search_again(ready, answer, *choices)
        else:
            yield unanswered("")

    def on_begin(event: gr.EventData, answer: Answer | None, *choices: Any) -> Iterator[list[Any]]:
        number = _number(event, "begin")
        beginnings = [] if answer is None else answer.beginnings()
        if answer is None or number is None or number not in range(len(beginnings)):
            yield updates()
        else:
            choices = (*choices[:-1], join_words(beginnings[number]))
            yield from search_again(ready, answer, *choices, from_word=True)

    inputs = [answer, photo, *fold.choices]
    opened = page.load(
        on_open,
        None,
        [*results[:-1], *fold.linked.components],
        show_progress="hidden",
        **private(OPENING_BUDGET),
    ).then(on_opened, inputs, results, **_asks(status, "always_last"))
    # A click while the last one is answered counts for nothing: its words are about to go.
    begun = gr.on(
        [words.click, view.click],
        on_begin,
        [answer, *fold.choices],
        results,
        **_asks(status, "once"),
    )
    begun.success(None, js=_FOCUS_CHOSEN)
    # One event, so that no answer overtakes another: what came last is answered last.
    asking = [photo.change, *fold.changed]
    gr.on(asking, None, cancels=begun)  # before the other, for Gradio ends one before the next
    asked = gr.on(asking, on_ask, inputs, results, **_asks(status, "always_last"))
    build_endpoint(ready)
    return PhotoTab(photo, answer, carry, alt_text, [opened, asked, begun])


def _asks(status: gr.HTML, mode: Literal["once", "always_last"]) -> dict[str, Any]:
    """Settings of the events that ask the model. mode: which of several in a row counts."""
    return {
        "show_progress": "minimal",
        "show_progress_on": status,
        "trigger_mode": mode,
        **private(CAPTION_BUDGET),
    }


def _number(event: gr.EventData, name: str) -> int | None:
    """A whole number that the page sends with an event; None where it is something else."""
    try:
        number = getattr(event, name, None)
    except TypeError:  # the event's data is no object
        return None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
