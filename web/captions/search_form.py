"""Options of the caption search, in a fold below the photo."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from captioning.options import SearchOptions
from captioning.vocabulary import tokenize
from web.components import private
from web.links import LinkedSettings

#: Initial values of the fold and of the example that the page opens with.
DEFAULTS = SearchOptions(num_captions=3)
_METHODS = [("Beam search", "beam"), ("Sampling", "sample")]


@dataclass(frozen=True)
class SearchChoices:
    """The fold's components.

    first_words: the box for the words that the caption begins with.
    again: the button that samples once more.
    linked: inputs of `search_options` in its order, except the first words, which come last.
    """

    first_words: gr.Textbox
    again: gr.Button
    linked: LinkedSettings

    @property
    def choices(self) -> list[Any]:
        """Inputs of `search_options`, in its order."""
        return [*self.linked.components, self.first_words]

    @property
    def changed(self) -> list[Any]:
        """The events after which the search runs again."""
        inputs = [choice.input for choice in self.linked.components]
        return [*inputs, self.first_words.submit, self.again.click]


def build_search() -> SearchChoices:
    """Lays out the fold in the Gradio context of the caller."""
    with gr.Accordion("Advanced: how captions are searched for", open=False, elem_id="search"):
        method = gr.Radio(_METHODS, value=DEFAULTS.method, label="Search", elem_classes="chips")
        with gr.Column() as beam:
            beam_size = gr.Slider(
                1, 10, value=DEFAULTS.beam_size, step=1,
                label="Beam size: captions followed in parallel",
            )  # fmt: skip
        with gr.Column(visible=False) as sampling:
            temperature = gr.Slider(
                0.1, 2, value=DEFAULTS.temperature, step=0.05,
                label="Temperature: above 1, unlikely words come up more often",
            )  # fmt: skip
            top_p = gr.Slider(
                0.05, 1, value=DEFAULTS.top_p, step=0.05,
                label="Top-p: draw from the likeliest words that make up this share",
            )  # fmt: skip
            again = gr.Button("Draw again", size="sm")
        num_captions = gr.Slider(
            1, 5, value=DEFAULTS.num_captions, step=1, label="Number of captions"
        )
        min_length = gr.Slider(1, 10, value=DEFAULTS.min_length, step=1, label="Words at least")
        max_length = gr.Slider(10, 40, value=DEFAULTS.max_length, step=1, label="Words at most")
        first_words = gr.Textbox(
            value="",  # without it, the page sends null as long as the fold is closed
            label="Begin with these words, then press Enter",
            placeholder="a photo of",
            max_length=200,
            elem_id="first-words",
        )
    method.change(
        lambda method: [gr.update(visible=method == name) for name in ("beam", "sample")],
        method,
        [beam, sampling],
        show_progress="hidden",
        **private(),
    )
    linked = LinkedSettings(
        search=method,
        beam=beam_size,
        temperature=temperature,
        top_p=top_p,
        captions=num_captions,
        min_words=min_length,
        max_words=max_length,
    )
    return SearchChoices(first_words, again, linked)


def search_options(
    method: str,
    beam_size: float,
    temperature: float,
    top_p: float,
    num_captions: float,
    min_length: float,
    max_length: float,
    first_words: str,
) -> SearchOptions:
    """The options for these values of the fold.

    Raises ValueError where a value is out of its range.
    """
    words = tokenize(first_words)
    if len(words) >= max_length:
        raise ValueError(
            f"expected fewer first words than a caption may have, {int(max_length)}, got "
            f"{len(words)}"
        )
    return SearchOptions(
        method=method,
        beam_size=int(beam_size),
        temperature=temperature,
        top_p=top_p,
        num_captions=int(num_captions),
        min_length=int(min_length),
        max_length=int(max_length),
        first_words=tuple(words),
    )
