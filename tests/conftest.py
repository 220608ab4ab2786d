"""Fixtures that several test files share."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

from keypoints_captions.cores import usable_cores
from tests.browser import SharedBrowser
from train.benchmark.running_app import app_process

# Processes that run tests side by side share the cores, and so do the pages that they start:
# more threads than cores wait for one another. Before anything imports torch or NumPy.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ["OMP_NUM_THREADS"] = str(max(1, usable_cores() // _WORKERS))

# Examples are timed by the wall clock, which on a busy machine says nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that page writes: its output to `log`, visitors' files below `uploads`."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="session")
def app_address(app_folder: Path) -> Iterator[str]:
    """Address of the real page, in a process of its own for the whole test run."""
    with app_process(app_folder) as (_, address):
        yield address


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Chromium's arguments for a camera that shows a moving face, in half as many frames a second
    as others do, for all that is done with a frame costs the machine."""
    from train.benchmark.fake_camera import RATE, ROUTE, camera_arguments, film, write_y4m

    path = tmp_path_factory.mktemp("camera") / "y4m"
    return camera_arguments(write_y4m(path, film(ROUTE, every=2), RATE // 2))


#: Files that take long come first: while the last file of one process runs, the other one's core is
#: idle. One process begins with those that ask the page, see `pytest_xdist_make_scheduler`, the
#: other one with those that need a browser alone.
FIRST = [
    *("browser_captions", "browser_device", "browser_live", "browser", "browser_accessibility"),
    *("browser_video", "browser_page", "browser_serving"),
    *("browser_pipeline", "browser_engine", "static_site", "hosting"),
    *("captioning_training", "bulk_cluster", "captioning_votes", "detector_training", "onnx"),
    *("captioning_tagging", "keypoint_training", "engines", "caption_tab", "two_processes"),
    *("installing", "face_score", "privacy", "results", "bad_input_commands", "batches"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, and in each the tests with a browser, so that it is still open."""
    places = {f"test_{name}": place for place, name in enumerate(FIRST)}

    def place(item: pytest.Item) -> tuple[int, bool]:
        place = places.get(item.path.stem, len(places))
        return place, place < len(places) and item.get_closest_marker("browser") is None

    items.sort(key=place)


@cache
def asks_the_page(file: str) -> bool:
    return "app_address" in (Path(__file__).parents[1] / file).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process runs all files that ask the page, so that there is one page, not one each."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OnePage(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "the page" if asks_the_page(file) else file

    return OnePage(config, log)


_shared = SharedBrowser()


@pytest.fixture(scope="module")
def browser(camera: list[str]) -> Browser:
    """Chromium with that camera; the same one until a test comes that needs none."""
    return _shared.started(camera)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Playwright's event loop disturbs other tests: it ends before the next of them."""
    if nextitem is None or nextitem.get_closest_marker("browser") is None:
        _shared.close()


@pytest.fixture
def run_main(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command's main in this process -> exit code, standard output, standard error."""

    def call(main: Callable[[list[str]], int], *arguments: object) -> tuple[Any, str, str]:
        try:
            code: object = main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = error.code or 0
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def shallow_encoders() -> Iterator[None]:
    """For modules whose captioners are all made by `tests.caption_world`: their encoders have one
    block in each stage, which takes a third of the time."""
    from tests import caption_world

    with caption_world.shallow_encoders():
        yield


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the example photos."""
    return Path(__file__).resolve().parent.parent / "assets" / "examples"
