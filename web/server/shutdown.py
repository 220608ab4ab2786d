"""A clean stop: who is being served is served, who comes is told, and then it is over."""

import os
import signal
import sys
import threading
import time

import gradio as gr

from web.gradio_internals import RequestQueue, set_shutdown_timeout
from web.server.health import Health

FINISH = 5.0  # seconds for what runs or waits when the signal comes
CLOSE = 2  # seconds more for connections; those still open are told, then cut


class Stopping:
    """Makes SIGTERM and SIGINT end `wait` instead of the process."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._asked.set())

    def wait(self) -> None:
        """Until the process is asked to stop."""
        while not self._asked.wait(1):  # a wait without end would not see the signal everywhere
            pass


def stop(page: gr.Blocks, line: RequestQueue, health: Health) -> None:
    """Ends the process with exit code 0, at most `FINISH` + `CLOSE` seconds and a moment later."""
    health.stopping = line.stopping = True
    deadline = time.monotonic() + FINISH
    while line.at_work and time.monotonic() < deadline:
        time.sleep(0.05)
    line.give_up()
    time.sleep(0.3)  # until the last answers are on their way
    set_shutdown_timeout(page, CLOSE)
    page.close(verbose=False)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a clip or a model in another thread would hold up the interpreter's own end
