"""What stands between the network and the page, each part alone."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from web.server.asgi import Application
from web.server.body_limit import BodyLimit, UploadLimit
from web.server.closed_paths import ClosedPaths, is_closed
from web.server.errors import LastResort
from web.server.response_headers import HEADERS, ResponseHeaders


class Answer:
    """What came back: status, body, headers with lower-case names."""

    def __init__(self, messages: list[Any]):
        self.status = messages[0]["status"] if messages else 0
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        headers = messages[0].get("headers", []) if messages else []
        self.headers = {name.decode().lower(): value.decode() for name, value in headers}


def ask(app: Application, path: str = "/", *chunks: bytes, **scope: Any) -> Answer:
    waiting, sent = list(chunks or [b""]), []

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {"type": "http", "path": path, "method": "POST", "headers": [], **scope}
    asyncio.run(app(whole, receive, send))
    return Answer(sent)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        body, more = body + message["body"], message["more_body"]
    headers = [(b"X-Frame-Options", b"DENY"), (b"Referrer-Policy", b"origin")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# --- headers --------------------------------------------------------------------------------


def test_headers_are_added_and_none_is_replaced() -> None:
    headers = ask(ResponseHeaders(echo)).headers
    assert headers["referrer-policy"] == "origin" and headers["x-frame-options"] == "DENY"
    for name in HEADERS.keys() - {"referrer-policy"}:
        assert headers[name] == HEADERS[name]


def test_the_camera_is_left_and_frames_are_few() -> None:
    assert "camera=(self)" in HEADERS["permissions-policy"]
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"].split()[0] == "'self'"
    assert "https://huggingface.co" in policy["frame-ancestors"]
    assert "*" not in policy["connect-src"] and "http" not in policy["script-src"]


def test_an_upload_runs_nothing_and_stays_in_no_cache() -> None:
    headers = ask(ResponseHeaders(echo), "/gradio_api/file=/tmp/a.svg").headers
    assert "sandbox" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]
    assert headers["cache-control"] == "private, no-store"


# --- closed paths ---------------------------------------------------------------------------

CLOSED = ["/gradio_api/deep_link", "/gradio_api/runs", "/gradio_api/run-history/records", "/runs"]
CLOSED += ["/monitoring", "/monitoring/summary", "/gradio_api/process_recording", "//monitoring"]
CLOSED += ["/gradio_api/proxy=https://a.hf.space/b", "/gradio_api/dev/reload", "/Monitoring"]
CLOSED += ["/gradio_api/vibe-edit/", "/gradio_api/undo-vibe-edit", "/gradio_api/profiling/traces"]
CLOSED += ["/gradio_api/file=https://example.org/a.jpg", "/gradio_api/file=HTTP://example.org"]
CLOSED += ["/gradio_api/file=ftp://example.org", "/gradio_api/file= http://example.org"]
OPEN = ["/", "/config", "/gradio_api/info", "/gradio_api/run/predict", "/gradio_api/queue/join"]
OPEN += ["/gradio_api/upload", "/gradio_api/file=/tmp/a/photo.jpg", "/gradio_api/file=C:/a.jpg"]
OPEN += ["/gradio_api/component_server", "/gradio_api/startup-events", "/theme.css", "/health"]


@pytest.mark.parametrize("path", CLOSED)
def test_closed(path: str) -> None:
    assert is_closed(path) and is_closed(f"/photos{path}", "/photos")
    assert ask(ClosedPaths(echo), path).status == 404


@pytest.mark.parametrize("path", OPEN)
def test_open(path: str) -> None:
    assert not is_closed(path) and not is_closed(f"/photos{path}", "/photos")
    assert ask(ClosedPaths(echo), path).status == 200


# --- what nobody expected -------------------------------------------------------------------


def test_an_exception_becomes_a_sentence_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(*_: Any) -> None:
        raise KeyError("somebody's secret")

    with caplog.at_level(logging.ERROR):
        answer = ask(LastResort(fails), "/secret")
    assert answer.status == 500 and b"cannot be answered" in answer.body
    (record,) = caplog.records
    assert "KeyError" in record.getMessage() and "test_guards.py" in record.getMessage()
    assert "secret" not in record.getMessage() and record.exc_info is None


def test_a_visitor_who_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def left(*_: Any) -> None:
        raise ClientDisconnect

    assert ask(LastResort(left)).status == 0
    assert not caplog.records


def test_an_answer_under_way_gets_no_second_one() -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    assert ask(LastResort(half)).status == 200


# --- limits ---------------------------------------------------------------------------------


def test_every_request_has_a_limit_but_uploads() -> None:
    app = BodyLimit(echo, "", 100, except_for=("/upload",))
    assert ask(app, "/any/path", b"a" * 60, b"b" * 41).status == 413
    assert ask(app, "/any/path", b"a" * 60, b"b" * 40).body == b"a" * 60 + b"b" * 40
    assert ask(app, "/gradio_api/upload", b"a" * 101).status == 200
    assert ask(app, "/gradio_api/upload/", b"a" * 101).status == 200


@pytest.mark.parametrize("length", [b"101", b"-5", b"many", b"1e3"])
def test_an_upload_that_announces_too_much_is_refused_unread(length: bytes) -> None:
    app = UploadLimit(echo, "/upload", 100)
    assert ask(app, "/upload", b"a", headers=[(b"content-length", length)]).status == 413


def test_an_upload_is_cut_off_at_its_limit() -> None:
    app = LastResort(UploadLimit(echo, "/upload", 100))
    assert ask(app, "/upload", b"a" * 60, b"b" * 40).status == 200
    assert ask(app, "/upload", b"a" * 60, b"b" * 41).status == 0
    assert ask(app, "/other", b"a" * 60, b"b" * 41).status == 200
