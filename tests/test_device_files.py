"""What visitors' browsers fetch to find faces: how it is installed, compressed and handed out."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import brotli
import gradio as gr
import pytest
from starlette.testclient import TestClient

from web.device import compression, engine
from web.device.compression import compress_all
from web.device.engine import PROCESSOR_FILES, EngineError, install_engine
from web.device.files import ASSETS, MODEL_FILES, DeviceFiles, Group, device_files
from web.device.script import early_script
from web.gradio_internals import admits
from web.server.device_route import device_route
from web.server.site import build_site

TEXT = b"// " + b"what a browser runs; " * 100


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeviceFiles:
    """A small engine, networks and scripts; compressed copies in a folder of their own."""
    monkeypatch.setattr(compression, "compressed_folder", lambda: tmp_path / "compressed")
    groups = {}
    for group, names in {
        "engine": PROCESSOR_FILES,
        "models": MODEL_FILES,
        "scripts": ["live/live.js", "device/worker.js"],
    }.items():
        for name in names:
            path = tmp_path / group / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() + TEXT)
        groups[group] = Group(group, {name: tmp_path / group / name for name in names})
    return DeviceFiles(groups["engine"], groups["models"], groups["scripts"])


def visitor(files: DeviceFiles, **options: Any) -> TestClient:
    with gr.Blocks() as page:
        gr.Markdown("a page")
    return TestClient(build_site(page, [], 1000, [device_route(files, admits)], **options))


def test_each_file_has_its_type_and_is_kept_for_good(files: DeviceFiles) -> None:
    types = {"wasm": "application/wasm", "mjs": "text/javascript", "onnx": "octet-stream"}
    types |= {"js": "text/javascript", "json": "application/json"}
    with visitor(files) as client:
        for group in files.groups.values():
            for name, path in group.files.items():
                answer = client.get(group.address + name)
                assert answer.content == path.read_bytes()
                assert types[name.rpartition(".")[2]] in answer.headers["content-type"]
                assert "immutable" in answer.headers["cache-control"]
                assert "private" in answer.headers["cache-control"]
                assert answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("encoding", "unpack"), [("br", brotli.decompress), ("gzip", gzip.decompress)]
)
def test_compressed_once_and_sent_so(files: DeviceFiles, encoding: str, unpack: object) -> None:
    name = PROCESSOR_FILES[-1]
    compress_all(files.engine.files.values())
    copy, _ = compression.compressed(files.engine.files[name], encoding) or (None, "")
    assert copy is not None
    assert unpack(copy.read_bytes()) == files.engine.files[name].read_bytes()  # type: ignore[operator]
    with (
        visitor(files) as client,
        client.stream(
            "GET", files.engine.address + name, headers={"Accept-Encoding": encoding}
        ) as answer,
    ):
        assert answer.headers["content-encoding"] == encoding
        assert answer.headers["content-type"] == "application/wasm"
        assert b"".join(answer.iter_raw()) == copy.read_bytes()
    before = copy.stat().st_mtime_ns
    compress_all(files.engine.files.values())
    assert copy.stat().st_mtime_ns == before


def test_new_contents_get_a_new_address_and_the_old_one_is_gone(files: DeviceFiles) -> None:
    old, others = files.scripts.address, (files.engine.address, files.models.address)
    files.scripts.files["live/live.js"].write_bytes(b"new")
    new = DeviceFiles(files.engine, files.models, Group("scripts", files.scripts.files))
    assert new.scripts.address != old
    assert (new.engine.address, new.models.address) == others
    with visitor(new) as client:
        assert client.get(new.scripts.address + "live/live.js").content == b"new"
        for path in (f"{old}live/live.js", f"{new.scripts.address}other.js", "device/a/b/c"):
            answer = client.get(path)
            assert answer.status_code == 404 and "reload" in answer.json()["detail"]


def test_a_login_closes_it_too(files: DeviceFiles) -> None:
    with visitor(files, auth=("ada", "secret")) as client:
        path = files.models.address + MODEL_FILES[0]
        assert client.get(path).status_code == 401
        client.cookies.set(f"access-token-unsecure-{'x' * 8}", "guess")
        assert client.get(path).status_code == 401
        client.post("/login", data={"username": "ada", "password": "secret"})
        assert client.get(path).status_code == 200


def test_what_is_missing_is_said(files: DeviceFiles) -> None:
    assert files.missing == ""
    without_engine = DeviceFiles(Group("engine", {}), files.models, files.scripts)
    assert "python -m web.device" in without_engine.missing
    fewer = {name: path for name, path in files.models.files.items() if name != MODEL_FILES[0]}
    assert (
        MODEL_FILES[0] in DeviceFiles(files.engine, Group("models", fewer), files.scripts).missing
    )
    assert device_files(ASSETS).models.files == {}  # a folder of other things
    assert device_files(ASSETS).missing


def test_the_address_is_relative_so_that_any_path_of_a_proxy_is_well(files: DeviceFiles) -> None:
    for name, address in files.describe().items():
        if name in files.groups:
            assert re.fullmatch(rf"device/{name}/[0-9a-f]{{16}}/", str(address))


def test_the_lockfile_has_checksums_and_no_addresses() -> None:
    text = (Path(engine.__file__).parent / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "http" not in text and '"resolved"' not in text
    assert all(entry["integrity"].startswith("sha512-") for key, entry in packages.items() if key)
    wanted = json.loads((Path(engine.__file__).parent / "package.json").read_text())
    assert wanted["dependencies"] == {"onnxruntime-web": engine.version()}


def test_a_registry_out_of_reach_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "engine_folder", lambda: tmp_path / "share" / "engine")
    for name in ("PIP_INDEX_URL", "npm_config_registry"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")  # nobody listens there
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(EngineError, match="could not fetch"):
        install_engine()
    assert list((tmp_path / "share").iterdir()) == []  # nothing half installed


def test_the_early_script_is_the_first_thing_of_the_page(files: DeviceFiles) -> None:
    script = early_script(files)
    with visitor(files, early=script) as client:
        answer = client.get("/")
        assert f"<head><script>{script}</script>" in answer.text
        assert answer.text.count(files.scripts.address) == 1
        assert client.head("/").status_code == 200
    assert early_script(DeviceFiles(Group("engine", {}), files.models, files.scripts)) == ""
