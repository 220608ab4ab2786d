"""The article before each word, as it is spoken."""

import pytest

from captioning.caption import Word, with_articles


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a elephant in a field", "an elephant in a field"),
        ("an man with a umbrella", "a man with an umbrella"),
        ("an unicycle and a hour", "a unicycle and an hour"),
        ("a one way sign", "a one way sign"),
        ("standing on a", "standing on a"),
    ],
)
def test_articles_follow_the_next_word(said: str, told: str) -> None:
    words = [Word(word, 0.5, (), None) for word in said.split()]
    assert " ".join(word.word for word in with_articles(words)) == told


def test_given_words_stay() -> None:
    words = [Word(word, 0.5, (), None) for word in ["a", "elephant", "and", "a", "apple"]]
    told = [word.word for word in with_articles(words, given=2)]
    assert told == ["a", "elephant", "and", "an", "apple"]
