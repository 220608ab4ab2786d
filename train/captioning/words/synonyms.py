"""Synonyms: words that count as the same when captions are compared."""

from collections.abc import Collection
from functools import cache

from captioning.people import NEUTRAL
from train.captioning.words.content import stem

# One line each. No word of wider meaning: a dog is an animal, but "dog" is more than that.
_GROUPS = """
man guy gentleman male
woman lady female
men guys gentlemen males
women ladies females
child kid youngster toddler
children kids youngsters toddlers
baby infant
boy lad
couch sofa loveseat
bike bicycle
motorcycle motorbike
photo picture photograph
picture photo image
tv television
plane airplane aeroplane jet aircraft
phone cellphone telephone
street road roadway
sidewalk pavement
ocean sea
beach shore seaside
hill hillside
mountain mountainside
forest woods
field meadow
grass lawn grassy
snow snowy
big large huge
little small tiny
young little
grey gray
puppy dog
pup puppy dog
kitten cat
pony horse
automobile car
cart wagon
taxi cab
ship boat
sailboat boat
jacket coat
cap hat
cellphone phone
laptop computer
stove oven
fridge refrigerator
rock boulder stone
rocks boulders stones
crowd audience spectators
run jog sprint
jump leap
walk stroll
sit seat
hold carry
watch look
catch grab
"""


def agree(word: str, stems: Collection[str]) -> bool:
    """Whether one of the people, whose words have these stems, said the word or a synonym."""
    own = stem(word)
    return not {own, *_same().get(own, ())}.isdisjoint(stems)


@cache
def _same() -> dict[str, set[str]]:
    """Stem -> the stems of words whose speakers would agree with it."""
    same: dict[str, set[str]] = {}
    for line in _GROUPS.strip().splitlines():
        group = set(map(stem, line.split()))
        for word in group:
            same.setdefault(word, set()).update(group)
    # Who says "man" agrees with "person", but not the other way round.
    for word, neutral in NEUTRAL.items():
        same.setdefault(stem(neutral), set()).add(stem(word))
    return same
