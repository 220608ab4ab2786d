"""The programs of `train/` end with a sentence where something they are given is missing."""

import argparse
import runpy
import sys
from pathlib import Path

import pytest

from keypoints_captions.weights import WeightsError
from train.benchmark import speed
from train.captioning.features import pretrained_encoder
from train.command_line import run


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("keypoints show --data GONE", "GONE holds no faces.csv"),
        ("detector show --photos GONE --faces GONE", "GONE/face_boxes.csv: No such file"),
        ("captioning show --train GONE.json", "GONE.json: no such annotation file"),
        ("captioning show --config GONE.json", "GONE.json: No such file"),
        ("evaluate keypoints --data GONE", "GONE holds no faces.csv"),
        ("evaluate captioning --data GONE", "GONE/coco_val.json: no such annotation file"),
    ],
)
def test_what_is_missing_is_named(
    command: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = str(tmp_path / "gone")
    module, *arguments = command.replace("GONE", gone).split()
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, f"train.{module}.__main__", raising=False)  # run, not imported
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"train.{module}", run_name="__main__")
    assert told.replace("GONE", gone) in str(ended.value)


def test_other_faults_keep_their_traceback() -> None:
    def missing() -> None:
        raise WeightsError("weights.json is missing")

    def broken() -> None:
        raise ValueError("a fault of the program")

    with pytest.raises(SystemExit, match=r"weights\.json is missing"):
        run(missing)
    with pytest.raises(ValueError, match="a fault of the program"):
        run(broken)


def test_without_a_network_the_option_that_helps_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(FileNotFoundError, match="--encoder-weights"):
        pretrained_encoder("", "v1.5")


@pytest.mark.parametrize(("options", "detector"), [([], "cnn"), (["--detector", "haar"], "haar")])
def test_speed_is_measured_with_the_chosen_detector(
    options: list[str], detector: str, capsys: pytest.CaptureFixture
) -> None:
    parser = argparse.ArgumentParser()
    speed.add_arguments(parser)
    speed.run(parser.parse_args([*options, "--repeats", "1"]))
    printed = capsys.readouterr().out
    assert f"detector {detector}," in printed
    assert "| whole pipeline, 640×480, one face |" in printed
