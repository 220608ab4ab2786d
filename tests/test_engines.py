"""Engines give the same answers, and torch stays away where another one serves."""

import math
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from captioning import Captioner
from captioning.vocabulary import START
from facial_keypoints import FacialKeypoints
from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.landmarks.crops import crops_from_points, cut
from keypoints_captions.cores import use_one_core
from keypoints_captions.engines.choice import load_engines
from keypoints_captions.hub import find_weights
from keypoints_captions.photos.reader import read_photo
from keypoints_captions.weights import WeightsError, read_facts
from tests.caption_world import make_captioner

pytest.importorskip("openvino", reason="no package of it for this machine")
import openvino

from keypoints_captions.engines.in_bfloat16 import compute_in_bfloat16
from keypoints_captions.engines.in_bytes import compute_in_bytes, has_byte_products
from keypoints_captions.engines.on_openvino import (
    _PLANNED,
    OpenVinoEngine,
    _inference,
    _Plan,
)


def test_faces_are_those_of_torch(examples: Path) -> None:
    served = FacialKeypoints.load(device="cpu", engine="openvino")
    reference = FacialKeypoints.load(device="cpu", engine="torch")
    assert served.predictor.engine.name.startswith("OpenVINO")
    for name in ("two_portraits.jpg", "astronaut.jpg", "admiral.jpg"):
        photo = read_photo(examples / name)
        mine, theirs = served(photo), reference(photo)
        assert len(mine) == len(theirs) > 0
        for one, other in zip(mine, theirs, strict=True):
            eyes = np.linalg.norm(other.points[36] - other.points[45])
            assert np.abs(one.points - other.points).max() < 0.01 * eyes
            assert np.linalg.norm(one.points - other.points, axis=1).mean() < 0.003 * eyes
        boxes = (  # from left to right: equally sure ones come in either order
            sorted(detector(photo), key=lambda found: float(found.box[0]))
            for detector in (served.detector, reference.detector)
        )
        for seen, known in zip(*boxes, strict=True):
            assert np.abs(seen.box - known.box).max() < 0.01 * known.box[2:].max()


@pytest.mark.parametrize("name", ["facial_keypoints", "face_detector"])
def test_convolutions_on_bytes_change_little(name: str, examples: Path) -> None:
    """Every convolution with a range is rounded, on any processor; what is exact has none."""
    facts = read_facts(find_weights(None, name))["onnx"][name]
    model = openvino.Core().read_model(find_weights(None, name).with_name(f"{name}.onnx"))
    compute_in_bytes(model, facts["ranges"])
    rounded = [
        node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Convolution"
        and all(v.get_node().get_type_name() == "FakeQuantize" for v in node.input_values())
    ]
    assert len(rounded) == len(facts["ranges"]) > 10
    pair = find_weights(None, name)
    exact = load_engines(pair, [""], "cpu", "openvino", lambda _: {}, exact=True)[""]
    (port, (_, side, *_)) = next((port, meant.shape) for port, meant in exact.inputs.items())
    photo = read_photo(examples / "astronaut.jpg")
    picture, unit = cv2.resize(photo, (320, 320)), 1
    if isinstance(side, int):
        face = FacialKeypoints.load(device="cpu")(photo)[0]
        picture, unit = cut(photo, crops_from_points(face.points[None]), side)[0], side
    mine, theirs = (
        openvino.compile_model(model, "CPU")([picture[None]]),
        exact(**{port: picture[None]}),
    )
    likely = theirs["score"].ravel() > 0.3
    assert likely.any()
    apart = np.linalg.norm(np.array(mine["points"]) - theirs["points"], axis=-1).reshape(
        len(likely), -1
    )
    assert 0 < unit * apart[likely].mean() < 0.5


def test_bytes_are_multiplied_where_the_processor_is_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    listed = tmp_path / "cpuinfo"
    for instructions, expected in (("avx2 avx512_vnni amx_tile", True), ("avx2 avx512f", False)):
        listed.write_text(f"processor: 0\nflags: fpu {instructions}\n")
        assert has_byte_products(["BF16"], listed) == expected
    assert has_byte_products(["FP32", "BF16"], tmp_path / "none")
    assert not has_byte_products(["FP32"], tmp_path / "none")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not has_byte_products(["BF16"], listed)


def test_captions_are_those_of_torch(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("captioning.engine.in_torch.fastest_precision", lambda *_: torch.float32)
    served = Captioner.load(device="cpu", engine="openvino", exact=True)
    reference = Captioner.load(device="cpu", engine="torch")
    photos = [read_photo(examples / f"{name}.jpg") for name in ("cat", "flower", "coffee")]
    for mine, theirs in zip(served(photos), reference(photos), strict=True):
        assert mine[0].text == theirs[0].text
        assert mine[0].log_probability == pytest.approx(theirs[0].log_probability, abs=1e-3)
        for one, other in zip(mine[0].words, theirs[0].words, strict=True):
            assert one.attention is not None and other.attention is not None
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-3)


def test_weights_in_bfloat16_change_little(examples: Path) -> None:
    quick = Captioner.load(device="cpu", engine="openvino")
    exact = Captioner.load(device="cpu", engine="openvino", exact=True)
    photos = [read_photo(examples / f"{name}.jpg") for name in ("cat", "coffee")]
    mine, theirs = quick.look(photos), exact.look(photos)
    for one, other in zip(mine[:3], theirs[:3], strict=True):
        assert np.abs(one - other).mean() < 0.05 * np.abs(other).mean()
    said, known = (
        captioner.speaker.step(theirs, captioner.speaker.start(theirs), np.full(2, START))
        for captioner in (quick, exact)
    )
    spoken = np.isfinite(known.log_probabilities)
    apart = said.log_probabilities[spoken] - known.log_probabilities[spoken]
    assert np.abs(apart).mean() < 0.05


@pytest.mark.parametrize("has_disk", [True, False])
def test_weights_are_read_again_after_their_memory_was_given_back(
    has_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError("no space left")

    if not has_disk:
        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    graph = find_weights(None, "captioning_decoder").with_name("captioning_decoder_start.onnx")
    model = openvino.Core().read_model(graph)
    originals = compute_in_bfloat16(model)
    grid = np.random.default_rng(0).random((1, 64, 2048), np.float32)
    first, second = (openvino.compile_model(model, "CPU")([grid])["places"] for _ in range(2))
    originals.give_back()
    third = openvino.compile_model(model, "CPU")([grid])["places"]
    assert np.abs(first).max() > 0
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


@pytest.mark.parametrize("size", [min(_PLANNED), (64, 96)])
def test_an_answer_does_not_depend_on_the_batch(size: tuple[int, int]) -> None:
    engine = CnnDetector.load(engine="openvino").engine
    assert isinstance(engine, OpenVinoEngine)
    canvases = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    together = engine(canvases=canvases)
    assert set(engine._planned) == {size} & _PLANNED
    for place in (0, 2):
        alone = engine(canvases=canvases[place : place + 1])
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][place])


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of streams of the plans made, on two cores."""
    monkeypatch.setattr("keypoints_captions.engines.on_openvino.usable_cores", lambda: 2)
    monkeypatch.setattr("keypoints_captions.engines.on_openvino._met", -math.inf)
    taken, compile_for = [], _Plan._compile

    def noted(plan: _Plan, streams: int) -> openvino.CompiledModel:
        taken.append(streams)
        return compile_for(plan, streams)

    monkeypatch.setattr(_Plan, "_compile", noted)
    return taken


def test_a_photo_alone_is_encoded_on_all_cores(examples: Path, taken: list[int]) -> None:
    captioner = Captioner.load(device="cpu", engine="openvino")
    photo = read_photo(examples / "cat.jpg")
    alone = captioner.look([photo])
    assert taken == [1, 2]  # the encoder on both, the decoder on one
    with _inference():
        beside = captioner.look([photo])
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [min(_PLANNED), (64, 96)])
def test_an_answer_does_not_depend_on_the_cores(size: tuple[int, int], taken: list[int]) -> None:
    engine = CnnDetector.load(engine="openvino").engine
    canvases = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    alone = engine(canvases=canvases)
    for _ in range(2):
        with _inference():
            beside = engine(canvases=canvases)
    with ThreadPoolExecutor(initializer=use_one_core) as pool:
        narrow = pool.submit(engine, canvases=canvases).result()
    assert taken == [1, 2]  # all cores for one call, one core each for two
    for name, values in alone.items():
        np.testing.assert_array_equal(values, beside[name])
        np.testing.assert_array_equal(values, narrow[name])


class Request:
    """A request that Ctrl-C interrupts when it is waited for, or made, the first time."""

    interrupted = False

    def __init__(self) -> None:
        self.is_busy = False
        self._interrupt()

    def set_tensor(self, name: str, tensor: object) -> None:
        assert not self.is_busy

    def start_async(self) -> None:
        self.is_busy = True

    def wait(self) -> None:
        self._interrupt()
        self.is_busy = False

    def _interrupt(self) -> None:
        if not Request.interrupted:
            Request.interrupted = True
            raise KeyboardInterrupt


def test_after_ctrl_c_no_request_is_busy_or_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CnnDetector.load(device="cpu").engine
    assert isinstance(engine, OpenVinoEngine)
    monkeypatch.setattr(Request, "interrupted", True)
    requests: list[Any] = [Request(), Request()]
    monkeypatch.setattr(Request, "interrupted", False)
    with pytest.raises(KeyboardInterrupt):
        engine._run({"canvases": np.zeros((2, 32, 32, 3), np.uint8)}, requests, 1)
    assert not any(request.is_busy for request in requests)

    plan = _Plan(None, {}, 2)  # type: ignore[arg-type]
    compiled = SimpleNamespace(create_infer_request=Request)
    monkeypatch.setattr(plan, "_compile", lambda streams: compiled)
    monkeypatch.setattr(Request, "interrupted", False)
    with pytest.raises(KeyboardInterrupt), plan.narrow(1):
        pass
    assert plan._narrow is None  # or the next call would wait for requests that nobody has made
    with plan.narrow(2) as made:
        assert len(made) == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12
def test_a_forked_process_is_told_so_and_does_not_wait_forever(examples: Path) -> None:
    detector = CnnDetector.load(device="cpu")
    image = read_photo(examples / "astronaut.jpg")
    detector(image)
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # ends it, should it wait
        try:
            detector(image)
        except RuntimeError as error:
            os._exit(7 if "forked" in str(error) else 1)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_weights_without_onnx_files_run_in_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captioning.engine.in_torch.fastest_precision", lambda *_: torch.bfloat16)
    assert Captioner.load(make_captioner(tmp_path)).speaker.encoder.name == "PyTorch bfloat16"
    assert Captioner.load(tmp_path, exact=True).speaker.encoder.name == "PyTorch float32"
    with pytest.raises(WeightsError, match="one of these is missing"):
        Captioner.load(tmp_path, engine="openvino")
    with pytest.raises(ValueError, match="Expected an engine of auto, openvino, torch"):
        load_engines(tmp_path / "x", [""], None, "tensorflow", lambda device: {})


def test_a_gpu_without_torch_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for choice in ({"device": "cuda"}, {"engine": "torch"}):
        with pytest.raises(WeightsError, match=r"pip install .*\[torch\]"):
            Captioner.load(**choice)
