"""All that reaches into Gradio's internals, and why; each patch has a test.

`requirements.txt` admits only the minor versions of Gradio that these were tested with. The package
`web` imports this module first, so that the patches are in place before any component is made.

Five patches:

1. No type stubs: Gradio renders them while it is imported, half of its four seconds, and would
   write a .pyi file beside each of our components.
2. Nothing is imported that no visitor needs: pandas, which is 66 MiB and a third of a second, comes
   at its first use, and the command lines of Gradio and httpx not at all. Nor is matplotlib, where
   it is installed: Gradio sets its backend around every event, for handlers that plot, and so takes
   25 MiB and a third of a second of the first visitor's.
3. No fetching: Gradio would download any address that a visitor gives in place of a file.
4. `PageBlocks`: a log line for each event, and no traceback for values that no page sends.
5. `RequestQueue`: a bounded queue that tells all waiting visitors their place.

A sixth, in the browser: `assets/answer_stream.js`, without which an answer may never arrive.

And uses of names that Gradio does not document: `set_launched`, `admits`, `forget_session`,
`share_address` and `close_tunnels`. Everything else goes through `gr.mount_gradio_app`
(web/server/site.py).
"""

import asyncio
import importlib
import inspect
import logging
import secrets
import sys
import time
from collections import OrderedDict
from contextlib import nullcontext
from types import ModuleType
from typing import Any, Literal, NoReturn
from unittest.mock import patch

import fastapi
from starlette.requests import Request

from web.log import described, log_request

_find = inspect.getfile


def _find_but_gradio(thing: Any) -> str:
    if getattr(thing, "__module__", "").startswith("gradio."):
        raise OSError("a class of Gradio, while Gradio is imported")
    return _find(thing)


class _Later(ModuleType):
    """A module that is imported when something of it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


sys.modules.setdefault("pandas", _Later("pandas"))
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
_no_commands = ModuleType("gradio.cli")
_no_commands.__dict__["deploy"] = None
sys.modules.setdefault("gradio.cli", _no_commands)

# For every component class, Gradio reads the source, renders the class's type stub anew and
# compares it with the .pyi file beside it. It skips a class whose file cannot be found, so none of
# its own are found while it is imported.
with patch.object(inspect, "getfile", _find_but_gradio):
    import gradio as gr
    from gradio import component_meta, networking, processing_utils, tunneling
    from gradio import utils as gradio_utils
    from gradio.blocks import BlockFunction
    from gradio.data_classes import PredictBodyInternal
    from gradio.queueing import Queue
    from gradio.server_messages import ProcessCompletedMessage
    from gradio.utils import error_payload

if (
    sys.modules["gradio.cli"] is _no_commands
):  # imported when it is asked for, as by `Blocks.launch`
    del sys.modules["gradio.cli"]

gradio_utils.MatplotlibBackendMananger = nullcontext  # type: ignore[misc, assignment]

# Type checkers would read the stub, in whatever state it is, instead of the module.
component_meta.create_or_modify_pyi = lambda *_: None


async def _fetch_nothing(*_: Any, **__: Any) -> NoReturn:
    raise gr.Error(
        "This is a web address; save the photo and upload the file.", print_exception=False
    )


# Otherwise any visitor could make this machine send requests to any other.
processing_utils.async_ssrf_protected_get = _fetch_nothing

_log = logging.getLogger(__name__)

_LONGEST = 300  # characters of an error's sentence; Gradio's own may repeat all that was sent
_MAX_GOING_ON = 200  # events with several answers whose start is remembered
_FAILED = (
    "This request cannot be answered: what was sent does not fit it, or something failed here. "
    "Reload the page and try again."
)


class PageBlocks(gr.Blocks):
    """`gr.Blocks` that logs each event, and ends it with an answer or a sentence.

    Visitors can send any values to any event, and some make Gradio's conversion or a handler fail;
    the log gets one line for such an event, not a traceback.
    """

    #: Key of an event with several answers -> when it began. Events whose visitors leave before
    #: the end are never removed, so the number is bounded.
    _going_on: OrderedDict[str, float]

    def __init__(self, **settings: Any):
        self._going_on = OrderedDict()
        super().__init__(**settings)

    async def process_api(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """As Gradio's. An event with several answers is logged with its last one.

        Raises:
            gr.Error: with a sentence for the visitor; never anything else.
        """
        event: BlockFunction | int = settings.get("block_fn", arguments[0] if arguments else -1)
        key = settings.get("event_id") or ""
        started = self._going_on.pop(key, time.perf_counter())
        outcome = "failed"
        try:
            answer = await super().process_api(*arguments, **settings)
            outcome = "going on" if answer.get("is_generating") else "answered"
            return answer
        except gr.Error as error:
            outcome = "refused"
            error.print_exception = False
            error.message = str(error.message)[:_LONGEST]
            raise
        except asyncio.CancelledError:  # another event took its place, or its visitor left
            outcome = "cancelled"
            raise
        except Exception as error:
            _log.error("an event failed: %s", described(error))
            raise gr.Error(_FAILED, print_exception=False) from error
        finally:
            if outcome != "going on":
                log_request(self._name(event), time.perf_counter() - started, outcome)
            elif key:
                self._going_on[key] = started
                while len(self._going_on) > _MAX_GOING_ON:
                    self._going_on.popitem(last=False)

    def _name(self, event: BlockFunction | int) -> str:
        """/NAME of an endpoint of the API, NAME of an event of the page."""
        function = self.fns[event] if isinstance(event, int) else event
        public = function.api_visibility == "public"
        return f"/{function.api_name}" if public else str(function.name)


Pushed = tuple[bool, str | list[dict[str, Any]], Any]

_RESTART = "The server is being restarted; try again in a minute."
_TELL_EVERY = 1  # seconds between two messages about the place in the queue
_IDLE = 0.005  # seconds between two looks for a waiting event; Gradio's default costs 5 % of a core


class RequestQueue(Queue):
    """Gradio's queue; tells all waiting visitors their place once a second.

    It makes no summary of all earlier requests after each request: that costs more than the
    request, and nobody may read it here.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.sleep_when_free = _IDLE
        self.ANALYTICS_MAX_EVENTS = 1
        self.stopping = False  # new requests are refused

    def start(self) -> None:
        """As Gradio's, which calls it in the server's event loop."""
        self._loop = asyncio.get_running_loop()
        super().start()

    def give_up(self) -> None:
        """Tells all running and waiting events that they get no answer. Thread-safe."""
        self._loop.call_soon_threadsafe(self._tell_of_restart)

    def _tell_of_restart(self) -> None:
        output = error_payload(gr.Error(_RESTART, title="No answer"), show_error=True)
        for event in list(self.event_ids_to_events.values()):
            self.send_message(event, ProcessCompletedMessage(output=output, success=False))
            event.alive = False  # later results are not sent any more
        if self.server_app is not None:
            self.server_app.stop_event.set()  # ends the connection that each open page keeps

    async def push(
        self, body: PredictBodyInternal, request: fastapi.Request, username: str | None
    ) -> Pushed:
        """As Gradio's, with a sentence for each refusal."""
        if self.stopping:
            return _refused(request, _RESTART)
        pushed = await super().push(body, request, username)
        if pushed[2] == "queue_full":
            text = f"The page is busy: {self.max_size} others wait already. Try again in a minute."
            return _refused(request, text)
        return pushed

    def compute_analytics_summary(self, records: list[Any]) -> dict[str, Any]:
        """Nothing."""
        return {}

    @property
    def at_work(self) -> bool:
        """Whether something runs or waits."""
        return len(self) > 0 or self.get_active_worker_count() > 0


def use_request_queue(page: gr.Blocks, max_size: int) -> RequestQueue:
    """Gives the finished page its queue of at most `max_size` waiting events."""
    page.queue(max_size=max_size)
    page._queue = queue = RequestQueue(
        live_updates=False,
        concurrency_count=page.max_threads,
        update_intervals=_TELL_EVERY,
        max_size=max_size,
        blocks=page,
    )
    return queue


def _refused(request: fastapi.Request, sentence: str) -> Pushed:
    """Status 503 for programs. For that status the page's script shows its own words, so the page
    gets another status, with which it shows ours."""
    of_page = "sec-fetch-mode" in request.headers and request.url.path.endswith("/queue/join")
    state: Literal["error", "queue_full"] = "error" if of_page else "queue_full"
    return False, sentence, state


def set_launched(page: gr.Blocks, sessions: int) -> None:
    """Sets what `launch` sets and `gr.mount_gradio_app` does not.

    Without `has_launched`, an event would accept any file of this machine in place of an upload.

    sessions: open pages whose state is kept; the least recently used loses its own first.
    """
    page.has_launched = True
    page.state_session_capacity = sessions


def admits(request: Request) -> bool:
    """Whether the page's login lets this request in; it comes to a route beside Gradio's own."""
    app = request.app
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return app.auth is None or any(request.cookies.get(name) in app.tokens for name in names)


def forget_session(page: gr.Blocks, session: str | None) -> None:
    """Drops what the server keeps for a closed page; Gradio would keep it for an hour."""
    page.state_holder.session_data.pop(session or "", None)


def share_address(port: int) -> str | None:
    """A public gradio.live address of the page on this port, valid for at most a week.

    None, with a line in the log, where Gradio's servers cannot be reached.
    """
    try:
        address = networking.setup_tunnel("127.0.0.1", port, secrets.token_urlsafe(32), None, None)
    except Exception as error:  # no connection, no program for the tunnel, no place to store it
        _log.error("no public link: %s", error)
        return None
    return address.replace("http://", "https://")


def close_tunnels() -> None:
    """Ends what `share_address` started."""
    for tunnel in tunneling.CURRENT_TUNNELS:
        tunnel.kill()
