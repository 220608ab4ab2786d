"""What reaches into Gradio's internals; the request queue is tested in test_serving.py, what is not
imported with Gradio in test_start.py."""

import inspect
from pathlib import Path
from unittest.mock import patch

import gradio as gr
import pytest
from gradio import component_meta, networking
from starlette.testclient import TestClient

from web.gradio_internals import _find_but_gradio, share_address
from web.server.site import build_site


def component_class(module: str) -> type:
    return type(gr.Image)("Picture", (gr.Image,), {"__module__": module})


def test_no_stub_is_rendered_for_a_class_of_gradio() -> None:
    with (
        patch.object(inspect, "getfile", _find_but_gradio),
        patch.object(component_meta, "create_pyi", side_effect=AssertionError("rendered")),
    ):
        component_class("gradio.components.picture")


def test_everything_else_is_found_then_and_gradio_afterwards() -> None:
    assert Path(_find_but_gradio(Path)).name in ("pathlib.py", "__init__.py")
    assert Path(inspect.getfile(gr.Image)).name == "image.py"


def test_a_public_address_comes_by_https(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def tunnel(host: str, port: int, *_: object) -> str:
        asked.append((host, port))
        return "http://abc.gradio.live"

    monkeypatch.setattr(networking, "setup_tunnel", tunnel)
    assert share_address(7000) == "https://abc.gradio.live"
    assert asked == [("127.0.0.1", 7000)]


def test_without_a_connection_there_is_no_public_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_tunnel(*_: object) -> str:
        raise RuntimeError("no connection")

    monkeypatch.setattr(networking, "setup_tunnel", no_tunnel)
    assert share_address(7000) is None
    assert "no public link: no connection" in caplog.text


def test_an_event_of_a_mounted_page_takes_no_file_but_uploads(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("what nobody may read")
    with gr.Blocks() as page:
        given, shown = gr.File(), gr.Textbox()
        gr.Button().click(lambda path: Path(path).read_text(), given, shown, queue=False)
    data = [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}]
    with TestClient(build_site(page, [], 1000)) as visitor:
        answer = visitor.post("/gradio_api/run/predict", json={"fn_index": 0, "data": data})
    assert answer.status_code == 500 and "nobody" not in answer.text
