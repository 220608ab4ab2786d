"""What the captioning tab saves on the visitor's machine: the captions as JSON."""

from pathlib import Path

import gradio as gr

from captioning.export import to_json
from web.captions.answer import Answer
from web.components import DRAWING_BUDGET, SAVE_FILE, private, saved_file


def build_download(answer: gr.State) -> None:
    """The button, in the Gradio context of the caller."""
    made = gr.JSON(visible=False)
    button = gr.Button("↓ JSON", size="sm", min_width=90)
    button.click(json_file, answer, made, **private(DRAWING_BUDGET)).success(
        None, made, None, js=SAVE_FILE
    )


def json_file(answer: Answer | None) -> dict[str, str]:
    if answer is None:
        raise gr.Error("Open a photo first.", title="Nothing to save", print_exception=False)
    stem = Path(answer.photo.name).stem or "photo"
    text = to_json([answer.record])
    return saved_file(text.encode(), f"{stem}_captions.json", "application/json")
