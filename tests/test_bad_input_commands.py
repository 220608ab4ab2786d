"""The corpus of bad input in one folder, through each command line in one run."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import captioning.__main__
import facial_keypoints.__main__
from tests.bad_input.case import Case, plain
from tests.bad_input.corpus import corpus

COMMANDS = {"keypoints": facial_keypoints.__main__.main, "captions": captioning.__main__.main}
#: Photos that are odd enough to matter behind the reader too.
ODD = ["1 × 1", "1 × 30000", "30000 × 1", "float of nan only", "CMYK", "orientation 6", "GIF P"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """Everything that must be refused, some odd photos, and a portrait at the end of it all."""
    folder = tmp_path_factory.mktemp("bad")
    for index, case in enumerate(chosen()):
        (folder / name_of(index, case)).write_bytes(case.data)
    (folder / "zz_astronaut.jpg").write_bytes((examples / "astronaut.jpg").read_bytes())
    return folder


def chosen() -> list[Case]:
    refused = [case for case in corpus() if case.size is None]
    odd = [c for c in corpus() if c.says is None and c.name.endswith(tuple(ODD))]
    assert len(refused) > 200 and len(odd) > 20
    return refused + odd


def name_of(index: int, case: Case) -> str:
    return f"{index:04}{Path(case.file_name).suffix}"


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_lost(
    name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    records = run(COMMANDS[name], [str(folder)], tmp_path / "out.json")
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    cases = chosen()
    assert len(records) == len(cases) + 1
    for index, case in enumerate(cases):
        record = records[name_of(index, case)]
        if case.says is None:
            assert "error" not in record, (case.name, record)
        else:
            assert plain(record["error"]) and record["error"] in errors, (case.name, record)
    last = records["zz_astronaut.jpg"]
    assert len(last["faces"]) == 1 if name == "keypoints" else last["captions"][0]["text"]


def run(
    main: Callable[[Sequence[str]], int], arguments: list[str], output: Path
) -> dict[str, dict[str, Any]]:
    """File name -> its record; some of the files must have failed."""
    assert main([*arguments, "--output", str(output)]) == 1
    return {Path(r["file"]).name: r for r in json.loads(output.read_text())}
