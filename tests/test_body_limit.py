"""The limit on a request's body."""

import asyncio
from typing import Any

import pytest

from web.server.body_limit import BodyLimit


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def ask(path: str, *chunks: bytes, leaves: bool = False) -> tuple[int, bytes, int]:
    """Status and body of the answer, and how many chunks were taken."""
    waiting = list(chunks)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting) or leaves}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(BodyLimit(echo, "/frames", 100)({"type": "http", "path": path}, receive, send))
    if not sent:
        return 0, b"", len(chunks) - len(waiting)
    return sent[0]["status"], sent[1]["body"], len(chunks) - len(waiting)


@pytest.mark.parametrize("path", ["/api/frames", "/api/frames/"])
def test_what_fits_passes_unchanged(path: str) -> None:
    assert ask(path, b"a" * 60, b"b" * 40) == (200, b"a" * 60 + b"b" * 40, 2)
    assert ask(path, b"") == (200, b"", 1)


@pytest.mark.parametrize("path", ["/api/frames", "/api/frames/"])
def test_what_is_longer_is_refused_before_it_is_all_there(path: str) -> None:
    status, body, taken = ask(path, b"a" * 60, b"b" * 41, b"c" * 1000)
    assert (status, taken) == (413, 2)
    assert b"100 bytes" in body


def test_other_paths_have_no_limit() -> None:
    assert ask("/upload", b"a" * 500)[:2] == (200, b"a" * 500)


def test_a_sender_who_leaves_is_forgotten() -> None:
    assert ask("/api/frames", b"a" * 60, leaves=True)[0] == 0
