"""The static site: what is written, and that it works from a plain file server under any path."""

import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.browser import BROWSER_MARKS, watched_page
from tests.test_structure import ROOT
from web.device.files import device_files
from web.static.site import write_site
from web.theme import static_theme

needs_engine = pytest.mark.skipif(
    bool(device_files().missing), reason=device_files().missing or "-"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, below two folders more."""
    folder = tmp_path_factory.mktemp("served")
    write_site(folder / "some" / "path", device_files())
    return folder


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Of the site on Python's own file server."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/some/path/"
    server.shutdown()


def test_the_theme_is_the_page_s() -> None:
    written = (ROOT / "assets/static/theme.css").read_text()
    assert written == static_theme(), "run python -m web.theme"


@needs_engine
def test_the_folder_is_a_static_space(site: Path) -> None:
    _, front, _ = (site / "some/path/README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["sdk"] == "static" and (site / "some/path" / facts["app_file"]).is_file()
    assert len(facts["short_description"]) <= 60
    text = (site / "some/path/licences.txt").read_text()
    assert "Microsoft" in text and "Apache License" in text


@needs_engine
def test_other_things_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear …")
    with pytest.raises(ValueError, match="holds other things"):
        write_site(tmp_path, device_files())
    assert (tmp_path / "letters.txt").exists()


@needs_engine
def test_it_is_written_without_gradio(tmp_path: Path) -> None:
    check = (
        "import sys; sys.modules['gradio'] = sys.modules['torch'] = None;"
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'gradio' else find(name, *a);"
        "import runpy; sys.argv = ['x', sys.argv[1]];"
        "runpy.run_module('web.static', run_name='__main__')"
    )
    command = [sys.executable, "-c", check, str(tmp_path / "out")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out/index.html").is_file()


@needs_engine
@pytest.mark.browser
@BROWSER_MARKS[1]
def test_photo_and_live_view_need_no_server(browser: Browser, address: str) -> None:
    phone = {"width": 390, "height": 844}
    with watched_page(browser, address, viewport=phone, permissions=["camera"]) as page:
        page.get_by_role("button", name="Start camera").click()
        expect(page.locator("[data-live=readout]")).to_contain_text("on this device")
        page.get_by_role("tab", name="Photo").click()
        expect(page.locator("[data-live=readout]")).to_be_hidden()
        page.wait_for_url(f"{address}?view=photo")
        page.get_by_role("button", name="Two portraits side by side").click()
        expect(page.locator("[data-own=status]")).to_contain_text("2 faces")
        expect(page.locator(".own-photo .card")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("link", name="Model card of the keypoints").click()
        expect(page.locator("table").first).to_be_visible()
        page.get_by_role("link", name="Back to the page").click()
        expect(page.get_by_role("button", name="Start camera")).to_be_enabled()
