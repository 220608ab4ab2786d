"""Model files: what is saved comes back, and a pair that does not fit is refused."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keypoints_captions.files import replacing
from keypoints_captions.weights import WeightsError, _formatted, load_model, save_model

STATE = {
    "conv.weight": torch.tensor([[1.5, -2.25], [1e-3, 300.1]]),
    "conv.bias": torch.zeros(0),
    "norm.num_batches_tracked": torch.tensor(70_001),
    "double": torch.tensor([1 / 3], dtype=torch.float64),
    "brain": torch.tensor([0.5], dtype=torch.bfloat16),
}
METADATA = {
    "architecture": {"width": 32, "blocks": [2, 2, 2]},
    "preprocessing": {"mean": [0.485, 0.456, 0.406], "size": 128},
    "training": {"epochs": 3, "data": "generated"},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "model.v1.2"
    save_model(path, STATE, METADATA)
    return path


def test_round_trip(saved: Path) -> None:
    suffixes = ("", ".safetensors", ".json")
    for path in (f"{saved}{suffix}" for suffix in suffixes):
        state_dict, metadata = load_model(path)
        assert state_dict.keys() == STATE.keys()
        for name, tensor in STATE.items():
            wanted = tensor.float() if tensor.is_floating_point() else tensor
            assert state_dict[name].dtype == wanted.dtype
            torch.testing.assert_close(state_dict[name], wanted, rtol=0, atol=0)
        assert {key: metadata[key] for key in METADATA} == METADATA


def test_json_states_the_facts_of_the_file(saved: Path) -> None:
    text = Path(f"{saved}.json").read_text()
    facts = json.loads(text)["weights"]
    assert facts["file"] == "model.v1.2.safetensors"
    assert facts["bytes"] == os.path.getsize(f"{saved}.safetensors")
    assert len(facts["sha256"]) == 64 and facts["values"] == 4 + 0 + 1 + 1 + 1
    assert text.index('"weights"') < text.index('"architecture"') < text.index('"training"')
    assert '"mean": [0.485, 0.456, 0.406]' in text


def test_saving_twice_gives_the_same_files(saved: Path) -> None:
    files = [Path(f"{saved}{suffix}") for suffix in (".safetensors", ".json")]
    before = [file.read_bytes() for file in files]
    save_model(saved, STATE, METADATA)
    assert [file.read_bytes() for file in files] == before
    assert sorted(os.listdir(saved.parent)) == ["model.v1.2.json", "model.v1.2.safetensors"]


def test_half_precision_halves_floats_only(tmp_path: Path) -> None:
    state = {"weight": torch.randn(1000), "count": torch.tensor(70_001)}
    save_model(tmp_path / "full", state, {})
    save_model(tmp_path / "half", state, {}, half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[0] - sizes[1] == pytest.approx(2000, abs=64)
    state_dict, metadata = load_model(tmp_path / "half")
    assert state_dict["weight"].dtype == torch.float32 and int(state_dict["count"]) == 70_001
    torch.testing.assert_close(state_dict["weight"], state["weight"], rtol=1e-3, atol=1e-4)
    assert metadata["weights"]["floats"] == "float16"


def test_values_beyond_float16_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"head\.weight .* 1e\+05.* half=False"):
        save_model(tmp_path / "m", {"head.weight": torch.tensor([1e5])}, {}, half=True)
    assert os.listdir(tmp_path) == []


def test_shared_and_strided_tensors_can_be_saved(tmp_path: Path) -> None:
    weight = torch.arange(6.0).view(2, 3)
    save_model(tmp_path / "m", {"a": weight, "b": weight, "t": weight.T}, {})
    torch.testing.assert_close(load_model(tmp_path / "m").state_dict["t"], weight.T)


@pytest.mark.parametrize(
    "metadata, said",
    [
        ({"a": float("nan")}, "finite"),
        ({"a": np.zeros(3)}, "tolist"),
        ({"a": Path("x")}, r"str\(\)"),
        ({"a": {1: 2}}, "keys must be text"),
        ({"weights": {}}, "rename"),
    ],
)
def test_metadata_that_is_no_json_is_refused(
    metadata: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=said):
        save_model(tmp_path / "m", STATE, metadata)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_missing_file_is_named(saved: Path, suffix: str) -> None:
    os.remove(f"{saved}{suffix}")
    with pytest.raises(WeightsError, match=rf"model\.v1\.2\{suffix} is missing; copy both"):
        load_model(saved)


def test_a_changed_file_is_refused(saved: Path) -> None:
    weights = Path(f"{saved}.safetensors")
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WeightsError, match=r"Expected SHA-256 \w{64} of .*, got \w{64}; copy"):
        load_model(saved)
    weights.write_bytes(data[:-1])
    with pytest.raises(WeightsError, match=rf"Expected {len(data)} bytes .* got {len(data) - 1};"):
        load_model(saved)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "Expected JSON"),
        ("{", "Expected JSON"),
        ("\xff", "Expected JSON"),
        ("[1]", "got a list"),
        ("{}", "export the model again"),
        ('{"weights": {"bytes": 3}}', "export the model again"),
    ],
)
def test_a_broken_json_is_refused(saved: Path, text: str, said: str) -> None:
    Path(f"{saved}.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(WeightsError, match=said):
        load_model(saved)


def test_what_is_no_safetensors_file_is_refused(saved: Path) -> None:
    Path(f"{saved}.safetensors").write_bytes(b"not tensors")
    digest = hashlib.sha256(b"not tensors").hexdigest()
    Path(f"{saved}.json").write_text(json.dumps({"weights": {"bytes": 11, "sha256": digest}}))
    with pytest.raises(WeightsError, match="Expected a safetensors file"):
        load_model(saved)


#: What UTF-8 can hold, which Hypothesis takes seconds to work out from `codec="utf-8"`.
characters = st.characters(exclude_categories=["Cs"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters),
    lambda inner: st.lists(inner, max_size=30)
    | st.dictionaries(st.text(characters, max_size=5), inner),
    max_leaves=60,
)  # fmt: skip


@given(json_values)
def test_the_readable_form_is_json(value: Any) -> None:
    assert json.loads(_formatted(value, "")) == value


def test_long_lists_fill_lines() -> None:
    lines = _formatted({"words": [f"word{n}" for n in range(200)]}, "").splitlines()
    assert 15 < len(lines) < 40 and max(map(len, lines)) <= 100


# --- files written whole or not at all --------------------------------------------------------


def test_replacing_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half of it")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["result.txt"]
    with open(path) as reader:  # one who has opened the old file keeps it
        with replacing(path) as partial:
            partial.write_text("new")
        assert reader.read() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["result.txt"]


def test_replacing_keeps_links_and_devices(tmp_path: Path) -> None:
    target = tmp_path / "far" / "target.txt"
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    with replacing(link) as partial:
        partial.write_text("through the link")
    assert link.is_symlink() and target.read_text() == "through the link"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with replacing(pipe) as direct:
        assert direct == pipe
    assert pipe.is_fifo()
    inner, outer = os.pipe()
    with os.fdopen(inner, "rb") as reader:
        with replacing(f"/dev/fd/{outer}") as direct:  # what a shell makes of >(program)
            direct.write_text("through the pipe")
        os.close(outer)
        assert reader.read() == b"through the pipe"


def test_replacing_names_what_is_half_written_apart(tmp_path: Path) -> None:
    long = [tmp_path / f"{'a' * 150}{number}.txt" for number in range(2)]  # by several threads
    with replacing(long[0]) as first, replacing(long[1]) as second, replacing(long[1]) as third:
        first.write_text("first")
        second.write_text("second")
        third.write_text("third")
    assert [path.read_text() for path in long] == ["first", "second"]
    wide = tmp_path / f"{'照' * 83}.txt"  # all the 255 bytes that a name may have, or nearly
    with replacing(wide) as partial:
        partial.write_text("wide")
    assert sorted(tmp_path.iterdir()) == sorted([*long, wide])
