"""A Gradio page that a stranger's request cannot make print tracebacks or fetch addresses."""

import logging
from typing import Any, NoReturn

import gradio as gr
from gradio import processing_utils

from web.server.errors import described

_log = logging.getLogger(__name__)

_LONGEST = 300  # characters of a sentence; Gradio's own may repeat all that was sent


class RequestFailed(gr.Error):
    """An event failed by a fault that is not the visitor's, or by values that no page sends."""


class GuardedBlocks(gr.Blocks):
    """`gr.Blocks` whose events end in an answer or in a sentence, whatever was sent to them.

    Whoever knows the address can send any values to any event. What then fails in Gradio's
    conversion or in a handler would fill the log with tracebacks.
    """

    async def process_api(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """The event's answer.

        Raises:
            gr.Error: with a sentence for the visitor; never anything else.
        """
        try:
            return await super().process_api(*arguments, **settings)
        except gr.Error as error:
            error.print_exception = False
            error.message = str(error.message)[:_LONGEST]
            raise
        except Exception as error:
            _log.error("an event failed: %s", described(error))
            raise RequestFailed(
                "This request cannot be answered: what was sent does not fit it, or something "
                "failed here. Reload the page and try again.",
                print_exception=False,
            ) from error


async def _fetch_nothing(*_: Any, **__: Any) -> NoReturn:
    raise gr.Error(
        "This is a web address; save the photo and upload the file.", print_exception=False
    )


# Gradio would download a photo that is given by its address, so that anybody could make this
# machine ask others for anything.
processing_utils.async_ssrf_protected_get = _fetch_nothing
