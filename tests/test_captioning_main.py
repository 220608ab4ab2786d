"""The captioner with weights made here: its results, its stream and its command line."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioning import Captioner, SearchOptions
from captioning.__main__ import main
from keypoints_captions.photos.reader import PhotoError
from keypoints_captions.weights import WeightsError
from tests.caption_world import make_captioner, make_photos

pytestmark = pytest.mark.usefixtures("shallow_encoders")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_captioner(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def captioner(weights: Path) -> Captioner:
    return Captioner.load(weights, device="cpu", engine="torch")


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (90, 120, 3), np.uint8)


def test_captions_are_typed_and_best_first(captioner: Captioner) -> None:
    captions = captioner(photo(), beam_size=4, num_captions=3, length_penalty=0.0)
    assert len(captions) == 3 and len({caption.text for caption in captions}) == 3
    values = [caption.log_probability for caption in captions]
    assert values == sorted(values, reverse=True) and values[0] < 0
    for caption in captions:
        assert caption.text == " ".join(w.word for w in caption.words).replace(" 's", "'s")
        assert caption.sentence[0] == caption.text[0].upper() and caption.sentence.endswith(".")
        product = np.prod([word.probability for word in caption.words])
        assert np.exp(caption.log_probability) <= product * 1.0001  # the end takes its share
        for word in caption.words:
            assert word.attention is not None and word.attention.shape == (2, 2)
            assert word.attention.sum() == pytest.approx(1, abs=1e-4)
            others = [other.probability for other in word.alternatives]
            assert len(others) == 5 and others == sorted(others, reverse=True)
            assert word.word not in {other.word for other in word.alternatives}


def test_arrays_and_pil_images_give_the_same(captioner: Captioner) -> None:
    array = photo(1)
    assert captioner(array)[0].text == captioner(Image.fromarray(array))[0].text
    with pytest.raises(PhotoError):
        captioner(array.astype(np.float32))
    with pytest.raises(ValueError, match="beam_size"):
        captioner(array, beam_size=0)


@pytest.mark.parametrize("method", ["beam", "sample"])
def test_stream_ends_with_what_a_call_gives(captioner: Captioner, method: str) -> None:
    seen = captioner.look([photo(2)])
    options = SearchOptions(method=method, num_captions=2, seed=3, first_words=("a", "dog"))
    steps = list(captioner.stream(seen, options))
    assert len(steps) > 2 and all(not step.captions for step in steps[:-1])
    assert all(step.text.startswith("a dog") for step in steps)
    told = {w.word: w.probability for w in steps[-1].words[:2]}
    for step in steps:
        assert step.text == " ".join(word.word for word in step.words).replace(" 's", "'s")
        for word in step.words[:2]:
            assert word.probability == pytest.approx(told[word.word], rel=1e-3)
    (expected,) = captioner.caption(seen, options)
    assert [c.text for c in steps[-1].captions] == [c.text for c in expected]
    assert steps[-1].text == expected[0].text


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="captioning_encoder"):
        Captioner.load(tmp_path)


def test_folder_to_json_csv_and_text(
    weights: Path, captioner: Captioner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_photos(tmp_path)
    (tmp_path / "photos.json").unlink()
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    common = [str(tmp_path), "--weights", str(weights), "--num-captions", "2"]
    assert main(common) == 1
    told = capsys.readouterr()
    records = json.loads(told.out)
    assert len(records) == 9 and "broken.jpg" in told.err
    assert records[0]["file"].endswith("broken.jpg") and set(records[0]) == {"file", "error"}
    for record in records[1:]:
        assert set(record) == {"file", "captions"} and len(record["captions"]) == 2
        assert set(record["captions"][0]) == {"text", "log_probability", "words"}
        assert set(record["captions"][0]["words"][0]) == {"word", "probability", "confidence"}
    (alone,) = captioner.caption(
        captioner.look([np.array(Image.open(tmp_path / "photo3.png"))]),
        SearchOptions(num_captions=2),
    )
    assert [c["text"] for c in records[4]["captions"]] == [c.text for c in alone]

    output = tmp_path / "captions.csv"
    assert main([*common, "--format", "csv", "--output", str(output)]) == 1
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    assert len(rows) == 17 and rows[0]["error"] and rows[1]["rank"] == "1"
    assert rows[1]["text"] == records[1]["captions"][0]["text"]

    assert main([*common, "--format", "text", "--sidecars", str(tmp_path)]) == 1
    sidecars = [path.name for path in sorted(tmp_path.glob("*.txt"))]
    assert sidecars == [f"photo{number}.txt" for number in range(8)]
    best, other = (tmp_path / "photo0.txt").read_text().splitlines()
    assert best == rows[1]["text"] and other == rows[2]["text"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == [records[1]["file"], rows[1]["text"]] and len(lines) == 16


def test_wrong_usage_leaves_with_2(weights: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.txt"  # whose text would be called so, too
    photo.touch()
    for arguments in (
        [str(tmp_path)],
        [str(tmp_path / "a.jpg"), "--beam-size", "0"],
        [str(photo), "--sidecars", str(tmp_path)],
    ):
        with pytest.raises(SystemExit) as leaving:
            main([*arguments, "--weights", str(weights)])
        assert leaving.value.code == 2


def test_evaluation_prints_its_tables(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from train.captioning import metrics as caption_metrics
    from train.evaluate.__main__ import main as evaluate

    monkeypatch.setattr(caption_metrics, "java_found", lambda: False)
    annotations = Path(make_photos(tmp_path)).read_text()
    for name in ("coco_val", "flickr8k_val", "coco_train", "flickr8k_train"):
        (tmp_path / f"{name}.json").write_text(annotations)
    arguments = ["--data", str(tmp_path), "--model", f"tiny={weights}", "--beams", "1", "2"]
    arguments += ["--neighbour", "--skip-timing", "--sheet", str(tmp_path / "sheet.png")]
    monkeypatch.setattr(sys, "argv", ["evaluate", "captioning", *arguments])
    evaluate()
    told = capsys.readouterr().out
    assert told.count("| tiny | greedy |") == 4 and told.count("| nearest neighbour |") == 2
    assert "| coco_val | tiny | beam 2 |" in told
    assert "Tokenizer: simple." in told and (tmp_path / "sheet_coco_val.png").exists()


def test_library_imports_no_training_and_no_user_interface() -> None:
    code = "import sys, captioning.__main__; print([m for m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    for name in ("'train'", "'gradio'", "'facial_keypoints'", "'pycocotools'"):
        assert name not in done.stdout
