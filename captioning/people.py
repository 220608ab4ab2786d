"""Words for people: which of them say woman or man, and the word that leaves it open."""

_WOMEN = """
woman women girl girls lady ladies female females mother mom mum mothers moms daughter daughters
sister sisters bride brides bridesmaid bridesmaids grandmother grandma aunt wife cowgirl actress
waitress housewife ballerina ballerinas cheerleader cheerleaders
"""
_MEN = """
man men boy boys guy guys gentleman gentlemen male males father dad fathers dads son sons brother
brothers groom grandfather grandpa uncle husband cowboy cowboys actor businessman businessmen
fisherman fishermen fireman firemen policeman policemen workman workmen
"""
#: Nouns that say woman or girl, and nouns that say man or boy.
WOMEN = frozenset(_WOMEN.split())
MEN = frozenset(_MEN.split())

#: The word that says the same of anybody.
NEUTRAL = {
    "man": "person", "woman": "person", "men": "people", "women": "people",
    "boy": "child", "girl": "child", "boys": "children", "girls": "children",
    "guy": "person", "lady": "person", "guys": "people", "ladies": "people",
    "male": "person", "female": "person", "males": "people", "females": "people",
    "gentleman": "person", "gentlemen": "people",
    "his": "their", "her": "their", "him": "them", "he": "they", "she": "they",
    "himself": "themselves", "herself": "themselves",
}  # fmt: skip
