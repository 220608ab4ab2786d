"""Gradio's import without its type stubs."""

import inspect
from pathlib import Path
from unittest.mock import patch

import gradio as gr
from gradio import component_meta

from web.gradio_internals import _find_but_gradio


def component_class(module: str) -> type:
    return type(gr.Image)("Picture", (gr.Image,), {"__module__": module})


def test_no_stub_is_rendered_for_a_class_of_gradio() -> None:
    with (
        patch.object(inspect, "getfile", _find_but_gradio),
        patch.object(component_meta, "create_pyi", side_effect=AssertionError("rendered")),
    ):
        component_class("gradio.components.picture")


def test_everything_else_is_found_then_and_gradio_afterwards() -> None:
    assert Path(_find_but_gradio(Path)).name in ("pathlib.py", "__init__.py")
    assert Path(inspect.getfile(gr.Image)).name == "image.py"
