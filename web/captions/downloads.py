"""Downloads of the captioning tab: the captions as JSON."""

import gradio as gr

from captioning.export import to_json
from web.captions.answer import Answer
from web.components import download_button, needed, saved_file


def build_download(answer: gr.State) -> None:
    """The button, in the Gradio context of the caller."""
    download_button("JSON", json_file, [answer], interactive=True)


def json_file(answer: Answer | None) -> dict[str, str]:
    answer = needed(answer)
    return saved_file(to_json([answer.record]).encode(), answer.photo.name, "_captions.json")
