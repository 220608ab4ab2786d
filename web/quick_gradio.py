"""Imports Gradio without its type stubs; import this before anything that imports Gradio.

For every component class, Gradio reads the source, renders the class's type stub anew and compares
it with the .pyi file beside it: two of the four seconds that `import gradio` takes. It leaves out a
class whose file cannot be found, so none of its own are found while it is imported.
"""

import inspect
from typing import Any
from unittest.mock import patch

_find = inspect.getfile


def _find_but_gradio(thing: Any) -> str:
    if getattr(thing, "__module__", "").startswith("gradio."):
        raise OSError("a class of Gradio, while Gradio is imported")
    return _find(thing)


with patch.object(inspect, "getfile", _find_but_gradio):
    import gradio  # noqa: F401
