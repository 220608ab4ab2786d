"""A listener between browser and page: it passes everything on and keeps what the browser sent."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_HEAD = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")


class Relay:
    """What all connections of the browser carried, in the order of their beginning."""

    def __init__(self) -> None:
        self._sent: list[bytearray] = []

    def forget(self) -> None:
        """Listens anew."""
        for sent in self._sent:
            sent.clear()

    @property
    def bytes(self) -> int:
        """Sent by the browser since then."""
        return sum(map(len, self._sent))

    @property
    def requests(self) -> list[str]:
        """Method and path of each request since then."""
        heads = [head for sent in self._sent for head in _HEAD.findall(bytes(sent))]
        return [f"{method.decode()} {path.decode()}" for method, path in heads]

    def listen(self, source: socket.socket, target: socket.socket) -> None:
        """Passes on what the browser sends on one connection, until its end."""
        self._sent.append(kept := bytearray())
        while data := _receive(source):
            kept += data
            target.sendall(data)
        target.close()


@contextmanager
def relaying(address: str) -> Iterator[tuple[str, Relay]]:
    """The address that leads to the page at `address` through a relay, and the relay."""
    parts = urlsplit(address)
    server = socket.create_server(("127.0.0.1", 0))
    relay = Relay()

    def accept() -> None:
        while True:
            try:
                browser, _ = server.accept()
            except OSError:  # the end
                return
            page = socket.create_connection((parts.hostname, parts.port))
            for work in (
                lambda a=browser, b=page: relay.listen(a, b),
                lambda a=browser, b=page: _pass_on(b, a),
            ):
                threading.Thread(target=work, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/", relay
    server.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := _receive(source):
            target.sendall(data)
    except OSError:  # the browser has left
        pass
    target.close()


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""
