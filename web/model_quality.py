"""The fold "How good is it?" of each tab: figures, worst cases, what the model is not for."""

import logging
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import gradio as gr
import numpy as np

from keypoints_captions.model_card import Card
from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.weights import WeightsError
from web.components import MODEL_BUDGET, jpeg_url, notice, private

_log = logging.getLogger(__name__)


class Case(NamedTuple):
    """A picture that is hard for the model, and what came of it.

    name: what is hard about it; picture: (H, W, 3) uint8 RGB; outcome: in a sentence.
    """

    name: str
    picture: np.ndarray
    outcome: str


def build_quality(
    cards: Sequence[Card],
    charts: Sequence[Callable[[], str]],
    evaluations: Sequence[str],
    introduction: str,
    look: Callable[[], list[Case]],
) -> None:
    """Lays out the fold in the Gradio context of the caller.

    Args:
        cards: of the models; known failures and use are shown as they stand there.
        charts: make the HTML of the figures; one whose figures the card lacks is left out.
        evaluations: names of the evaluations that measured them: "keypoints".
        introduction: what the cases are.
        look: runs the model on hard pictures; called when somebody opens the fold, and once only.
    """
    known: list[str] = []

    def on_expand() -> str:
        if not known:
            try:
                known.append(cases_html(look()))
            except (PhotoError, WeightsError) as error:
                return notice("error", "The model could not be run", str(error))
        return known[0]

    with gr.Accordion("How good is it?", open=False, elem_classes="quality") as fold:
        commands = " and ".join(f"<code>python -m train.evaluate {e}</code>" for e in evaluations)
        gr.HTML(
            f'<div class="charts">{"".join(map(_made, charts))}</div><p class="footnote">Measured '
            f"by {commands}; there is more in the model cards, in the folder weights.</p>"
        )
        gr.HTML(f"<h2>Where it fails</h2><p>{escape(introduction)}</p>")
        cases = gr.HTML(min_height=120)
        gr.Markdown("\n\n".join(card.section("Known failures") for card in cards))
        gr.HTML("<h2>What it is for, and what not</h2>")
        gr.Markdown("\n\n".join(card.section("Use") for card in cards))
    fold.expand(on_expand, None, cases, show_progress="minimal", **private(MODEL_BUDGET))


def _made(chart: Callable[[], str]) -> str:
    try:
        return chart()
    except LookupError as error:
        _log.warning("a chart is left out: %s", error)
        return ""


def cases_html(cases: Sequence[Case]) -> str:
    """HTML of the pictures side by side."""
    figures = "".join(
        f'<figure><img src="{jpeg_url(case.picture)}" alt="{escape(case.name)}: '
        f'{escape(case.outcome)}"><figcaption><strong>{escape(case.name)}</strong> '
        f"{escape(case.outcome)}</figcaption></figure>"
        for case in cases
    )
    return f'<div class="cases">{figures}</div>'
