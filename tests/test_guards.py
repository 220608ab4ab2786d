"""The middleware, each part alone."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from web.server.body_limit import BodyLimits, explain_too_large
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


def ask(app: ASGIApp, path: str = "/", *chunks: bytes, receive: Any = None, **scope: Any) -> Answer:
    waiting, sent = list(chunks or [b""]), []

    async def next_chunk() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {"type": "http", "path": path, "method": "POST", "headers": [], **scope}
    asyncio.run(app(whole, receive or next_chunk, send))
    return Answer(sent)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        body, more = body + message["body"], message["more_body"]
    headers = [(b"x-frame-options", b"DENY"), (b"referrer-policy", b"origin")]
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
CLOSED += [
    "/gradio_api/startup-events",
    "/gradio_api/vibe-edit/",
    "/gradio_api/undo-vibe-edit",
    "/gradio_api/profiling/traces",
]
CLOSED += ["/gradio_api/file=https://example.org/a.jpg", "/gradio_api/file=HTTP://example.org"]
CLOSED += ["/gradio_api/custom_component/a/client/b/c", "/gradio_api/file//tmp/a/photo.jpg"]
CLOSED += ["/pwa_icon/20000", "/pwa_icon/5120", "/pwa_icon/0512"]
CLOSED += ["/gradio_api/file=ftp://example.org", "/gradio_api/file= http://example.org"]
OPEN = ["/", "/config", "/gradio_api/info", "/gradio_api/run/predict", "/gradio_api/queue/join"]
OPEN += ["/gradio_api/upload", "/gradio_api/file=/tmp/a/photo.jpg", "/gradio_api/file=C:/a.jpg"]
OPEN += ["/gradio_api/component_server", "/theme.css", "/health"]
OPEN += ["/manifest.json", "/pwa_icon/192", "/pwa_icon/512"]  # the first names the others


@pytest.mark.parametrize("path", CLOSED)
def test_closed(path: str) -> None:
    assert is_closed(path) and is_closed(f"/photos{path}", "/photos")
    assert ask(ClosedPaths(echo), path).status == 404


@pytest.mark.parametrize("path", OPEN)
def test_open(path: str) -> None:
    assert not is_closed(path) and not is_closed(f"/photos{path}", "/photos")
    assert ask(ClosedPaths(echo), path).status == 200


# --- unexpected errors -------------------------------------------------------------------


def test_an_exception_becomes_a_sentence_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(*_: Any) -> None:
        raise KeyError("somebody's secret")

    with caplog.at_level(logging.ERROR):
        answer = ask(LastResort(fails), "/secret")
    assert answer.status == 500 and b"cannot be answered" in answer.body
    (record,) = caplog.records
    assert "KeyError" in record.getMessage() and "test_guards.py" in record.getMessage()
    assert "secret" not in record.getMessage() and record.exc_info is None


@pytest.mark.parametrize("reason", [ClientDisconnect, asyncio.CancelledError])
def test_a_visitor_who_leaves_and_a_stop_are_no_errors(
    reason: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def ended(*_: Any) -> None:
        raise reason

    assert ask(LastResort(ended)).status == 0
    assert not caplog.records


def test_an_answer_under_way_gets_no_second_one() -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    assert ask(LastResort(half)).status == 200


# --- limits ---------------------------------------------------------------------------------


@pytest.fixture
def limited() -> TestClient:
    """An application that sends back what it got: 100 bytes everywhere, 500 for uploads."""

    async def echo(request: Request) -> Response:
        return Response(await request.body())

    return TestClient(
        Starlette(
            routes=[Route("/{path:path}", echo, methods=["POST"])],
            middleware=[Middleware(BodyLimits, default=100, by_path={"/upload": 500})],
            exception_handlers={413: explain_too_large},
        )
    )


@pytest.mark.parametrize(
    ("path", "limit", "sentence"),
    [
        ("/any/path", 100, "A request may have 100 bytes."),
        ("/gradio_api/upload", 500, "An upload may have 500 bytes."),
        ("/gradio_api/upload/", 500, "An upload may have 500 bytes."),
        ("/upload/elsewhere", 100, "A request may have 100 bytes."),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_each_path_has_its_limit(
    limited: TestClient, path: str, limit: int, sentence: str, announced: bool
) -> None:
    def body(size: int) -> Any:
        return b"a" * size if announced else iter([b"a" * (size - 50), b"b" * 50])

    assert len(limited.post(path, content=body(limit)).content) == limit
    refused = limited.post(path, content=body(limit + 1))
    assert refused.status_code == 413 and refused.json() == {"detail": sentence}


def test_what_is_announced_too_large_is_read_only_where_it_is_short(limited: TestClient) -> None:
    def left(announced: int) -> int:
        waiting = [b"a" * 60] * 5

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": waiting.pop(), "more_body": bool(waiting)}

        headers = [(b"content-length", str(announced).encode())]
        assert ask(limited.app, "/any", headers=headers, receive=receive).status == 413
        return len(waiting)

    assert left(300) == 0 and left(10**9) == 5


def test_a_large_body_is_refused_before_it_is_all_there(limited: TestClient) -> None:
    waiting = [b"a" * 60] * 50

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": waiting.pop(), "more_body": True}

    assert ask(limited.app, "/any", query_string=b"", receive=receive).status == 413
    assert len(waiting) == 48
