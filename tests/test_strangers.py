"""The running page against strangers: bad values for every event, bad requests, others' files."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bad_input.case import plain
from tests.picture_files import encode, quadrants
from tests.stranger import API, Reply, Stranger, photo
from train.benchmark.running_app import ROOT

VALUES: list[Any] = [None, True, -1, 0, 3, 2.5, 1e308, -1e308, 2**70, "", "points", "x" * 100_000]
VALUES += ["../../etc/passwd", "\0", "<script>alert(1)</script>", [], [None], ["points"], [[]]]
VALUES += [[1, "a", None], {}, {"a": 1}, {"path": None}, {"path": 5}, {"value": "x"}]
VALUES += [photo("/etc/passwd"), photo("../../../etc/passwd"), photo(str(ROOT / "app.py"))]
VALUES += [photo(""), photo("https://example.org/photo.jpg"), photo("file:///etc/passwd")]
VALUES += [photo("a\0b"), photo("x" * 5000), photo("/"), {"meta": {"_type": "gradio.FileData"}}]
EVENT_DATA: list[Any] = [None, 3, "x", [], {}, {"index": -1}, {"index": 10**9}, {"index": [1]}]
EVENT_DATA += [{"index": None}, {"index": 1.5}, {"begin": -1}, {"begin": 10**9}, {"begin": "x"}]
EVENT_DATA += [{"face": -5}, {"face": "x"}, {"face": 10**9}, {"face": None}, {"target": {}}]
ROUNDS = 4  # of random values for each event


@pytest.fixture(scope="module")
def stranger(app_address: str) -> Stranger:
    return Stranger(app_address)


@pytest.fixture(autouse=True)
def no_traceback(app_folder: Path) -> Iterator[None]:
    """Whatever a test does: the log holds no traceback, and the page still answers."""
    log = app_folder / "log"
    before = log.stat().st_size if log.exists() else 0
    yield
    with open(log, "rb") as file:
        file.seek(before)
        written = file.read().decode()
    assert "Traceback" not in written, written
    assert "Exception" not in written, written


def still_serves(stranger: Stranger, examples: Path) -> bool:
    event = next(e["id"] for e in stranger.events() if e["api_name"] == "keypoints")
    path = stranger.upload(examples / "astronaut.jpg")
    (reply,) = stranger.ask({"fn_index": event, "data": [photo(path)]})
    return isinstance(reply, Reply) and len(reply.output["data"][0]["faces"]) == 1


def assert_answered(results: list[Reply | int], requests: list[dict[str, Any]]) -> None:
    for result, request in zip(results, requests, strict=True):
        told = json.dumps(request)[:300]
        if isinstance(result, int):
            assert 400 <= result < 500 or result in (500, 503), (result, told)
        elif not result.success:
            assert 10 < len(result.error) <= 300, told
            assert "Traceback" not in result.error and 'File "' not in result.error, told


def test_any_values_for_any_event(stranger: Stranger, examples: Path) -> None:
    chance = random.Random(0)
    events = stranger.events()
    assert len(events) > 30
    for event in events:
        requests = []
        for _ in range(ROUNDS if event["inputs"] else 1):
            count = len(event["inputs"]) + chance.choice([0, 0, 0, -1, 1])
            data = [chance.choice(VALUES) for _ in range(max(0, count))]
            sent = chance.choice(EVENT_DATA)
            requests.append({"fn_index": event["id"], "data": data, "event_data": sent})
        assert_answered(stranger.ask(*requests), requests)
    assert still_serves(stranger, examples)


def test_event_data_of_every_kind(stranger: Stranger) -> None:
    names = ("on_click", "_on_card", "on_begin")  # those that read it
    ids = [e["id"] for e in stranger.events() if e["api_name"].startswith(names)]
    assert len(ids) >= 3
    requests = [{"fn_index": i, "data": [], "event_data": sent} for i in ids for sent in EVENT_DATA]
    counts = {event["id"]: len(event["inputs"]) for event in stranger.events()}
    requests = [{**r, "data": [None] * counts[r["fn_index"]]} for r in requests]
    for start in range(0, len(requests), 40):
        part = requests[start : start + 40]
        assert_answered(stranger.ask(*part), part)


def test_events_that_do_not_exist(stranger: Stranger) -> None:
    for number in (-1, 10**6, None, "keypoints", 1.5, [1], {}):
        for extra in ({}, {"trigger_id": 10**6}, {"trigger_id": -1}):
            request = {"fn_index": number, "data": [], **extra}
            assert_answered(stranger.ask(request), [request])


BODIES = [b"", b"{", b"null", b"[]", b"3", b'"x"', b"{}", b'{"data": 1}', b'{"data": [NaN]}']
BODIES += [b'{"data": [Infinity], "fn_index": 0}', b"\xff\xfe\x00", b"[" * 100_000, b"a=b&c=d"]
BODIES += [b'{"session_hash": 5, "data": []}', b'{"session_hash": "s", "component_id": 62}']
BODIES += [b'{"session_hash": "s", "component_id": 62, "fn_name": "track", "data": [[]]}']
BODIES += [b'{"session_hash": "s", "component_id": -1, "fn_name": "__init__", "data": 1}']
BODIES += [b'{"session_hash": "s", "component_id": 0, "fn_name": "load", "data": 1}']
ROUTES = ["queue/join", "run/keypoints", "run/caption", "run/predict", "run/nothing", "cancel"]
ROUTES += ["call/keypoints", "call/nothing", "call/v2/keypoints", "call/v2/nothing", "reset"]
ROUTES += ["component_server", "upload", "api/keypoints", "stream/none", "stream/none/close"]


@pytest.mark.parametrize("route", ROUTES)
def test_bodies_of_every_kind(stranger: Stranger, route: str) -> None:
    kinds = [(body, "application/json") for body in BODIES]
    kinds += [(b"x", kind) for kind in ("text/plain", "multipart/form-data", "x" * 50, "")]
    for body, kind in kinds:
        answer = stranger.post(route, body, kind)
        assert answer.status_code in (200, 400, 404, 405, 413, 415, 422, 500, 503), body
        assert "Traceback" not in answer.text, body
        if answer.status_code == 500:
            assert answer.json().keys() & {"detail", "error"}, body


def test_bodies_that_are_too_long(stranger: Stranger) -> None:
    for route in ("queue/join", "call/keypoints", "component_server"):
        body = b'{"data": ["' + b"x" * 5_000_000 + b'"]}'
        try:
            answer = stranger.post(route, body)
        except httpx.RemoteProtocolError:  # refused and closed before the answer was read
            answer = stranger.post(route, body)
        assert answer.status_code == 413 and "bytes" in answer.json()["detail"]


def test_broken_uploads(stranger: Stranger, app_folder: Path) -> None:
    form = "multipart/form-data; boundary=b"
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n'
    for name in (b"../../../evil.jpg", b"/etc/evil.jpg", b"..", b".", b"", b"a\\..\\evil.jpg"):
        answer = stranger.post("upload", head % name + b"data\r\n--b--\r\n", form)
        assert answer.status_code < 500
    for body in (b"", b"--b", b"--b\r\n", head % b"cut.jpg" + b"data", b"nothing at all"):
        assert stranger.post("upload", body, form).status_code in (200, 400)
    uploads = app_folder / "uploads"
    assert not (app_folder / "evil.jpg").exists() and not Path("/etc/evil.jpg").exists()
    assert all(path.resolve().is_relative_to(uploads) for path in uploads.rglob("*"))


# --- files ----------------------------------------------------------------------------------

SECRETS = ["/etc/passwd", "/proc/self/environ", str(ROOT / "app.py"), str(ROOT / ".git/config")]
SECRETS += [str(ROOT / "weights/captioning.md"), str(ROOT / "assets/page.css"), str(ROOT)]
SECRETS += [str(ROOT / "assets/examples/../page.css"), str(ROOT / "assets/examples"), "app.py"]
SECRETS += ["../../../../../../etc/passwd", "C:\\Windows\\win.ini", "\\\\host\\share", "~/.bashrc"]


def encodings(path: str) -> list[str]:
    """A path as it is and in disguise."""
    hexed = "".join(f"%{byte:02x}" for byte in path.encode())
    twice = hexed.replace("%", "%25")
    return [path, hexed, twice, path.replace("/", "%2f"), path.replace("/", "//"), f"{path}%00.jpg"]


@pytest.mark.parametrize("secret", SECRETS)
def test_only_the_examples_can_be_read(stranger: Stranger, secret: str) -> None:
    addresses = [f"{API}/file={path}" for path in encodings(secret)]
    addresses += [f"{route}{secret}" for route in (f"{API}/file/", "file=", "static/", "assets/")]
    for address in addresses:
        answer = stranger.http.get(address)
        assert answer.status_code in (307, 400, 403, 404), address
        assert "root:" not in answer.text


def test_an_example_can_be_read(stranger: Stranger, examples: Path) -> None:
    answer = stranger.http.get(f"{API}/file={examples / 'cat.jpg'}")
    assert answer.status_code == 200 and answer.content == (examples / "cat.jpg").read_bytes()


def test_no_event_takes_a_file_that_was_not_uploaded(stranger: Stranger) -> None:
    for name in ("keypoints", "caption", "on_photo", "on_upload"):
        event = next(e for e in stranger.events() if e["api_name"] == name)
        for path in (*SECRETS, "https://example.org/photo.jpg", "http://127.0.0.1/photo.jpg"):
            data = [photo(path)] + [None] * (len(event["inputs"]) - 1)
            (reply,) = stranger.ask({"fn_index": event["id"], "data": data})
            assert isinstance(reply, Reply) and not reply.success and plain(reply.error)
            assert "root:" not in json.dumps(reply.output)


# --- other visitors -------------------------------------------------------------------------


def test_a_file_has_an_address_that_nobody_can_work_out(app_address: str) -> None:
    data = encode(quadrants(), "PNG")
    owner, other = Stranger(app_address), Stranger(app_address)
    path = Path(owner.upload(("private.png", data)))
    assert len(path.parent.name) == 64
    assert path.parent.name != hashlib.sha256(data).hexdigest()
    for guess in (hashlib.sha256(data).hexdigest(), "*", ".", "", path.parent.name[:-1]):
        answer = other.http.get(f"{API}/file={path.parent.parent / guess / path.name}")
        assert answer.status_code in (403, 404)
    for folder in (path.parent, path.parent.parent):
        assert other.http.get(f"{API}/file={folder}").status_code in (403, 404)


def test_one_session_knows_nothing_of_another(app_address: str, examples: Path) -> None:
    owner, other = Stranger(app_address), Stranger(app_address)
    events = {event["api_name"]: event for event in owner.events()}
    asked = events["on_photo"]
    path = owner.upload(examples / "two_portraits.jpg")
    data = [photo(path, orig_name="secret_name.jpg"), "cnn", ["points"], [], None]
    (reply,) = owner.ask({"fn_index": asked["id"], "data": data})
    assert isinstance(reply, Reply) and reply.success
    export = {"fn_index": events["json_file"]["id"], "data": [None, ["points"], []]}
    (mine,) = owner.ask(export)
    (theirs,) = other.ask(export)
    assert isinstance(mine, Reply) and "secret_name" in json.dumps(mine.output)
    assert isinstance(theirs, Reply) and "photo any more; open it again" in theirs.error
    assert "secret_name" not in json.dumps(other.http.get("config").json())


def test_the_log_names_no_file_and_no_visitor(
    stranger: Stranger, app_folder: Path, examples: Path
) -> None:
    event = next(e["id"] for e in stranger.events() if e["api_name"] == "keypoints")
    path = stranger.upload(("my_own_name.jpg", (examples / "astronaut.jpg").read_bytes()))
    stranger.ask({"fn_index": event, "data": [photo(path, orig_name="my_own_name.jpg")]})
    stranger.ask({"fn_index": event, "data": [photo("/home/anna/my_own_name.jpg")]})
    log = (app_folder / "log").read_text()
    assert "my_own_name" not in log and stranger.session not in log


def test_headers_of_the_running_page(stranger: Stranger, examples: Path) -> None:
    for path in ("", "config", f"{API}/info", "theme.css", f"{API}/file={examples / 'cat.jpg'}"):
        headers = stranger.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "content-security-policy" in headers and "referrer-policy" in headers
