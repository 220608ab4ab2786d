"""What becomes of a visitor's photo: nothing but the answer. Against the running page."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from facial_keypoints.video.codec import edit_clip, inspect_clip
from tests.clips import write_clip
from tests.stranger import API, Reply, Stranger, photo
from tests.watched_app import AGE, is_here
from train.benchmark.running_app import ROOT, START_LIMIT, free_port

NAME, PASSWORD = "ada", "correct horse"
SERIAL = b"camera 4711"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A page with a login, that reports what it writes and whom it asks."""
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "uploads")}
    environment.pop("GRADIO_ANALYTICS_ENABLED", None)
    port = free_port()
    arguments = ["--port", str(port), "--auth", f"{NAME}:{PASSWORD}"]
    with open(folder / "log", "wb") as log:
        app = subprocess.Popen(
            [sys.executable, "-m", "tests.watched_app", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + START_LIMIT
        while "Open http" not in written(folder) and time.monotonic() < deadline:
            assert app.poll() is None, written(folder)
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        app.kill()
        app.wait()


def written(folder: Path) -> str:
    return (folder / "log").read_text()


@pytest.fixture(scope="module")
def visitor(address: str, examples: Path) -> Stranger:
    visitor = Stranger(address)
    login = visitor.http.post("login", data={"username": NAME, "password": PASSWORD})
    assert login.status_code == 200
    for name in ("keypoints", "caption"):  # loads the model
        sent = photo(visitor.upload(examples / "cat.jpg"))
        asked = event(visitor, name)
        visitor.ask({"fn_index": asked["id"], "data": [sent, 3, 1][: len(asked["inputs"])]})
    return visitor


@pytest.fixture(scope="module")
def holiday(examples: Path) -> bytes:
    """A portrait as a phone saves it: where, when and by what it was taken, and a small copy."""
    exif = Image.Exif()
    exif[0x0110] = SERIAL.decode()
    exif[0x0132] = "2024:07:14 12:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    stream = io.BytesIO()
    image = Image.open(examples / "astronaut.jpg")
    image.save(stream, "JPEG", exif=exif.tobytes(), comment=SERIAL, quality=95)
    return stream.getvalue()


def event(visitor: Stranger, name: str) -> dict[str, Any]:
    return next(e for e in visitor.events() if e["api_name"] == name)


def answer(visitor: Stranger, name: str, *data: Any) -> Reply:
    (reply,) = visitor.ask({"fn_index": event(visitor, name)["id"], "data": list(data)})
    assert isinstance(reply, Reply) and reply.success, reply
    return reply


def ask(visitor: Stranger, name: str, *data: Any) -> Any:
    return answer(visitor, name, *data).output["data"]


def pictures(answer: Any) -> list[bytes]:
    """Every picture that is written out in an answer."""
    urls = re.findall(r"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)", json.dumps(answer))
    return [base64.b64decode(url) for url in urls]


def assert_tells_nothing(data: bytes) -> None:
    assert not Image.open(io.BytesIO(data)).getexif()
    for trace in (SERIAL, b"Exif", b"GPS", b"2024:07:14", b"http://ns.adobe.com"):
        assert trace not in data, trace


# --- what a visitor gets back ---------------------------------------------------------------


def test_no_picture_tells_where_it_was_taken(visitor: Stranger, holiday: bytes) -> None:
    assert SERIAL in holiday and b"Exif" in holiday
    sent = photo(visitor.upload(("holiday.jpg", holiday)), orig_name="holiday.jpg")
    told = answer(visitor, "on_photo", sent, "cnn", ["points"], [], None)
    shown = pictures([told.steps, told.output])
    assert shown
    (saved,) = ask(visitor, "photo_file", None, ["points"], ["hat"])
    assert saved["name"] == "holiday_keypoints.jpg"
    shown += pictures(saved)
    for data in shown:
        assert_tells_nothing(data)
    for name in ("json_file", "csv_file"):
        (saved,) = ask(visitor, name, None, ["points"], [])
        text = base64.b64decode(saved["url"].split(",")[1])
        assert text and SERIAL not in text and b"GPS" not in text


def test_no_clip_tells_where_it_was_taken(tmp_path: Path) -> None:
    frames = [np.full((64, 64, 3), 90, np.uint8)] * 3
    plain = write_clip(tmp_path / "plain.mp4", frames)
    clip = tmp_path / "clip.mp4"
    with av.open(str(plain)) as source, av.open(str(clip), "w") as copy:
        copy.metadata["location"] = "+52.5200+013.4050/"
        copy.metadata["comment"] = SERIAL.decode()
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    assert SERIAL in clip.read_bytes()
    edit_clip(inspect_clip(clip), tmp_path / "out.mp4", lambda image, _: image)
    data = (tmp_path / "out.mp4").read_bytes()
    assert SERIAL not in data and b"+52.5200" not in data


# --- what the machine keeps -----------------------------------------------------------------


def test_frames_of_the_camera_are_never_written(
    visitor: Stranger, folder: Path, examples: Path
) -> None:
    image = Image.open(examples / "astronaut.jpg").convert("RGB").resize((320, 320))
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    frame = base64.b64encode(stream.getvalue()).decode()
    config = visitor.http.get("config").json()
    (live,) = [c["id"] for c in config["components"] if c["props"].get("elem_id") == "live"]

    def call(name: str, data: Any) -> Any:
        body = {"session_hash": visitor.session, "component_id": live, "fn_name": name}
        answer = visitor.post("component_server", json.dumps({**body, "data": data}).encode())
        return answer.json()

    key = call("open", None)["session"]
    before = written(folder)
    for number in range(1, 4):
        sent = {"session": key, "image": frame, "time": 40.0 * number, "smoothing": 0.5}
        assert len(call("track", sent)["faces"]) == 1
    call("close", key)
    after = written(folder)[len(before) :]
    assert not [line for line in after.splitlines() if line.startswith("WRITES")], after


def test_uploads_are_deleted(visitor: Stranger, folder: Path, holiday: bytes) -> None:
    path = Path(visitor.upload(("holiday.jpg", holiday)))
    assert path.exists()
    ask(visitor, "keypoints", photo(str(path)))
    broken = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nhalf'
    visitor.post("upload", broken, "multipart/form-data; boundary=b")
    assert [p for p in (folder / "uploads").rglob("*") if p.is_file()]
    deadline = time.monotonic() + 10 * AGE + 30
    while list((folder / "uploads").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list((folder / "uploads").iterdir())
    assert visitor.http.get(f"{API}/file={path}").status_code in (403, 404)


def test_nothing_is_written_but_uploads(visitor: Stranger, folder: Path, holiday: bytes) -> None:
    before = len(written(folder))
    sent = photo(visitor.upload(("holiday.jpg", holiday)))
    ask(visitor, "keypoints", sent)
    ask(visitor, "caption", sent, 3, 1)
    lines = written(folder)[before:].splitlines()
    paths = [line.removeprefix("WRITES ") for line in lines if line.startswith("WRITES ")]
    elsewhere = [p for p in paths if not p.startswith(str(folder / "uploads"))]
    assert not [p for p in elsewhere if "__pycache__" not in p and p != "/dev/null"]


def test_no_other_machine_is_asked(visitor: Stranger, folder: Path) -> None:
    data = [photo("https://example.org/photo.jpg")]
    index = event(visitor, "keypoints")["id"]
    (reply,) = visitor.ask({"fn_index": index, "data": data})
    assert isinstance(reply, Reply) and "web address" in reply.error
    assert visitor.http.get(f"{API}/file=https://example.org/photo.jpg").status_code == 404
    assert "OUTBOUND" not in written(folder)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        (b"127.0.0.1", True),
        ("93.184.216.34", False),
        ("huggingface.co", False),
        ("10.0.0.1", False),
    ],
)
def test_the_watch_knows_this_machine(host: Any, here: bool) -> None:
    assert is_here(host) == here


# --- the login ------------------------------------------------------------------------------


def test_without_the_login_everything_is_closed(
    address: str, visitor: Stranger, holiday: bytes, examples: Path
) -> None:
    path = visitor.upload(("holiday.jpg", holiday))
    other = Stranger(address)
    for route in ("config", f"{API}/info", f"{API}/file={path}", f"{API}/openapi.json"):
        assert other.http.get(route).status_code == 401, route
    assert other.http.get(f"{API}/file={examples / 'cat.jpg'}").status_code == 401
    body = json.dumps({"session_hash": "s", "fn_index": 27, "data": [photo(path)]}).encode()
    for route in ("queue/join", "run/keypoints", "call/keypoints", "component_server", "upload"):
        assert other.post(route, body).status_code == 401, route
    assert other.http.get(f"{API}/queue/data?session_hash={visitor.session}").status_code == 401
    wrong = other.http.post("login", data={"username": NAME, "password": "wrong"})
    assert wrong.status_code == 400
    assert "keypoints-photo" not in other.http.get("").text
    assert "keypoints-photo" in visitor.http.get("").text
