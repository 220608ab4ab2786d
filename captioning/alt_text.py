"""Alt texts: a caption with its doubt, in agreement with the faces found in the photo."""

from captioning.caption import Caption
from captioning.vocabulary import join_words, tokenize

_ONE_PERSON = """
man woman boy girl person child kid guy lady baby gentleman male female player rider skier surfer
snowboarder skateboarder cyclist biker toddler
"""
_SEVERAL_PEOPLE = """
men women boys girls people children kids guys ladies babies players riders skiers surfers friends
family team crowd group couple audience
"""
_ONE, _SEVERAL = frozenset(_ONE_PERSON.split()), frozenset(_SEVERAL_PEOPLE.split())
_ARTICLES = ("a", "an", "one", "the")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PLURAL = {"is": "are", "was": "were", "has": "have", "does": "do", "his": "their", "her": "their"}
_PLURAL |= {"himself": "themselves", "herself": "themselves", "he": "they", "she": "they"}
_NO_VERBS = ("in", "on", "at", "with", "across", "is", "was", "has", "does", "'s", "as")


def alt_text(caption: Caption, faces: int | None = None) -> str:
    """An alt text in one sentence.

    A guess begins with "Probably:". faces: how many were found in the photo, where somebody looked:
    they are told, and where they are more than the one person of whom the caption speaks, it is
    told of so many people and counts as a guess.
    """
    words = tokenize(caption.text)
    place = _only_person(words)
    several = faces is not None and faces > 1 and place is not None
    if several and place is not None and faces is not None:
        words = _of_several(words, *place, faces)
    told = join_words(words) if several else caption.text
    if faces and not several:
        told += f", {faces} face{'' if faces == 1 else 's'}"
    if not told:
        return ""
    return f"Probably: {told}." if caption.is_guess or several else f"{told[0].upper()}{told[1:]}."


def _only_person(words: list[str]) -> tuple[int, int] | None:
    """From the article to after the noun of the one person of whom the words speak; None where
    they speak of nobody or of several."""
    people = [place for place, word in enumerate(words) if word in _ONE or word in _SEVERAL]
    if len(people) != 1 or words[people[0]] not in _ONE:
        return None
    for start in range(people[0] - 1, max(-1, people[0] - 4), -1):
        if words[start] in _ARTICLES:
            return start, people[0] + 1
    return None


def _of_several(words: list[str], start: int, end: int, count: int) -> list[str]:
    """The words with people in the place of one person, and what agrees with it."""
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    rest = [_PLURAL.get(word, word) if start == 0 else word for word in words[end:]]
    verb = words[end] if end < len(words) else ""
    if start == 0 and verb.endswith("s") and verb not in _NO_VERBS and not verb.endswith("ss"):
        rest[0] = verb[:-2] if verb.endswith(("ches", "shes")) else verb[:-1]
    return [*words[:start], number, "people", *rest]
