"""The web server, uvicorn in a thread of its own, and its graceful shutdown."""

import os
import signal
import socket
import sys
import threading
import time

import uvicorn
from starlette.types import ASGIApp

from web.gradio_internals import RequestQueue, close_tunnels
from web.server.health import Health

FINISH = 5.0  # seconds for running and queued requests when the signal to stop comes
CLOSE = 2  # seconds more for open connections, which are cut then


def listen(host: str, port: int) -> socket.socket:
    """Takes the port; who connects waits until a `Server` answers. Raises OSError where the port is
    in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host.strip("[]"), port), family=family)
    # For all its connections: an answer's body does not wait until its head is acknowledged, which
    # takes 40 ms. asyncio does so itself, but not for sockets that are handed to it.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listening


class Server:
    """Serves an application while the main thread waits for the signal to stop."""

    def __init__(self, app: ASGIApp, listening: socket.socket, host: str):
        """Answers after `start`. listening: of `listen`, with the same host."""
        self._socket = listening
        host = host.strip("[]")
        name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        self.address = f"http://{name}:{listening.getsockname()[1]}/"
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=CLOSE
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True, name="server"
        )
        self._asked_to_stop = threading.Event()

    def start(self) -> None:
        """Serves from now on; SIGTERM and SIGINT end `wait` instead of the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._asked_to_stop.set())
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def wait(self) -> None:
        """Blocks until the process is asked to stop."""
        while not self._asked_to_stop.wait(1):  # an endless wait would miss signals on some systems
            pass

    def stop(self, queue: RequestQueue, health: Health) -> None:
        """Ends the process with exit code 0, at most `FINISH` + `CLOSE` seconds and a moment later.

        Running and queued requests are finished first; new ones are refused with a sentence.
        """
        health.stopping = queue.stopping = True
        deadline = time.monotonic() + FINISH
        while queue.at_work and time.monotonic() < deadline:
            time.sleep(0.05)
        queue.give_up()
        time.sleep(0.3)  # until the last answers are on their way
        close_tunnels()
        self._server.should_exit = True
        self._thread.join(CLOSE + 1)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # a clip or a model in another thread would delay the interpreter's own end
