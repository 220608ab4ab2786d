"""The web page: all that knows Gradio or Starlette."""

import importlib.util

# Before any other module imports Gradio. What the static site is made with does not import it.
if importlib.util.find_spec("gradio") is not None:
    import web.gradio_internals  # noqa: F401
