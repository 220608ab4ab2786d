"""What is measured of captions as people read them, on sentences whose figures are plain."""

from pathlib import Path

import numpy as np
import pytest

from train.captioning.data import CaptionedPhoto
from train.captioning.words.content import stem
from train.captioning.words.figures import (
    WORD_COLUMNS,
    Told,
    calibration_error,
    called,
    measure,
    people_figures,
    recall,
    repeated_nouns,
    word_cells,
)


def told(caption: str, chances: list[float] | None = None) -> Told:
    return Told(caption.split(), chances)


def photo(*captions: str) -> CaptionedPhoto:
    return CaptionedPhoto(Path("none.jpg"), captions, tuple(tuple(c.split()) for c in captions))


DOG = photo("a dog runs", "the dog is running", "a dog on grass", "dogs run", "an animal")
WOMAN = photo("a woman smiles", "a lady with a hat", "two women", "a person", "someone in a hat")


def test_words_are_compared_by_their_stems() -> None:
    figures = measure([DOG], [told("a running dog catches a frisbee")])
    assert figures.said == 100  # dog, run
    assert figures.unused == 50  # catches, frisbee
    assert figures.with_unused == 100 and figures.words == 5 and figures.length == 6


def test_shares_are_means_over_photos() -> None:
    captions = [told("a dog"), told("a cat in the snow")]
    figures = measure([DOG, DOG], captions)
    assert figures.said == pytest.approx(25) and figures.unused == pytest.approx(50)
    assert figures.distinct == 100 and measure([DOG, DOG], captions[:1] * 2).distinct == 50


def test_a_photo_on_which_people_do_not_agree_counts_for_no_share() -> None:
    assert measure([photo("a", "dog", "cat")], [told("cow")]).said is None


def test_each_caption_belongs_to_a_photo() -> None:
    with pytest.raises(ValueError, match="2 photos, but 1 captions"):
        measure([DOG, DOG], [told("dog")])


def test_women_called_men() -> None:
    assert called(WOMAN) == "women" and called(DOG) is None
    assert called(photo("a woman", "a girl", "a lady and a man")) is None
    men = photo("a man", "a boy", "a guy")
    captions = [told("a man smiles"), told("a person"), told("woman")]
    figures = measure([WOMAN, WOMAN, men], captions)
    assert (figures.women_called_men, figures.women) == (50, 2)
    assert (figures.men_called_women, figures.men) == (100, 1)
    assert measure([DOG], [told("man")]).women_called_men is None


def test_calibration_error_is_the_distance_of_the_stated_from_the_true_share() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert calibration_error([0.95] * 4, [True, True, False, False]) == pytest.approx(45)
    assert calibration_error([1.0, 0.0], [False, True]) == pytest.approx(100)
    caption = told("a dog sleeps", [1.0, 0.8, 0.6])  # of "a" nothing is asked
    assert measure([DOG], [caption]).calibration == pytest.approx(100 * (0.2 + 0.6) / 2)


def test_recall_counts_the_photos_ahead_and_a_draw_as_lost() -> None:
    likeness = np.zeros((8, 8))
    np.fill_diagonal(likeness, [1, 1, 0, 0, 0, 2, 2, 2])
    likeness[1, 2] = 2  # second of eight; the zeros are last of eight equal ones
    assert recall(likeness) == (50, 62.5)


def test_a_noun_said_twice_is_a_mistake_and_a_colour_is_none() -> None:
    sheep = told("two white sheep standing in front of a white sheep standing")
    assert repeated_nouns(sheep.words) == [stem("sheep")]
    assert repeated_nouns(told("a man in a red shirt and a red hat").words) == []


def test_people_are_measured_against_the_others() -> None:
    agreed = photo(*["a brown dog"] * 5)
    figures = people_figures([agreed])
    assert (figures.said, figures.unused, figures.words) == (100, 0, 3)
    alone = photo("a dog", "a cat", "a cow", "a pig", "a hen")
    assert people_figures([alone]).unused == 100


def test_retrieval_is_asked_for_the_captions_and_printed() -> None:
    def perfect(photos, captions) -> np.ndarray:
        return np.eye(len(captions))

    rows = [("ours", measure([DOG, WOMAN], [told("dog"), told("woman")], perfect))]
    assert rows[0][1].recall == (100, 100)
    assert word_cells(rows[0][1])[:2] == [2, 100] and (100, 100) in word_cells(rows[0][1])
    assert len(word_cells(rows[0][1])) == len(WORD_COLUMNS)
