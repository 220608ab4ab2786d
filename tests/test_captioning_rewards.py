"""What sampled captions are paid for, and the collages that captions without photos are read by."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from captioning.vocabulary import END, Vocabulary
from train.captioning.data import CaptionedPhoto, captioned
from train.captioning.features import Features
from train.captioning.rewards import (
    CaptionReward,
    PhotoRewards,
    RewardWeights,
    nearest,
    neutralised,
)
from train.captioning.text import Collages, load_text

NOBODY = np.zeros((4, 0), np.int64)


def photo(*captions: str) -> CaptionedPhoto:
    return captioned(Path(captions[0]), captions)


PHOTOS = [
    photo("a woman in a red hat sits", "a woman sits on a bench", "a lady with a red hat"),
    photo("a man in a suit sits", "a man sits on a chair", "a man with a tie"),
    photo("a dog runs", "a brown dog on grass"),
    photo("a plate of food", "food on a table"),
]


def reward(text: str, weights: RewardWeights, neighbours: np.ndarray = NOBODY) -> float:
    return CaptionReward(PHOTOS, weights, neighbours)(0, [[*text.split(), "<end>"]])[0]


def test_other_processes_give_the_same_rewards() -> None:
    vocabulary = Vocabulary.build({"a": 9, "man": 4, "woman": 3, "sits": 3, "hat": 1})
    rewards = [(CaptionReward(PHOTOS, RewardWeights(words=0.5), NOBODY), n) for n in range(4)]
    spoken = [*vocabulary.encode(["a", "woman", "sits"]), END]
    captions = [[spoken, spoken[:2]], [spoken, vocabulary.encode(["hat"])]]
    here = PhotoRewards(vocabulary, rewards)([0, 2], captions)
    assert here == PhotoRewards(vocabulary, rewards, workers=2)([0, 2], captions)
    assert here[0][0] > here[0][1] > here[1][1]  # ended, and of a woman who sits


def test_the_contrast_takes_away_what_similar_photos_say_too() -> None:
    neighbours = np.array([[1], [0], [3], [2]])
    special, common = "a woman with a red hat", "a woman sits on a chair"
    plain = RewardWeights()
    lost = [
        reward(text, plain) - reward(text, RewardWeights(contrast=0.5), neighbours)
        for text in (special, common)
    ]
    assert 0 <= lost[0] < lost[1]


def test_agreed_words_pay_and_unused_ones_cost() -> None:
    words = RewardWeights(words=1.0)

    def part(text: str) -> float:
        return reward(text, words) - reward(text, RewardWeights())

    assert part("woman sits red hat") == pytest.approx(1)  # all that two of three use
    assert part("woman sits") == pytest.approx(0.5)
    assert part("woman sits on a motorcycle") == pytest.approx(0.5 - 1 / 3)
    assert part("motorcycle") == pytest.approx(-1)


def test_phrases_of_people_pay_by_bleu() -> None:
    def part(text: str) -> float:
        return reward(text, RewardWeights(bleu=2.0)) - reward(text, RewardWeights())

    assert part("a woman in a red hat sits") == pytest.approx(2)  # word for word
    assert 0.3 < part("a woman with a red hat sits on a bench") < 2
    assert part("red a on hat woman") < part("a woman on a red hat")  # the same words, in order
    assert part("") == 0


def test_the_wrong_sex_costs_and_a_neutral_word_does_not() -> None:
    plain, weights = RewardWeights(), RewardWeights(gender=0.5)
    assert reward("a man sits", weights) == pytest.approx(reward("a man sits", plain) - 0.5)
    assert reward("a woman sits", weights) == pytest.approx(reward("a woman sits", plain))
    assert reward("a person sits", weights) > reward("a person sits", plain)
    assert neutralised(["a", "boy", "and", "ladies"]) == ["a", "child", "and", "people"]


def test_nearest_rows_by_cosine() -> None:
    rows = np.array([[1, 0], [10, 1], [0, 1], [1, 9]], np.float32)
    assert nearest(rows, 1).tolist() == [[1], [0], [3], [2]]


def make_features(folder: Path, photos: list[CaptionedPhoto]) -> Features:
    """Grids of four places: at place 0 of a photo with a dog feature 0 is high, and so on."""
    grids = np.zeros((len(photos), 4, 6), np.float16)
    for row, shown in enumerate(photos):
        for feature, word in enumerate(("dog", "cat", "hat")):
            if word in shown.words[0]:
                grids[row, feature, feature] = 1
    np.save(folder / "grids.npy", grids)
    files = [str(shown.path) for shown in photos]
    (folder / "index.json").write_text(json.dumps({"files": files}))
    return Features(folder, 1)


def test_collages_show_the_words_of_the_text(tmp_path: Path) -> None:
    kinds = ("dog", "cat", "dog hat", "cat hat", "bird")
    photos = [photo(f"{kind} {n}") for kind in kinds for n in range(6)]
    texts = [photo("a dog with a hat"), photo("the zebra")]
    collages = Collages(make_features(tmp_path, photos), photos, texts)
    drawn = collages.draw([0, 0, 0, 1], random.Random(0)).float()
    assert drawn.shape == (4, 4, 6)
    assert (drawn[:3].amax(1)[:, [0, 2]] == 1).all()  # a dog and a hat are to be seen


def test_text_is_read_plain_and_gzipped(tmp_path: Path) -> None:
    texts = {"12": ["A dog.", "!"], "13": ["?"]}
    (tmp_path / "a.json").write_text(json.dumps(texts))
    with gzip.open(tmp_path / "a.json.gz", "wt") as file:
        json.dump(texts, file)
    for name in ("a.json", "a.json.gz"):
        (found,) = load_text(str(tmp_path / name))
        assert found.words == (("a", "dog"),)
    with pytest.raises(FileNotFoundError, match="no such file of captions"):
        load_text(str(tmp_path / "b.json"))
