"""The page's examples for programs, run as they stand there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from web.api_section import ADDRESS, API, EXAMPLES

COMMANDS = {"Python": [sys.executable], "JavaScript": ["node"], "curl": ["bash", "-eu"]}


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_runs(title: str, app_address: str, examples: Path, tmp_path: Path) -> None:
    command = COMMANDS[title]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    script = tmp_path / EXAMPLES[title]
    text = (API / EXAMPLES[title]).read_text()
    assert ADDRESS in text
    script.write_text(text.replace(ADDRESS, app_address))
    shutil.copy(examples / "astronaut.jpg", tmp_path / "photo.jpg")
    run = subprocess.run(
        [*command, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=180
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.strip().splitlines()
    if title == "curl":
        captions, faces = lines
        assert '"captions"' in captions and captions.count('"text"') == 2
        assert faces.count('"box"') == 1
    else:
        first, second, face = lines[-3:]  # Gradio's client says something of its own before
        assert first and second and first != second
        assert face.startswith("[")
