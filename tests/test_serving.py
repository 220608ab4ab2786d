"""Serving the page: options, log, health, request queue."""

import asyncio
import json
import logging
import socket
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.queueing import Event, Queue
from starlette.applications import Starlette
from starlette.testclient import TestClient

from web.gradio_internals import PageBlocks, RequestQueue, use_request_queue
from web.log import JsonLines, TextLines, log_request, size_class
from web.models import Background
from web.server.health import Health
from web.server.options import AUTH, parse_options
from web.server.request_log import RequestLog, endpoint
from web.server.server import Server, listen
from web.server.site import build_site


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH", AUTH):
        monkeypatch.delenv(name, raising=False)


# Connections


def test_no_part_of_an_answer_waits_for_the_one_before() -> None:
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Options


def test_options_default_to_this_machine_alone() -> None:
    options = parse_options([])
    assert (options.host, options.port, options.root_path) == ("127.0.0.1", 7860, "")
    assert options.auth is None and not options.share and options.log_format == "text"


def test_options_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        parse_options(["--help"])
    assert leaving.value.code == 0
    explained = capsys.readouterr().out
    assert all(option in explained for option in ("--host", "--port", "--share"))


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7000")
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/photos/")
    monkeypatch.setenv(AUTH, "ada:pass:word")
    options = parse_options(["--port", "7001"])
    assert (options.host, options.port, options.root_path) == ("0.0.0.0", 7001, "/photos")
    assert options.auth == ("ada", "pass:word")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--auth", "secret"], "expected USER:PASSWORD, neither of them empty"),
        (["--auth", ":secret"], "expected USER:PASSWORD"),
        (["--auth", "secret:"], "expected USER:PASSWORD"),
        (["--port", "70000"], "expected a port, 1 to 65535, got '70000'"),
        (["--root-path", "photos"], "begins with / or a whole address, got 'photos'"),
    ],
)
def test_malformed_options_get_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_options(arguments)
    said = capsys.readouterr().err
    assert message in said and "secret" not in said


def test_a_malformed_login_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(AUTH, "secret")
    with pytest.raises(SystemExit):
        parse_options([])
    assert "secret" not in capsys.readouterr().err


# Log


def record(**fields: Any) -> logging.LogRecord:
    entry = logging.LogRecord("requests", logging.INFO, "", 1, "request", (), None)
    entry.created, entry.fields = 1_769_860_800.25, fields
    return entry


def test_lines_of_the_log() -> None:
    entry = record(endpoint="/caption", outcome="answered", ms=120)
    assert json.loads(JsonLines().format(entry)) == {
        "time": "2026-01-31T12:00:00.250Z",
        "level": "info",
        "logger": "requests",
        "message": "request",
        "endpoint": "/caption",
        "outcome": "answered",
        "ms": 120,
    }
    text = "2026-01-31T12:00:00.250Z info request endpoint=/caption outcome=answered ms=120"
    assert TextLines().format(entry) == text


def test_sizes_are_told_roughly(caplog: pytest.LogCaptureFixture) -> None:
    sizes = [99_999, 100_000, 2_000_000, 10_000_000]
    assert [size_class(size) for size in sizes] == ["<100kB", "<1MB", "<10MB", ">=10MB"]
    with caplog.at_level(logging.INFO, "requests"):
        log_request("upload", 0.0123, "answered", 47_459, status=200)
    (entry,) = caplog.records
    assert entry.__dict__["fields"] == {
        "endpoint": "upload", "outcome": "answered", "ms": 12, "status": 200, "size": "<100kB",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "page"),
        ("/gradio_api/upload", "upload"),
        ("/gradio_api/file=/tmp/u/anna_at_the_beach.jpg", "file"),
        ("/gradio_api/call/caption/4f1c", "call"),
        ("/gradio_api/queue/data", "queue/data"),
        ("/wp-admin/anna", "other"),
    ],
)
def test_endpoints_tell_nothing_of_the_visitor(path: str, name: str) -> None:
    assert endpoint(path) == name


# ASGI


def ask(app: Any, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of the answer of an ASGI application."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "path": path, "method": method}, receive, send))
    return sent[0]["status"], sent[1]["body"]


def answering(status: int) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"the page"})

    return app


def test_uploads_and_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "requests"):
        for status, path in ((200, "/gradio_api/upload"), (200, "/"), (404, "/gradio_api/file=/x")):
            ask(RequestLog(answering(status)), path, "POST", b"x" * 200)
    lines = [entry.__dict__["fields"] for entry in caplog.records]
    assert [(line["endpoint"], line["outcome"]) for line in lines] == [
        ("upload", "answered"), ("file", "refused"),
    ]  # fmt: skip
    assert lines[0]["size"] == "<100kB" and "size" not in lines[1]


def test_an_event_that_another_ended_did_not_fail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ended(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    with PageBlocks() as page:
        gr.Button().click(print, None, None)
    monkeypatch.setattr(gr.Blocks, "process_api", ended)
    with caplog.at_level(logging.INFO, "requests"), pytest.raises(asyncio.CancelledError):
        asyncio.run(page.process_api(0))
    assert [entry.__dict__["fields"]["outcome"] for entry in caplog.records] == ["cancelled"]


@pytest.mark.parametrize(
    ("host", "name"),
    [("::1", "[::1]"), ("[::1]", "[::1]"), ("::", "localhost"), ("0.0.0.0", "localhost"),
     ("127.0.0.1", "127.0.0.1")],
)  # fmt: skip
def test_the_address_that_is_printed_can_be_opened(host: str, name: str) -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert Server(answering(200), listening, host).address == f"http://{name}:{port}/"


def loaded(error: Exception | None = None) -> Background[str]:
    def load() -> str:
        if error:
            raise error
        return "model"

    model = Background(load)
    model.start()
    while model.state == "loading":
        pass
    return model


def test_health() -> None:
    waiting = Background(lambda: "model")
    health = Health({"captions": loaded(), "keypoints": waiting}, "1.2")
    app = TestClient(Starlette(routes=health.routes()))
    answer = app.get("/health")
    report = answer.json()
    assert answer.status_code == 503 and answer.headers["cache-control"] == "no-store"
    assert report["models"] == {"captions": "ready", "keypoints": "loading"}
    assert report["status"] == "loading" and report["version"] == "1.2"
    assert 0 <= report["seconds_up"] < 60
    assert app.get("/health/live").status_code == 200
    waiting.get()
    assert app.get("/health").json()["status"] == "ready"
    health.stopping = True
    assert app.get("/health").status_code == 503
    assert app.get("/health/live").status_code == 200


def test_health_of_a_model_that_cannot_be_loaded() -> None:
    health = Health({"captions": loaded(), "keypoints": loaded(OSError("no file"))}, "1")
    assert health.report()["status"] == "failed"
    assert health.report()["models"]["keypoints"] == "failed"


def test_a_login_closes_the_page_and_not_its_health() -> None:
    health = Health({}, "1")
    with gr.Blocks() as page:
        gr.Markdown("what only Ada may read")
    auth = parse_options(["--auth", "ada:se:cret"]).auth
    with TestClient(build_site(page, health.routes(), 1000, auth=auth)) as visitor:
        assert "what only Ada" not in visitor.get("/").text
        assert visitor.get("/config").status_code == 401
        assert visitor.get("/health").json()["status"] == "ready"
        wrong = visitor.post("/login", data={"username": "ada", "password": "guess"})
        assert wrong.status_code == 400
        visitor.post("/login", data={"username": "ada", "password": "se:cret"})
        assert "what only Ada" in visitor.get("/config").text


# The request queue


@pytest.fixture
def queue() -> RequestQueue:
    with gr.Blocks() as page:
        gr.Button().click(lambda: None)
    return use_request_queue(page, 7)


def push(queue: RequestQueue, path: str, *headers: str) -> tuple[str, str]:
    """What is said, and the state that becomes a status."""
    request: Any = SimpleNamespace(headers=headers, url=SimpleNamespace(path=path))
    body: Any = SimpleNamespace()
    pushed, said, state = asyncio.run(queue.push(body, request, None))
    assert not pushed
    return str(said), state


def test_a_full_queue_refuses_with_a_sentence(
    queue: RequestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> tuple[bool, str, str]:
        return False, "Queue is full. Max size is 7 and size is 7.", "queue_full"

    monkeypatch.setattr(Queue, "push", full)
    said, state = push(queue, "/gradio_api/queue/join")
    assert said == "The page is busy: 7 others wait already. Try again in a minute."
    assert state == "queue_full"
    join, call = "/photos/gradio_api/queue/join", "/photos/gradio_api/call/caption"
    assert push(queue, join, "sec-fetch-mode") == (said, "error")  # for which the page shows it
    assert push(queue, call, "sec-fetch-mode") == (said, "queue_full")  # a program in Node
    queue.stopping = True
    restart = "The server is being restarted; try again in a minute."
    assert push(queue, join) == (restart, "queue_full")


def test_waiting_events_are_told_of_the_restart(queue: RequestQueue) -> None:
    async def wait() -> Any:
        queue.start()
        queue.pending_messages_per_session["visitor"] = messages = asyncio.Queue()
        function = next(iter(queue.blocks.fns.values()))
        request: Any = SimpleNamespace()
        event = Event("visitor", function, request, None)
        queue.event_ids_to_events[event._id] = event
        await asyncio.to_thread(queue.give_up)
        told = await asyncio.wait_for(messages.get(), 10)
        queue.close()
        assert told.event_id == event._id and not told.success
        return told.output["error"]

    assert asyncio.run(wait()) == "The server is being restarted; try again in a minute."


def test_the_queue_belongs_to_the_page_and_keeps_no_record(queue: RequestQueue) -> None:
    assert queue.blocks._queue is queue
    assert queue.max_size == 7 and not queue.at_work
    assert queue.compute_analytics_summary([{"function": "caption"}]) == {}
