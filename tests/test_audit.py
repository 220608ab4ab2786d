"""`make audit`: what it makes of pip-audit's answers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from train.benchmark.running_app import ROOT


def audit(folder: Path, dependencies: list[dict[str, Any]] | None) -> tuple[int, str]:
    """Exit code and output where pip-audit answers so; None: it could not ask."""
    answer = "raise SystemExit('ConnectionError: no route to host')"
    if dependencies is not None:
        answer = f"print({json.dumps({'dependencies': dependencies})!r})"
    (folder / "pip_audit.py").write_text(answer)
    run = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "audit")],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert not run.stderr
    return run.returncode, run.stdout


def package(**hole: Any) -> dict[str, Any]:
    holes = [{"id": "PYSEC-2026-1", "fix_versions": [], **hole}] if hole else []
    return {"name": "pillow", "version": "12.0.0", "vulns": holes}


def test_no_hole(tmp_path: Path) -> None:
    code, text = audit(tmp_path, [package(), {"name": "torch", "skip_reason": "not found"}])
    assert code == 0 and "1 packages, 0 holes" in text and "Not in the database: torch" in text


def test_a_hole_that_can_be_closed_fails(tmp_path: Path) -> None:
    code, text = audit(tmp_path, [package(fix_versions=["12.1.0"])])
    assert code == 1 and "pillow 12.0.0: PYSEC-2026-1, fixed in 12.1.0" in text


def test_a_hole_whose_fix_is_not_allowed_is_told(tmp_path: Path) -> None:
    code, text = audit(tmp_path, [package(fix_versions=["13.0.0"])])
    assert code == 0 and "which gradio 6 does not allow" in text


def test_a_hole_that_cannot_be_closed_is_told(tmp_path: Path) -> None:
    code, text = audit(tmp_path, [package(fix_versions=[])])
    assert code == 0 and "not fixed in any release yet" in text


def test_a_database_that_knows_no_package_is_told(tmp_path: Path) -> None:
    code, text = audit(tmp_path, [{"name": "torch", "skip_reason": "not found"}])
    assert code == 0 and "NOT CHECKED" in text


def test_a_database_out_of_reach_is_told(tmp_path: Path) -> None:
    code, text = audit(tmp_path, None)
    assert code == 0 and "NOT CHECKED" in text and "no route to host" in text
