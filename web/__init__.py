"""The web page: all that knows Gradio or Starlette."""

import web.quick_gradio  # noqa: F401, before any other module imports Gradio
