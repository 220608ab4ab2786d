"""The page as others run it: as a Space, in an image, in two processes behind nginx at a path."""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import kubernetes_validate
import pytest
import yaml
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, expect

from app import VERSION
from tests.browser import LIMIT, watched_page
from train.benchmark.running_app import CHROMIUM, ROOT, free_port, printed_address, start_app
from train.benchmark.serving import wait_until_ready
from web.server.health import Health
from web.server.uploads import MAX_UPLOAD

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx; on Debian: apt-get install nginx")


# Files


def test_the_front_matter_starts_a_space() -> None:
    _, front, _ = (ROOT / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["sdk"] == "gradio" and (ROOT / facts["app_file"]).exists()
    (wanted,) = re.findall(
        r"^gradio>=([\d.]+),<([\d.]+)", (ROOT / "requirements.txt").read_text(), re.M
    )
    version = [int(part) for part in facts["sdk_version"].split(".")]
    assert (
        [int(p) for p in wanted[0].split(".")] <= version < [int(p) for p in wanted[1].split(".")]
    )
    assert len(facts["short_description"]) <= 60
    assert isinstance(facts["python_version"], str) and facts["python_version"] >= "3.11"


def test_the_compose_file_is_valid() -> None:
    file = ROOT / "hosting" / "compose.yaml"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    run = subprocess.run([*command, str(file)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    pages = [
        s for name, s in yaml.safe_load(file.read_text())["services"].items() if "page" in name
    ]
    ports = {page["command"][-1] for page in pages}
    proxied = re.findall(r"server 127.0.0.1:(\d+)", (ROOT / "hosting/nginx.conf").read_text())
    assert ports == set(proxied)
    for page in pages:  # each asks itself, not the other
        assert f":{page['command'][-1]}/health" in page["healthcheck"]["test"][-1]


def test_the_kubernetes_manifest_is_valid() -> None:
    parts = list(yaml.safe_load_all((ROOT / "hosting" / "kubernetes.yaml").read_text()))
    for part in parts:
        kubernetes_validate.validate(part, "1.33", strict=True)
    kinds = {part["kind"]: part["spec"] for part in parts}
    assert set(kinds) == {"Deployment", "Service", "HorizontalPodAutoscaler"}
    pod = kinds["Deployment"]["template"]
    assert kinds["Service"]["selector"] == pod["metadata"]["labels"]
    assert kinds["Service"]["sessionAffinity"] == "ClientIP"
    paths = {r.path for r in Health({}, VERSION).routes()}
    (container,) = pod["spec"]["containers"]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    assert {container[probe]["httpGet"]["path"] for probe in probes} <= paths


def test_the_version_is_the_newest_in_the_changelog() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest and newest[1] == VERSION


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions: names and arguments."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [
        (name, rest.strip())
        for line in lines
        if not line.startswith("#")
        for name, _, rest in [line.partition(" ")]
    ]


def test_the_image_gets_what_the_page_imports() -> None:
    copied = [name for kind, rest in dockerfile() if kind == "COPY" for name in rest.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignored, name
    code = [path for name in copied for path in [ROOT / name, *(ROOT / name).rglob("*.py")]]
    imports = {
        word
        for path in code
        if path.suffix == ".py"
        for word in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)
    }
    own = {path.stem for path in ROOT.glob("*.py")} | {
        path.parent.name for path in ROOT.glob("*/*.py")
    }
    for package in imports & own:
        assert {f"{package}.py", f"{package}/"} & set(copied), package


def test_the_image_runs_as_nobody_special_and_is_watched() -> None:
    instructions = dict(dockerfile())
    assert instructions["USER"] not in ("root", "0")
    assert "/health" in instructions["HEALTHCHECK"]
    command = json.loads(instructions["CMD"])
    assert command[:2] == ["python", "app.py"]  # no shell between: SIGTERM must reach it
    assert "slim" in instructions["FROM"]


def test_nothing_but_the_page_goes_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    for secret in (".git/", "runs/", "tests/", "train/", ".venv/"):
        assert not any(fnmatch.fnmatch(secret, pattern) for pattern in allowed), secret


# Two processes behind nginx


@dataclass
class Hosted:
    """address: of the page behind nginx. apps: its two processes, and their folders."""

    address: str
    apps: list[subprocess.Popen[bytes]]
    folders: list[Path]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folders = [tmp_path_factory.mktemp(f"app{number}") for number in (1, 2)]
    ports = [free_port(), free_port()]
    # One as on the command line, the other as Hugging Face and containers do it.
    options = ["--port", str(ports[0]), "--root-path", "/photos", "--log-format", "json"]
    variables = {"GRADIO_SERVER_PORT": str(ports[1]), "GRADIO_ROOT_PATH": "/photos"}
    variables["GRADIO_SERVER_NAME"] = "127.0.0.1"
    apps = [start_app(folders[0], *options), start_app(folders[1], **variables)]
    nginx = None
    try:
        addresses = [
            printed_address(app, folder / "log") for app, folder in zip(apps, folders, strict=True)
        ]
        for address in addresses:
            wait_until_ready(address)
        own = free_port()
        nginx = start_nginx(tmp_path_factory.mktemp("nginx"), own, ports)
        yield Hosted(f"http://127.0.0.1:{own}/photos/", apps, folders)
    finally:
        for process in [*apps, *([nginx] if nginx else [])]:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def start_nginx(folder: Path, own: int, ports: list[int]) -> subprocess.Popen[bytes]:
    """nginx with the project's configuration, on other ports."""
    text = (ROOT / "hosting" / "nginx.conf").read_text()
    for old, new in zip((8080, 7861, 7862), (own, *ports), strict=True):
        assert f"127.0.0.1:{old}" in text
        text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    if os.geteuid() == 0:  # the workers would be somebody who may not read the test's folder
        text = "user root;\n" + text
    (folder / "nginx.conf").write_text(text)
    with open(folder / "log", "wb") as log:
        nginx = subprocess.Popen(
            [str(NGINX), "-p", f"{folder}/", "-c", str(folder / "nginx.conf")], stderr=log
        )
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{own}/")
            return nginx
        except httpx.TransportError:
            assert nginx.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
    raise RuntimeError("nginx did not answer")


@needs_nginx
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_works_at_a_path_behind_nginx(
    hosted: Hosted, browser: Browser, examples: Path
) -> None:
    with watched_page(browser, hosted.address, permissions=["camera"]) as page:
        status = page.locator("#keypoints-status")
        expect(status).to_contain_text("astronaut.jpg")
        page.locator("#keypoints-photo input[type=file]").set_input_files(
            examples / "two_portraits.jpg"
        )
        expect(status).to_contain_text("2 faces")
        expect(page.locator("#keypoints-photo img").first).to_have_js_property("complete", True)
        page.get_by_role("tab", name="Photo captions").click()
        expect(page.locator("#captions-told")).to_contain_text("%")
        page.get_by_role("tab", name="Facial keypoints").click()
        page.get_by_role("tab", name="Live").click()
        page.get_by_label("On the server").click()
        with page.expect_response(
            lambda answer: "/photos/gradio_api/component_server" in answer.url and answer.ok,
            timeout=LIMIT,
        ):
            page.get_by_role("button", name="Start camera").click()


@needs_nginx
def test_visitors_stay_with_one_process(hosted: Hosted, examples: Path) -> None:
    folders = set()
    for number in range(40):
        if number >= 8 and len(folders) == 2:
            break
        with httpx.Client(base_url=hosted.address, timeout=60) as visitor:
            assert visitor.get("").status_code == 200
            assert "visitor" in visitor.cookies
            photo = (examples / "cat.jpg").read_bytes()
            for _ in range(2):
                sent = visitor.post("gradio_api/upload", files={"files": ("cat.jpg", photo)})
                (path,) = sent.json()
                assert visitor.get(f"gradio_api/file={path}").content == photo
                folders |= {folder for folder in hosted.folders if path.startswith(str(folder))}
    assert folders == set(hosted.folders)  # both processes have visitors


@needs_nginx
def test_the_api_behind_nginx(hosted: Hosted, examples: Path) -> None:
    client = Client(hosted.address, verbose=False)
    record = client.predict(photo=handle_file(str(examples / "cat.jpg")), api_name="/caption")
    assert record["file"] == "cat.jpg" and record["captions"][0]["text"]


@needs_nginx
def test_the_page_says_itself_what_is_too_large(hosted: Hosted) -> None:
    for size, sentence in ((MAX_UPLOAD + 5_000_000, b"An upload may have"), (2**30, b"nginx")):
        line = HTTPConnection(urlsplit(hosted.address).netloc, timeout=60)
        line.putrequest("POST", "/photos/gradio_api/upload")
        line.putheader("Content-Length", str(size))
        line.endheaders()  # nothing follows: what is refused is refused before
        answer = line.getresponse()
        assert answer.status == 413 and sentence in answer.read()
        line.close()


@needs_nginx
def test_a_process_stops_cleanly_and_the_other_takes_over(hosted: Hosted, examples: Path) -> None:
    first = hosted.apps[0]
    address = (hosted.folders[0] / "log").read_text().split("Open ")[1].split()[0]
    clients = [Client(address, verbose=False) for _ in range(3)]
    photo = handle_file(str(examples / "two_portraits.jpg"))
    with ThreadPoolExecutor(3) as pool:
        asked = [
            pool.submit(client.predict, photo=photo, api_name="/keypoints") for client in clients
        ]
        log = hosted.folders[0] / "log"
        while '"endpoint": "upload"' not in log.read_text().split("Open ")[1]:
            time.sleep(0.01)
        first.send_signal(signal.SIGTERM)
        since = time.monotonic()
        assert first.wait(timeout=30) == 0
        assert time.monotonic() - since < 10
        for answer in asked:  # it is either there, or its asker was told
            error = answer.exception(timeout=30)
            assert error is not None or len(answer.result()["faces"]) == 2
    assert "Traceback" not in log.read_text()
    assert httpx.get(f"{hosted.address}health").json()["status"] == "ready"
    client = Client(hosted.address, verbose=False)
    assert client.predict(photo=photo, api_name="/keypoints")["faces"]


@needs_nginx
def test_the_log_has_json_and_nothing_personal(hosted: Hosted) -> None:
    text = (hosted.folders[0] / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    endpoints = {line.get("endpoint") for line in lines}
    assert "upload" in endpoints
    assert {line["outcome"] for line in lines if "outcome" in line} >= {"answered"}
    for secret in ("127.0.0.1:", "cat.jpg", "two_portraits", str(hosted.folders[0])):
        assert secret not in "".join(line for line in text.splitlines() if line.startswith("{"))
