"""The web page: all that knows Gradio or Starlette."""

import web.gradio_internals  # noqa: F401, before any other module imports Gradio
