"""Everything of this project that reaches into Gradio, and why; each has a test.

`requirements.txt` admits only the minor versions of Gradio that these were tested with. The package
`web` imports this module first, so that the patches are there before any component is made.

- Quick import: Gradio renders type stubs while it is imported, half of its four seconds.
- No stubs: Gradio would write a .pyi file beside each of our components.
- No fetching: Gradio would download whatever address a visitor gives in place of a file.
- `GuardedBlocks`: no traceback for values that no page sends.
- `LoggedBlocks`: a line in the log for each event.
- `RequestQueue`: a bounded queue that tells everybody who waits their place.
- `forget_session`, `set_shutdown_timeout`: two settings that have no public name.
- `LAUNCH`: options of `launch()` that are not documented.
"""

import asyncio
import inspect
import logging
import time
from collections import OrderedDict
from typing import Any, Literal, NoReturn
from unittest.mock import patch

import fastapi

from web.server.errors import described
from web.server.logging import log_request

_find = inspect.getfile


def _find_but_gradio(thing: Any) -> str:
    if getattr(thing, "__module__", "").startswith("gradio."):
        raise OSError("a class of Gradio, while Gradio is imported")
    return _find(thing)


# For every component class, Gradio reads the source, renders the class's type stub anew and
# compares it with the .pyi file beside it. It leaves out a class whose file cannot be found, so
# none of its own are found while it is imported.
with patch.object(inspect, "getfile", _find_but_gradio):
    import gradio as gr
    from gradio import component_meta, processing_utils
    from gradio.blocks import BlockFunction
    from gradio.data_classes import PredictBodyInternal
    from gradio.queueing import Queue
    from gradio.server_messages import ProcessCompletedMessage
    from gradio.utils import error_payload

_log = logging.getLogger(__name__)

#: Gradio gives up at the start where its own first request takes three seconds; without its
#: separate frontend it does not ask.
LAUNCH: dict[str, Any] = {"_frontend": False}

# Type checkers would read the stub, in whatever state it is, instead of the module.
component_meta.create_or_modify_pyi = lambda *_: None


async def _fetch_nothing(*_: Any, **__: Any) -> NoReturn:
    raise gr.Error(
        "This is a web address; save the photo and upload the file.", print_exception=False
    )


# Anybody could make this machine ask others for anything.
processing_utils.async_ssrf_protected_get = _fetch_nothing

_LONGEST = 300  # characters of an error's sentence; Gradio's own may repeat all that was sent
_MAX_GOING_ON = 200  # events that answer several times, whose beginning is remembered


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


class LoggedBlocks(GuardedBlocks):
    """A page that logs each of its events."""

    #: Key of an event that answers several times -> when it began. Those whose visitors leave
    #: before the end stay, so that it keeps no more than it may need.
    _going_on: OrderedDict[str, float]

    def __init__(self, **settings: Any):
        self._going_on = OrderedDict()
        super().__init__(**settings)

    async def process_api(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """As Gradio's. An event that answers several times is logged with its last answer."""
        event: BlockFunction | int = settings.get("block_fn", arguments[0] if arguments else -1)
        function = self.fns[event] if isinstance(event, int) else event
        public = function.api_visibility == "public"
        name = f"/{function.api_name}" if public else str(function.name)
        key = settings.get("event_id") or ""
        started = self._going_on.pop(key, time.perf_counter())
        outcome = "failed"
        try:
            answer = await super().process_api(*arguments, **settings)
            outcome = "going on" if answer.get("is_generating") else "answered"
            return answer
        except RequestFailed:
            raise
        except gr.Error:
            outcome = "refused"
            raise
        finally:
            if outcome != "going on":
                log_request(name, time.perf_counter() - started, outcome)
            elif key:
                self._going_on[key] = started
                while len(self._going_on) > _MAX_GOING_ON:
                    self._going_on.popitem(last=False)


Pushed = tuple[bool, str | list[dict[str, Any]], Any]

_RESTART = "The server is being restarted; try again in a minute."
_TELL_EVERY = 1  # seconds, in which everybody is told their place in the line
_IDLE = 0.005  # seconds between two looks for somebody who waits; Gradio's own cost 5 % of a core


class RequestQueue(Queue):
    """Gradio's queue, which tells everybody who waits their place, once in a second.

    It does without a summary of all requests so far after each of them, which costs more than the
    request and which nobody may read here.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.sleep_when_free = _IDLE
        self.ANALYTICS_MAX_EVENTS = 1
        self.stopping = False  # nobody new is let in

    def start(self) -> None:
        """As Gradio's, which calls it in the server's event loop."""
        self._loop = asyncio.get_running_loop()
        super().start()

    def give_up(self) -> None:
        """Tells everybody who is served or waits that there will be no answer. May be called by
        any thread."""
        self._loop.call_soon_threadsafe(self._tell_of_restart)

    def _tell_of_restart(self) -> None:
        output = error_payload(gr.Error(_RESTART, title="No answer"), show_error=True)
        for event in list(self.event_ids_to_events.values()):
            self.send_message(event, ProcessCompletedMessage(output=output, success=False))
            event.alive = False  # whatever comes now is not sent any more

    async def push(
        self, body: PredictBodyInternal, request: fastapi.Request, username: str | None
    ) -> Pushed:
        """As Gradio's, with sentences for those who are turned away."""
        if self.stopping:
            return _turned_away(request, _RESTART)
        pushed = await super().push(body, request, username)
        if pushed[2] == "queue_full":
            text = f"The page is busy: {self.max_size} others wait already. Try again in a minute."
            return _turned_away(request, text)
        return pushed

    def compute_analytics_summary(self, records: list[Any]) -> dict[str, Any]:
        """Nothing."""
        return {}

    @property
    def at_work(self) -> bool:
        """Whether something runs or waits."""
        return len(self) > 0 or self.get_active_worker_count() > 0


def use_request_queue(page: gr.Blocks, max_size: int) -> RequestQueue:
    """Gives the page, once everything is laid out, its line of at most so many who wait."""
    page.queue(max_size=max_size)
    page._queue = line = RequestQueue(
        live_updates=False,
        concurrency_count=page.max_threads,
        update_intervals=_TELL_EVERY,
        max_size=max_size,
        blocks=page,
    )
    return line


def _turned_away(request: fastapi.Request, sentence: str) -> Pushed:
    """Status 503 for programs. The page's script would show words of its own for that status, so
    that it gets the one for which it shows ours."""
    of_page = "sec-fetch-mode" in request.headers and request.url.path.endswith("/queue/join")
    state: Literal["error", "queue_full"] = "error" if of_page else "queue_full"
    return False, sentence, state


def forget_session(page: gr.Blocks, session: str | None) -> None:
    """Drops what the server keeps for a closed page; Gradio would only in an hour."""
    page.state_holder.session_data.pop(session or "", None)


def set_shutdown_timeout(page: gr.Blocks, seconds: int) -> None:
    """How long the page's server waits for open connections when it is closed."""
    page.server.config.timeout_graceful_shutdown = seconds
