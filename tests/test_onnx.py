"""The networks as ONNX files: they belong to the weights, and give what torch gives."""

import json
import re
import runpy
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession

from captioning.captioner import DECODER_NAME, ENCODER_NAME, load_parts
from captioning.decoder import Decoder, DecoderConfig
from captioning.encoder import GRID_CHANNELS
from captioning.engine.in_torch import spoken
from captioning.engine.whole import DecoderStart, DecoderStep, WholeEncoder
from captioning.ensemble import AnyDecoder, DecoderEnsemble
from facial_keypoints import FacialKeypoints
from facial_keypoints.detection import cnn
from facial_keypoints.detection.whole import WholeDetectorNet
from facial_keypoints.landmarks.crops import crops_from_points, cut
from facial_keypoints.landmarks.whole import WholeKeypointNet
from facial_keypoints.pipeline import DETECTOR_NAME, NAME, load_network
from keypoints_captions.photos.reader import read_photo
from keypoints_captions.weights import file_facts, save_model
from train.benchmark.running_app import ROOT
from train.export import __main__ as exporting
from train.export.__main__ import QUANTISED
from train.export.graphs import to_graph
from train.export.weights import StoredTensors, halve

WEIGHTS = ROOT / "weights"
EXAMPLES = ROOT / "assets" / "examples"


def run(module: Any, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """What torch makes of a network's named inputs."""
    with torch.inference_mode():
        results = module.eval()(*(torch.from_numpy(inputs[name]) for name in module.inputs))
    return dict(zip(module.outputs, (result.numpy() for result in results), strict=True))


def run_onnx(file: Path, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = InferenceSession(file)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@pytest.mark.parametrize("name", [NAME, DETECTOR_NAME, ENCODER_NAME, DECODER_NAME])
def test_the_graphs_are_those_that_the_json_tells_of(name: str) -> None:
    facts = json.loads((WEIGHTS / f"{name}.json").read_text())["onnx"]
    assert facts
    for graph, told in facts.items():
        file = WEIGHTS / f"{graph}.onnx"
        assert file_facts(file).items() <= told.items(), "run python -m train.export"
        session = InferenceSession(file)
        for values, ports in (
            (session.get_inputs(), told["inputs"]),
            (session.get_outputs(), told["outputs"]),
        ):
            assert {value.name: value.shape for value in values} == {
                key: port["shape"] for key, port in ports.items()
            }


@pytest.mark.parametrize("turn", [0, 25, -50])
def test_keypoints_agree_with_torch(turn: float) -> None:
    image = read_photo(EXAMPLES / "two_portraits.jpg")
    faces = FacialKeypoints.load()(image)
    crops = crops_from_points(np.stack([face.points for face in faces]))
    crops.angle[:] += turn
    module = WholeKeypointNet(load_network())
    pictures = cut(image, crops, module.network.config.input_size)
    expected = run(module, crops=pictures)
    got = run_onnx(WEIGHTS / f"{NAME}.onnx", crops=pictures)
    assert np.abs(got["points"] - expected["points"]).max() * 128 < 0.05
    assert np.abs(got["log_scale"] - expected["log_scale"]).max() < 0.01
    assert np.abs(got["score"] - expected["score"]).max() < 0.005


def test_8_bits_move_the_points_little() -> None:
    image = read_photo(EXAMPLES / "two_portraits.jpg")
    faces = FacialKeypoints.load()(image)
    size = load_network().config.input_size
    crops = cut(image, crops_from_points(np.stack([face.points for face in faces])), size)
    whole, small = (run_onnx(WEIGHTS / f"{name}.onnx", crops=crops) for name in (NAME, QUANTISED))
    off = np.linalg.norm(small["points"] - whole["points"], axis=2) * size
    assert off.mean() < 0.3 and off.max() < 2.0
    assert np.abs(small["score"] - whole["score"]).max() < 0.02
    assert np.abs(small["log_scale"] - whole["log_scale"]).mean() < 0.1


@pytest.mark.parametrize("size", [(640, 640), (256, 320)])
@pytest.mark.parametrize("photo", ["two_portraits.jpg", "astronaut.jpg", "admiral.jpg"])
def test_boxes_agree_with_torch(photo: str, size: tuple[int, int]) -> None:
    canvas = np.full((1, *size, 3), 128, np.uint8)
    fitted, _ = cnn.fit(read_photo(EXAMPLES / photo), min(size), 128)
    canvas[0, : fitted.shape[0], : fitted.shape[1]] = fitted
    expected = run(WholeDetectorNet(cnn.load_network()), canvases=canvas)
    got = run_onnx(WEIGHTS / f"{DETECTOR_NAME}.onnx", canvases=canvas)
    seen = expected["score"] > 0.3
    assert seen.any()
    for name, most in {"score": 0.005, "box": 0.1, "points": 0.1}.items():
        assert np.abs(got[name][seen] - expected[name][seen]).max() < most, name


def test_the_encoder_reads_its_weights_from_the_safetensors_file() -> None:
    parts = load_parts(WEIGHTS)
    photo = parts.preprocessing.read(EXAMPLES / "cat.jpg")[None]
    module = WholeEncoder(parts.encoder, parts.preprocessing)
    got = run_onnx(WEIGHTS / f"{ENCODER_NAME}.onnx", squares=photo)
    np.testing.assert_allclose(got["grid"], run(module, squares=photo)["grid"], atol=2e-3)
    graph = onnx.load(WEIGHTS / f"{ENCODER_NAME}.onnx", load_external_data=False)
    files = {
        entry.value
        for tensor in graph.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    assert files == {f"{ENCODER_NAME}.safetensors"}


def tiny_decoder(count: int, attention: bool = True) -> AnyDecoder:
    torch.manual_seed(0)
    config = DecoderConfig(vocabulary_size=30, embed_size=16, heads=2, attention=attention)
    decoders = [Decoder(config).half().float().eval() for _ in range(count)]
    return decoders[0] if count == 1 else DecoderEnsemble(decoders).eval()


@cache
def step_graph() -> tuple[DecoderStep, onnx.ModelProto]:
    """The step of two decoders and its graph, to be copied before it is changed: torch takes
    seconds for it."""
    module = DecoderStep(tiny_decoder(2), places=4)
    return module, to_graph(module)


def test_steps_of_two_decoders_in_graphs_are_those_of_torch(tmp_path: Path) -> None:
    """Those of one decoder, with votes: `test_captioning_votes.py`."""
    decoder = tiny_decoder(2)
    save_model(tmp_path / "tiny", decoder.state_dict(), {}, half=True)
    held = StoredTensors(tmp_path / "tiny.safetensors")
    first = DecoderStart(decoder, places=4)
    for name, (module, traced) in {
        "start": (first, to_graph(first)),
        "step": step_graph(),
    }.items():
        graph = deepcopy(traced)
        halve(graph, dict(module.named_parameters()), held)
        (tmp_path / f"{name}.onnx").write_bytes(graph.SerializeToString())
    grid = np.random.default_rng(0).random((5, 4, GRID_CHANNELS), np.float32)
    begun = run_onnx(tmp_path / "start.onnx", grid=grid)
    words = np.arange(10).reshape(5, 2)
    state = {key: np.stack([begun[key]] * 2, axis=1) for key in ("hidden", "cell")}
    got = run_onnx(tmp_path / "step.onnx", places=begun["places"], words=words, **state)

    with torch.inference_mode():
        photos = decoder.read(torch.from_numpy(grid))
        start = decoder.start(photos)
        twice = torch.arange(5).repeat_interleave(2)
        logits, grown = decoder.step(photos, start.take(twice), torch.from_numpy(words).flatten())
        _, attention = decoder.explain(photos, torch.from_numpy(words)[..., None])
    assert attention is not None
    for mine, theirs in (
        (begun["places"], photos.grid),
        (begun["hidden"], start.hidden),
        (begun["cell"], start.cell),
        (got["log_probabilities"], spoken(logits).unflatten(0, (5, 2))),
        (got["next_hidden"], grown.hidden.unflatten(0, (5, 2))),
        (got["next_cell"], grown.cell.unflatten(0, (5, 2))),
        (got["attention"], attention[:, :, 0]),
    ):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-5)


def test_a_weight_that_is_in_no_file_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "other", tiny_decoder(1, attention=False).state_dict(), {}, half=True)
    held = StoredTensors(tmp_path / "other.safetensors")
    module, graph = step_graph()
    with pytest.raises(ValueError, match=r"the weight network\.\w+.* is in no such file"):
        halve(deepcopy(graph), dict(module.named_parameters()), held)


def test_the_command_refuses_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        exporting.main(["keypoints"])
    assert "expected names of facial_keypoints, face_detector" in capsys.readouterr().err


def test_the_example_runs_and_finds_the_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (WEIGHTS / "ONNX.md").read_text(), re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    monkeypatch.chdir(ROOT)
    points = runpy.run_path(str(tmp_path / "example.py"))["points"]
    image = read_photo(EXAMPLES / "astronaut.jpg")
    (face,) = FacialKeypoints.load()(image)
    eyes = np.linalg.norm(face.points[36] - face.points[45])
    assert np.linalg.norm(points - face.points, axis=1).mean() < 0.05 * eyes


def test_one_network_alone_is_exported_without_the_constants_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "export", lambda *_: None)
    (tmp_path / f"{NAME}.json").write_text("{}")
    exporting.main([NAME, "--weights", str(tmp_path)])
    assert not (tmp_path / "constants.json").exists()
