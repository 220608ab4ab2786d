"""`python -m tests.watched_app …` is `python app.py …` under watch, with short times.

Every connection to another machine is refused and reported in the log as "OUTBOUND …", and every
file that is opened for writing as "WRITES …". Visitors' files are deleted after seconds.
"""

import ipaddress
import os
import sys
from typing import Any

from web import page

AGE, EVERY = 4, 1  # seconds; in earnest they are minutes


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578)."""
    if event == "open":
        path, _, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            os.write(2, f"WRITES {path}\n".encode())
    elif event in ("socket.connect", "socket.sendto"):
        _refuse_unless_here(arguments[1])
    elif event == "socket.getaddrinfo":
        _refuse_unless_here((arguments[0], arguments[1]))


def _refuse_unless_here(address: Any) -> None:
    if not isinstance(address, tuple) or not address or is_here(address[0]):
        return
    os.write(2, f"OUTBOUND {address}\n".encode())
    raise ConnectionRefusedError(f"{address} is another machine")


def is_here(host: Any) -> bool:
    """Whether a name or an IP address is this machine's own."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


if __name__ == "__main__":
    sys.addaudithook(watch)
    page.DELETE_AGE, page.DELETE_EVERY = AGE, EVERY
    import app

    app.main()
