"""Alt texts that carry their doubt and agree with the faces in the photo."""

import pytest

from captioning.alt_text import alt_text
from captioning.caption import Caption, Word


def caption(text: str, confidence: float | None = 0.9) -> Caption:
    words = text.replace("'s", " 's").split()
    return Caption(text, -1.0, tuple(Word(word, 0.5, (), None, confidence) for word in words))


def test_a_guess_says_so() -> None:
    assert alt_text(caption("a dog on a beach")) == "A dog on a beach."
    assert alt_text(caption("a dog on a beach", 0.2)) == "Probably: a dog on a beach."
    assert alt_text(caption("a dog on a beach", None)) == "A dog on a beach."
    assert alt_text(caption("")) == ""


@pytest.mark.parametrize(
    ("faces", "text"), [(0, "A man's hat."), (1, "A man's hat, 1 face."), (None, "A man's hat.")]
)
def test_faces_are_told(faces: int | None, text: str) -> None:
    assert alt_text(caption("a man's hat"), faces) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("a man is holding his phone", "two people are holding their phone"),
        ("a little girl wearing a red hat", "two people wearing a red hat"),
        ("a young woman watches tv", "two people watch tv"),
        ("a boy rides a wave", "two people ride a wave"),
        ("a dog is next to a man in a park", "a dog is next to two people in a park"),
        ("a man in a suit and his tie", "two people in a suit and their tie"),
    ],
)
def test_one_person_is_not_told_over_two_faces(said: str, text: str) -> None:
    assert alt_text(caption(said), 2) == f"Probably: {text}."


@pytest.mark.parametrize(
    "said", ["two men in suits", "a man and a woman", "a group of people", "a vase on a table"]
)
def test_what_agrees_with_the_faces_stays(said: str) -> None:
    assert alt_text(caption(said), 2) == f"{said.capitalize()}, 2 faces."


def test_many_faces_are_numbers() -> None:
    assert alt_text(caption("a man smiling"), 12) == "Probably: 12 people smiling."
