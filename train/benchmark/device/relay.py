"""A listener between browser and page: it passes everything on and keeps what the browser sent."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_HEAD = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")


class Relay:
    """What all connections of the browser carried since the last `forget`.

    received: bytes that the browser got.
    """

    def __init__(self) -> None:
        self._sent: list[bytearray] = []
        self.received = 0

    def forget(self) -> None:
        """Listens anew."""
        self.received = 0
        for sent in self._sent:
            sent.clear()

    @property
    def sent(self) -> int:
        """Bytes that the browser sent."""
        return sum(map(len, self._sent))

    @property
    def requests(self) -> list[str]:
        """Method and path of each request."""
        heads = [head for sent in self._sent for head in _HEAD.findall(bytes(sent))]
        return [f"{method.decode()} {path.decode()}" for method, path in heads]

    def connect(self, browser: socket.socket, page: socket.socket) -> None:
        """Passes on both directions of a connection, in threads, until its end."""
        kept = bytearray()
        self._sent.append(kept)

        def count(data: bytes) -> None:
            self.received += len(data)

        for source, target, note in ((browser, page, kept.extend), (page, browser, count)):
            threading.Thread(target=_pass_on, args=(source, target, note), daemon=True).start()


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
            relay.connect(browser, socket.create_connection((parts.hostname, parts.port)))

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/", relay
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def _pass_on(source: socket.socket, target: socket.socket, note: Callable[[bytes], None]) -> None:
    try:
        while data := source.recv(65536):
            note(data)
            target.sendall(data)
    except OSError:  # one of the two has left
        pass
    for end in (source, target):
        end.close()
