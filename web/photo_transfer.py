"""Handing a photo to the other tab, and the alt text made of both answers."""

import filecmp
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from web.components import PhotoInput, Upload, needed


class PhotoTab(NamedTuple):
    """Parts of a tab that the page connects.

    photo: a photo put in here is answered.
    answer: the tab's result, of a type of its own; None without a photo.
    carry: the button that hands the photo over to the other tab.
    alt_text: shows caption and number of faces.
    answered: the events that change the answer.
    """

    photo: PhotoInput
    answer: gr.State
    carry: gr.Button
    alt_text: gr.HTML
    answered: Sequence[gr.events.Dependency]


def build_carry(label: str) -> tuple[gr.Button, gr.HTML]:
    """The button that hands the photo over, disabled until there is an answer, and the place of the
    alt text, in the Gradio context of the caller."""
    with gr.Row(elem_classes=["downloads", "carry"]):
        button = gr.Button(label, size="sm", min_width=90, interactive=False)
    return button, gr.HTML()


def photo_to_carry(path: Path | None, name: str = "") -> Upload:
    """Value of the other tab's input; a message to the visitor where there is no photo."""
    path = needed(path)
    if not path.exists():
        raise gr.Error(
            "This photo has been deleted on the server; open it again.",
            title="The photo is gone",
            print_exception=False,
        )
    return Upload(path, name)


def same_photo(a: Path, b: Path) -> bool:
    """Whether two files have the same contents; False where one has been deleted."""
    try:
        return a == b or filecmp.cmp(a, b, shallow=False)
    except OSError:
        return False


def alt_text_line(text: str) -> str:
    """HTML of the line, with a button that copies it (see assets/page.js)."""
    return (
        f'<div class="alt-text"><p>{escape(text)}</p>'
        f'<button type="button" data-copy="{escape(text)}">Copy alt text</button>'
        '<span class="unseen" role="status"></span></div>'
    )
