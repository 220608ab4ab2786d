"""The constants that the browser's pipeline reads: written whole, and all that it asks for."""

import json
import re
from pathlib import Path

from facial_keypoints import constants, pipeline
from facial_keypoints.video import smoothing, tracker
from tests.test_structure import ROOT

MODULES = sorted((ROOT / "assets/device/pipeline").glob("*.js"))


def test_command_writes_python_s_own_numbers(tmp_path: Path) -> None:
    constants.write_constants(tmp_path / "constants.json")
    written = json.loads((tmp_path / "constants.json").read_text())
    assert written["keypoints"]["min_score"] == pipeline.MIN_SCORE
    assert written["smoothing"]["beta"] == smoothing.OneEuroFilter.BETA
    assert written["tracking"]["pace"]["new_faces"] == tracker.Pace().new_faces
    assert written["keypoints"]["input_size"] == pipeline.load_network().config.input_size
    assert len(written["markup"]["head_points"]) == len(written["markup"]["flip"]) == 68


def test_committed_file_agrees() -> None:
    """Else: python -m facial_keypoints.constants --output weights/constants.json"""
    text = json.dumps(constants.pipeline_constants())
    assert json.loads((ROOT / "weights" / constants.CONSTANTS).read_text()) == json.loads(text)


def test_modules_ask_for_constants_that_there_are() -> None:
    known = constants.pipeline_constants()
    asked = set()
    for module in MODULES:
        text = module.read_text()
        asked |= set(re.findall(r"constants\.(\w+)\.(\w+)", text))
        for names, group in re.findall(r"const \{([^}]+)\} = constants\.(\w+);", text):
            asked |= {(group, name.split(":")[0].strip()) for name in names.split(",")}
    assert len(asked) > 40
    unknown = [
        (group, name)
        for group, name in asked
        if name not in known.get(group, {}) and name not in ("map", "filter")
    ]
    assert unknown == []
