"""The chance that people would use a word: told by the library, fitted by its command."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from captioning import Captioner
from captioning.caption import Alternative, Caption, Word
from captioning.confidence import FEATURES, Confidence, word_features
from tests.caption_world import make_captioner, make_photos
from train.captioning.data import CaptionedPhoto
from train.captioning.words.calibration import (
    _drawn_as,
    check,
    cross_fitted,
    fit,
    main,
    stated_and_true,
)
from train.captioning.words.figures import calibration_error
from train.captioning.words.sure import Drawn
from train.captioning.words.synonyms import agree

pytestmark = pytest.mark.usefixtures("shallow_encoders")

WORDS = ["a", "dog", "cat", "red", "sits"]


def caption(*probabilities: float, text: str = "a dog sits") -> Caption:
    look = np.full((2, 2), 0.25, np.float32)
    rival = (Alternative("cow", 0.2),)
    words = zip(text.split(), probabilities, strict=True)
    return Caption(text, -1.0, tuple(Word(word, p, rival, look) for word, p in words))


def test_only_content_words_have_a_chance() -> None:
    told = Confidence(tuple(0.0 for _ in FEATURES), {"dog": 0.0, "sits": 5.0}).tell(
        caption(0.9, 0.8, 0.7)
    )
    chances = [word.confidence for word in told.words]
    assert chances == [None, 0.5, pytest.approx(0.9933, abs=1e-4)]
    assert told.confidence == pytest.approx((0.5 + 0.9933) / 2, abs=1e-4) and not told.is_guess
    assert told.to_dict()["words"][0] == {"word": "a", "probability": 0.9, "confidence": None}
    assert told.to_dict()["words"][1] == {"word": "dog", "probability": 0.8, "confidence": 0.5}


def test_without_words_that_are_known_nothing_is_told() -> None:
    told = Confidence(tuple(0.0 for _ in FEATURES), {}).tell(caption(0.9, 0.8, 0.7))
    assert told.confidence is None and not told.is_guess
    nothing = Caption("", -1.0, ())
    assert Confidence(tuple(0.0 for _ in FEATURES), {}).tell(nothing) == nothing


def test_features_are_finite_for_certain_words() -> None:
    rows = word_features(caption(1.0, 0.0, 0.5))
    assert rows.shape == (3, len(FEATURES)) and np.isfinite(rows).all()
    blind = Caption("dog", -1.0, (Word("dog", 0.5, (), None),))
    assert np.isfinite(word_features(blind)).all()


def test_a_fit_for_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="fitted for hunger; fit it again"):
        Confidence.from_dict({"weights": {"hunger": 1.0}})
    kept = Confidence(tuple(range(len(FEATURES))), {"dog": 0.5})
    assert Confidence.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept


def people(*captions: str) -> CaptionedPhoto:
    return CaptionedPhoto(Path("none.jpg"), captions, tuple(tuple(c.split()) for c in captions))


def test_synonyms_agree_and_wider_words_do_not() -> None:
    assert agree("couch", {"sofa"}) and agree("running", {"run"}) and agree("person", {"man"})
    assert not agree("man", {"person"}) and not agree("dog", {"anim"}) and not agree("dog", set())


def doubtful_world() -> tuple[list[CaptionedPhoto], list[list[Caption]]]:
    """The decoder says 0.97 of everything; dogs are there half the time, cats nine times in ten."""
    rng, photos, captions = random.Random(0), [], []
    for number in range(400):
        animal = "dog" if number % 2 else "cat"
        there = rng.random() < (0.5 if animal == "dog" else 0.9)
        photos.append(people(f"a {animal} sits" if there else "a cow sits"))
        captions.append([caption(0.97, 0.97, 0.97, text=f"a {animal} sits")])
    return photos, captions


def test_the_fit_brings_the_chances_to_what_people_say() -> None:
    photos, captions = doubtful_world()
    told = fit(check(photos, captions), WORDS).tell(captions[1][0])
    assert [word.confidence for word in told.words[1:]] == pytest.approx([0.5, 1.0], abs=0.07)
    model, stated, right = stated_and_true(photos, cross_fitted(photos, captions, WORDS))
    assert len(right) == 800 and calibration_error(stated, right) < 5
    assert calibration_error(model, right) > 10


def test_the_command_writes_what_the_captioner_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    weights = make_captioner(tmp_path / "weights")
    photos = make_photos(tmp_path)
    for name in ("coco_val", "flickr8k_val"):
        shutil.copy(photos, tmp_path / f"{name}.json")
    main(["--data", str(tmp_path), "--weights", str(weights)])
    table = capsys.readouterr().out
    assert "| coco_val | " in table and "| flickr8k_val | " in table
    (found,) = Captioner.load(weights)(np.full((48, 64, 3), 200, np.uint8))
    told = {word.word: word.confidence for word in found.words}
    assert any(chance is not None for chance in told.values())
    assert told.get("a") is None and all(c is None or 0 <= c <= 1 for c in told.values())


def test_captions_that_differ_in_an_article_alone_are_one() -> None:
    drawn = [
        Drawn([Word(w, 0.5, (), None) for w in text.split()])
        for text in ("a apple", "an apple", "a dog")
    ]
    told = [
        Caption(text, -1.0, tuple(Word(w, 0.5, (), None) for w in text.split()))
        for text in ("an apple", "a dog")
    ]
    each = iter(drawn)
    assert [_drawn_as(caption, each) for caption in told] == [drawn[0], drawn[2]]
