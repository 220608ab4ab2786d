"""The page as programs see it: its start, its API through Gradio's own client."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pillow_heif
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from facial_keypoints.__main__ import main
from tests.picture_files import HEIC
from train.benchmark.running_app import ROOT, start_app


@pytest.fixture(scope="module")
def client(app_address: str) -> Client:
    return Client(app_address, verbose=False)


def ask(client: Client, photo: Path) -> dict[str, Any]:
    return client.predict(photo=handle_file(str(photo)), api_name="/keypoints")


def saved(path: Path, image: np.ndarray | Image.Image, **options: Any) -> Path:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


def test_answers_as_the_command_line_does(client: Client, examples: Path, tmp_path: Path) -> None:
    photo, output = examples / "two_portraits.jpg", tmp_path / "out.json"
    assert main([str(photo), "--output", str(output)]) == 0
    (expected,) = json.loads(output.read_text())
    answer = ask(client, photo)
    assert answer == {**expected, "file": "two_portraits.jpg"}
    assert len(answer["faces"]) == 2
    face = answer["faces"][0]
    assert set(face) == {"box", "score", "points", "confidence", "pose"}
    assert np.shape(face["points"]) == (68, 2)


def test_a_photo_without_a_face_is_an_answer(client: Client, tmp_path: Path) -> None:
    photo = saved(tmp_path / "grey.png", np.full((120, 160, 3), 128, np.uint8))
    answer = ask(client, photo)
    assert answer == {"file": "grey.png", "width": 160, "height": 120, "faces": []}


def test_formats_that_gradio_cannot_read(client: Client, examples: Path, tmp_path: Path) -> None:
    photo = Image.open(examples / "astronaut.jpg")
    expected = ask(client, examples / "astronaut.jpg")["faces"][0]
    pillow_heif.from_pillow(photo).save(tmp_path / "photo.heic", **HEIC)
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    deep = saved(tmp_path / "deep.png", grey)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown a quarter turn clockwise
    turned = saved(tmp_path / "turned.jpg", photo.rotate(90, expand=True), exif=exif, quality=95)
    for other in (tmp_path / "photo.heic", deep, turned):
        faces = ask(client, other)["faces"]
        assert faces, other.name
        off = np.abs(np.array(faces[0]["points"]) - np.array(expected["points"])).mean()
        assert off < 0.05 * expected["box"][2], other.name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.jpg", b"only text", "The file is text; a photo can be JPEG"),
        ("cut.jpg", None, "damaged"),
        ("empty.png", b"", "empty"),
    ],
)
def test_bad_files_get_one_sentence(
    client: Client, examples: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    photo = tmp_path / name
    photo.write_bytes((examples / "cat.jpg").read_bytes()[:600] if content is None else content)
    with pytest.raises(AppError) as caught:
        ask(client, photo)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_no_photo(client: Client) -> None:
    with pytest.raises(AppError, match="Expected a photo"):
        client.predict(photo=None, api_name="/keypoints")


def test_only_what_is_meant_is_offered(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert list(endpoints["named_endpoints"]) == ["/keypoints", "/caption"]
    assert not endpoints["unnamed_endpoints"]


def test_several_clients_at_once(app_address: str, client: Client, examples: Path) -> None:
    photos = [examples / "astronaut.jpg", examples / "admiral.jpg"]
    expected = [ask(client, photo) for photo in photos]
    clients = [Client(app_address, verbose=False) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: ask(clients[i], photos[i % 2]), range(4)))
    assert answers == [expected[0], expected[1]] * 2


def test_nothing_but_the_page_is_readable(app_address: str) -> None:
    page = httpx.get(app_address)
    assert page.status_code == 200
    for secret in (ROOT / "app.py", ROOT / "weights" / "facial_keypoints.json", "/etc/passwd"):
        answer = httpx.get(f"{app_address}gradio_api/file={secret}")
        assert answer.status_code in (403, 404), secret


def test_a_busy_port_is_said_plainly(app_address: str, tmp_path: Path) -> None:
    port = app_address.rstrip("/").rsplit(":", 1)[1]
    second = start_app(tmp_path, "--port", port)
    assert second.wait(timeout=180) == 1
    log = (tmp_path / "log").read_text()
    assert "--port" in log
    assert "Traceback" not in log
