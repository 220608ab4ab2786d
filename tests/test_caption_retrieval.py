"""The retrieval model of the evaluation: it learns which caption belongs to which photo."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from captioning.vocabulary import SPECIAL_WORDS, Vocabulary
from tests.caption_world import make_world
from train.captioning.data import CaptionedPhoto, load_set
from train.captioning.features import Features
from train.captioning.words.figures import recall
from train.captioning.words.retrieval import CaptionRetrieval, PooledFeatures, bag, main

pytestmark = pytest.mark.usefixtures("shallow_encoders")


def test_bags_leave_out_what_is_not_known() -> None:
    vocabulary = Vocabulary([*SPECIAL_WORDS, "a", "dog"])
    assert bag([["a", "dog"], ["cat"], []], vocabulary).tolist() == [[4, 5], [0, 0], [0, 0]]


def test_it_learns_eight_photos_and_comes_back_from_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    world, folder = make_world(tmp_path), tmp_path / "retrieval"
    for name in ("coco_train", "flickr8k_train", "coco_val", "flickr8k_val"):
        shutil.copy(world.annotations, tmp_path / f"{name}.json")
    arguments = [
        "--data",
        str(tmp_path),
        "--encoder-weights",
        world.resnet,
        "--output",
        str(folder),
    ]
    arguments += ["--epochs", "60", "--batch", "16", "--members", "1", "--space", "64"]
    main([*arguments, "--min-count", "1", "--dropout", "0"])
    assert capsys.readouterr().out.count('"recall at 5": 100.0') == 2
    photos = load_set(world.annotations)
    retrieval = CaptionRetrieval.load(folder)
    captions = [photo.words[1] for photo in photos]
    likeness = retrieval(photos, captions)
    assert likeness.shape == (8, 8) and recall(likeness)[0] >= 75
    shuffled = np.roll(np.arange(8), 3)
    moved = retrieval([photos[n] for n in shuffled], captions)
    np.testing.assert_allclose(moved, likeness[:, shuffled], atol=1e-5)


def test_grids_that_a_training_has_cached_are_pooled_once(tmp_path: Path) -> None:
    cache = tmp_path / "abc123"
    cache.mkdir()
    np.save(cache / "grids.npy", np.random.default_rng(0).random((3, 4, 2048)).astype(np.float16))
    (cache / "index.json").write_text(json.dumps({"files": ["a.png", "b.png", "a.png#1"]}))
    a, c = (CaptionedPhoto(Path(name), (), ()) for name in ("a.png", "c.png"))
    folder = tmp_path / "retrieval"
    features = PooledFeatures(folder, None, kind="abc123")
    features.take(Features(cache, views=2))
    assert features.knows([a]) and not features.knows([c])
    assert PooledFeatures(folder, None).knows([a])
    assert not PooledFeatures(folder, None, kind="of another encoder").knows([a])
    np.testing.assert_array_equal(features([a]), PooledFeatures(folder, None)([a]))


def test_features_outlive_an_interruption_of_their_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(file: Any, **arrays: Any) -> None:
        Path(file.name if hasattr(file, "write") else file).write_bytes(b"PK")
        raise KeyboardInterrupt

    features = PooledFeatures(tmp_path, None, kind="abc123")
    features._add(["a.png"], torch.ones(1, 4, 2048))
    features._keep()
    monkeypatch.setattr(np, "savez", stopped)
    with pytest.raises(KeyboardInterrupt):
        features._keep()
    assert PooledFeatures(tmp_path, None).knows([CaptionedPhoto(Path("a.png"), (), ())])
