"""What importing the page does to a process, and what it leaves for later; one process is asked
all of it, for the import takes seconds."""

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

from train.benchmark.running_app import ROOT

FACTS = """
import json, os, platform, sys, tempfile, warnings
import cv2

def settings():
    pillow = [str(entry) for entry in warnings.filters if "PIL" in str(entry[3])]
    return dict(os.environ), tempfile.gettempdir(), cv2.getNumThreads(), pillow

def imported(*names):
    return [name for name in names if name in sys.modules]

facts, before = {}, settings()
import app
facts["settings stay"] = settings() == before
facts["at the start"] = imported("torch", "pandas.core", "rich", "matplotlib")

from gradio import caching, utils
with utils.MatplotlibBackendMananger():
    facts["in an event"] = imported("matplotlib")
import pandas
facts["pandas is whole"] = isinstance(pandas.DataFrame({"a": [1]}), caching.pd.DataFrame)
facts["for a table"] = imported("pandas.core")

from captioning import Captioner
from facial_keypoints import FacialKeypoints
from keypoints_captions.photos.reader import read_photo
photo = read_photo("assets/examples/astronaut.jpg")
facts["faces"] = len(FacialKeypoints.load(device="cpu")(photo))
facts["captions"] = len(Captioner.load(device="cpu")(photo))
facts["for answers"] = imported("torch")

from web.memory import return_memory
facts["C library"], facts["memory settings"] = platform.libc_ver()[0], return_memory()
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    run = subprocess.run([sys.executable, "-c", FACTS], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_importing_the_page_changes_no_setting_of_the_process(facts: dict[str, Any]) -> None:
    assert facts["settings stay"]


def test_the_page_is_up_before_what_is_slow_is_imported(facts: dict[str, Any]) -> None:
    assert facts["at the start"] == []


def test_pandas_is_imported_when_it_is_first_asked_for(facts: dict[str, Any]) -> None:
    assert facts["pandas is whole"] and facts["for a table"] == ["pandas.core"]


def test_events_do_not_import_matplotlib(facts: dict[str, Any]) -> None:
    assert facts["in an event"] == []


@pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="no package of it for this machine"
)
def test_no_torch_where_the_engine_serves(facts: dict[str, Any]) -> None:
    assert facts["faces"] and facts["captions"] and facts["for answers"] == []


def test_memory_settings_are_taken(facts: dict[str, Any]) -> None:
    assert facts["memory settings"] == (facts["C library"] == "glibc")
