"""Models by path, folder and name of the Hub; the Hub itself is played."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch

from captioning import Captioner
from captioning.captioner import load_parts
from facial_keypoints import FacialKeypoints
from keypoints_captions.device import pick_device
from keypoints_captions.files import shipped
from keypoints_captions.hub import find_weights
from keypoints_captions.weights import WeightsError
from tests.caption_world import make_captioner


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keypoint model as a repository of the Hub."""
    model = FacialKeypoints.load(device="cpu")
    return model.save_pretrained(tmp_path_factory.mktemp("hub") / "faces")


def test_a_saved_model_is_a_complete_repository(repository: Path) -> None:
    names = {path.name for path in repository.iterdir()}
    pairs = {f"{n}.{s}" for n in FacialKeypoints.PAIRS for s in ("json", "safetensors", "onnx")}
    assert names == pairs | {"facial_keypoints_int8.onnx", "README.md", "LICENSE.md", "config.json"}
    engines = (FacialKeypoints.load(weights, device="cpu") for weights in (None, repository))
    assert len({model.predictor.engine.name for model in engines}) == 1  # the same runs it
    card = (shipped("weights") / "facial_keypoints.md").read_text()
    assert (repository / "README.md").read_text() == card
    assert json.loads((repository / "config.json").read_text())["files"] == [*FacialKeypoints.PAIRS]


def test_a_model_is_saved_where_it_was_read(tmp_path: Path, repository: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(repository, own)
    (own / "config.json").unlink()
    FacialKeypoints.load(own, device="cpu").save_pretrained(own)
    assert {path.name for path in own.iterdir()} == {path.name for path in repository.iterdir()}
    for path in own.glob("facial_keypoints*"):
        path.rename(path.with_name(path.name.replace("facial_keypoints", "mine")))
    model = FacialKeypoints.load(own / "mine", device="cpu", engine="torch")
    saved = FacialKeypoints.load(model.save_pretrained(tmp_path / "new"), engine="torch")
    assert saved.pairs[0].name == "facial_keypoints"
    assert not list((tmp_path / "new").glob("facial_keypoints*.onnx"))  # they have another name


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("name", ["face_detector", "captioning_decoder"])
def test_weights_of_another_network_are_refused(engine: str, name: str) -> None:
    with pytest.raises(WeightsError, match="Expected the weights of"):
        FacialKeypoints.load(shipped("weights") / name, device="cpu", engine=engine)


def test_a_model_comes_from_a_folder_a_file_or_a_name(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, str | None]] = []

    def fetch(name: str, *, revision: str | None, **rest: Any) -> str:
        asked.append((name, revision))
        return str(repository)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.chdir(tmp_path)
    photo = np.zeros((64, 64, 3), np.uint8)
    for weights in (repository, str(repository / "facial_keypoints.safetensors"), "ada/faces"):
        model = FacialKeypoints.load(weights, device="cpu")
        assert model.pairs == tuple(repository / name for name in FacialKeypoints.PAIRS)
        assert model(photo) == []
    assert FacialKeypoints.from_pretrained("ada/faces", revision="v1", device="cpu").pairs
    assert asked == [("ada/faces", None), ("ada/faces", "v1")]


def test_a_detector_of_the_folder_is_read_and_not_the_projects(
    repository: Path, tmp_path: Path
) -> None:
    shutil.copytree(repository, tmp_path / "own")
    with open(tmp_path / "own" / "face_detector.safetensors", "ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="own/face_detector"):
        FacialKeypoints.load(tmp_path / "own", device="cpu")
    assert FacialKeypoints.load(tmp_path / "own", detector="haar", device="cpu")
    for path in (tmp_path / "own").glob("face_detector.*"):
        path.unlink()
    model = FacialKeypoints.load(tmp_path / "own", device="cpu")
    assert model.pairs[1] == shipped("weights") / "face_detector"


def test_a_captioner_goes_out_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads: list[tuple[str, Path]] = []

    class Api:
        def __init__(self, **rest: Any) -> None: ...

        def create_repo(self, name: str, **rest: Any) -> None:
            uploads.append((name, tmp_path))

        def upload_folder(self, *, repo_id: str, folder_path: Path, **rest: Any) -> str:
            uploads.append((repo_id, folder_path))
            return f"https://hub/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    weights = make_captioner(tmp_path / "weights")
    captioner = Captioner.load(weights / "captioning_decoder.json", device="cpu")
    assert captioner.push_to_hub("ada/words", tmp_path / "out") == "https://hub/ada/words"
    assert uploads == [("ada/words", tmp_path), ("ada/words", tmp_path / "out")]
    again = load_parts(Captioner.from_pretrained(tmp_path / "out", device="cpu").pairs[0].parent)
    for name, tensor in load_parts(weights).encoder.state_dict().items():
        assert torch.equal(tensor, again.encoder.state_dict()[name])


def test_a_model_made_here_cannot_be_saved(tmp_path: Path) -> None:
    model = FacialKeypoints.load(device="cpu")
    with pytest.raises(WeightsError, match="loaded from files"):
        FacialKeypoints(model.predictor, model.detector).save_pretrained(tmp_path)


def test_what_cannot_be_fetched_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*arguments: Any, **options: Any) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(WeightsError, match=r"ada/faces.*no route to host.*or give a folder"):
        find_weights("ada/faces", "faces")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match=r"pip install .keypoints-captions\[hub\]"):
        find_weights("ada/faces", "faces")
    (tmp_path / "ada").mkdir()  # now it can only be a file that is missing
    assert find_weights("ada/faces", "faces") == Path("ada/faces")


def test_devices_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="got 'sofa'"):
        pick_device("sofa")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda").type == "cuda"
    with pytest.raises(ValueError, match="1 CUDA GPUs"):
        pick_device("cuda:1")
    for name in ("meta", "vulkan"):  # torch knows them, but no network runs there
        with pytest.raises(ValueError, match=f"can use here, got '{name}'"):
            pick_device(name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert FacialKeypoints.load(device="cpu:0")


def test_the_device_reaches_the_detector() -> None:
    """The detector's network goes where the keypoint network goes."""
    from facial_keypoints import pipeline

    seen: list[object] = []
    real = dict(pipeline.DETECTORS)

    def load(weights: object, device: object, engine: str) -> Any:
        seen.append(device)
        return real["haar"](None, None, engine)

    pipeline.DETECTORS["cnn"] = load
    try:
        FacialKeypoints.load(device="cpu").using("cnn")
    finally:
        pipeline.DETECTORS.update(real)
    assert seen == ["cpu"] * 2
