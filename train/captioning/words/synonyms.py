"""Words that say the same: a person who says one of them would agree with the other."""

from collections.abc import Iterable

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


class Synonyms:
    """Whether people who said these words agree with another word."""

    def __init__(self) -> None:
        groups = [frozenset(map(stem, line.split())) for line in _GROUPS.strip().splitlines()]
        self._same: dict[str, set[str]] = {}
        for group in groups:
            for word in group:
                self._same.setdefault(word, set()).update(group)
        # Who says "man" agrees with "person", but not the other way round.
        for word, neutral in NEUTRAL.items():
            self._same.setdefault(stem(neutral), set()).add(stem(word))

    def agree(self, word: str, stems: Iterable[str]) -> bool:
        """Whether one of the people, whose words have these stems, said the word or a synonym."""
        own = stem(word)
        return not {own, *self._same.get(own, ())}.isdisjoint(stems)
