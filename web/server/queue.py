"""The line of those who wait for the models: bounded, honest, and cheap."""

import asyncio
from typing import Any, Literal

import fastapi
import gradio as gr
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Queue
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import error_payload

Pushed = tuple[bool, str | list[dict[str, Any]], Any]

_RESTART = "The server is being restarted; try again in a minute."
_TELL_EVERY = 1  # seconds, in which everybody is told their place in the line
_IDLE = 0.005  # seconds between two looks for somebody who waits; Gradio's own cost 5 % of a core


class WaitingLine(Queue):
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


def use_waiting_line(page: gr.Blocks, max_size: int) -> WaitingLine:
    """Gives the page, once everything is laid out, its line of at most so many who wait."""
    page.queue(max_size=max_size)
    page._queue = line = WaitingLine(
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
