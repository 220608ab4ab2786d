"""The HTML of the captioning tab: the caption word by word, why each word, the other captions.

Everything about every word is in the page at once; assets/page.js shows and hides it by these
attributes, so that stepping through a caption asks the server nothing:

data-word="0-3"     button of word 3 of caption 0
data-why="0-3"      belongs to that word; "" is shown while no word is chosen
data-caption="1"    button that shows caption 1
data-told="1"       belongs to that caption
data-copy="text"    button that copies this text
data-begin="17"     button that searches again, from this one of `Answer.beginnings`
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import cv2
import numpy as np

from captioning.answer import Answer, SeenPhoto, can_follow
from captioning.attention import heat_map, name_place
from captioning.caption import Alternative, Caption, Word
from captioning.options import SearchOptions
from captioning.vocabulary import join_words
from common.ui import data_url

#: Words below this probability are marked.
UNSURE = 0.3
_WORD_EVERY = 0.06  # seconds; words found faster than this fade in one after the other

_HINT = (
    "Choose a word of the caption. The photo shows where the model looked for it, and here stand "
    "the words that it weighed against it; with one of those the caption can go on differently."
)
#: Why a word stands there that is not the likeliest one.
_CHOSEN = {
    "beam": "Another word was likelier here, but led to a caption less likely as a whole.",
    "sample": "Another word was likelier here, but this one was drawn.",
    "given": "It was given: the caption begins as asked.",
}
_RANKING = {
    "beam": "Ranked by log-probability, the number, divided by a power of the length: otherwise "
    "short captions would always win. Bars compare with the best.",
    "sample": "Ranked by log-probability, the number. Bars compare with the best.",
}


class Pace:
    """When each word of a caption in the making is to be seen: one after the other, however fast
    they were found."""

    def __init__(self) -> None:
        self._due: list[float] = []

    def delays(self, count: int) -> list[float]:
        """Seconds from now until each of the first `count` words; negative where it is seen."""
        now = time.monotonic()
        while len(self._due) < count:
            self._due.append(max(now, self._due[-1] + _WORD_EVERY) if self._due else now)
        return [due - now for due in self._due[:count]]


def summary(answer: Answer) -> str:
    """How many captions, how fast; for screen readers the best one too."""
    count = len(answer.captions)
    look, search = answer.photo.seconds * 1000, answer.seconds * 1000
    return (
        '<div class="summary" role="status">'
        f"<strong>{'1 caption' if count == 1 else f'{count} captions'}</strong> "
        f"<span>for <b>{escape(answer.photo.name)}</b>: {look:.0f} ms to look at it, "
        f"{search:.0f} ms to find the words</span>"
        f'<span class="unseen">: {escape(answer.captions[0].sentence)}</span></div>'
    )


def in_the_making(words: Sequence[Word], delays: Sequence[float]) -> str:
    """The best caption so far, while the search goes on."""
    spans = (
        f'<span class="word{_marks(word)}"{_delayed(delays, place)}>{_face(word, place)}</span>'
        for place, word in enumerate(words)
    )
    return (
        f'<div class="told"><p class="sentence" aria-busy="true">{"".join(spans)}</p>'
        f"{_legend(words)}</div>"
    )


def told(answer: Answer, delays: Sequence[float] = (), chosen: int | None = None) -> str:
    """The captions word by word, the best one in view.

    delays: of the words of the best caption, seconds, from `Pace`.
    chosen: the word of the best caption that is explained from the start.
    """
    sections = (
        _sentence(index, caption, delays if index == 0 else (), chosen if index == 0 else None)
        for index, caption in enumerate(answer.captions)
    )
    all_words = [word for caption in answer.captions for word in caption.words]
    begun = ""
    if answer.options.first_words:
        words = escape(join_words(answer.options.first_words))
        begun = (
            f'<p class="begun">Begins with “{words}”, as asked. '
            '<button type="button" class="as-link" data-begin="0">Start over</button></p>'
        )
    return f'<div class="told">{"".join(sections)}{begun}{_legend(all_words)}</div>'


def photo_alone(photo: SeenPhoto) -> str:
    """The photo, while its captions are being found."""
    figure = f"<figure>{_picture(photo, photo.name)}</figure>"
    return f'<div class="why">{figure}<div class="reasons"></div></div>'


def shown(answer: Answer, chosen: int | None = None) -> str:
    """The photo with where the model looked, the words' rivals, the other captions, copying."""
    heats, reasons = [], []
    begin = iter(range(1, len(answer.beginnings())))
    for index, caption in enumerate(answer.captions):
        for place, word in enumerate(caption.words):
            key = f"{index}-{place}"
            hidden = "" if index == 0 and place == chosen else " hidden"
            heats.append(_heat(key, word, hidden))
            given = place < len(answer.options.first_words)
            how = "given" if given else answer.options.method
            reasons.append(_reasons(key, word, hidden, begin, how))
    hint = "" if chosen is None else " hidden"
    picture = _picture(answer.photo, answer.captions[0].sentence)
    return (
        f'<div class="why"><figure>{picture}{"".join(heats)}</figure>'
        f'<div class="reasons" aria-live="polite"><section data-why=""{hint}>'
        f"<h3>Why these words?</h3><p>{_HINT}</p></section>{''.join(reasons)}</div></div>"
        f"{_ranking(answer)}{_copies(answer)}"
    )


def _sentence(
    index: int, caption: Caption, delays: Sequence[float], chosen: int | None = None
) -> str:
    buttons = []
    for place, word in enumerate(caption.words):
        sure = f"{_percent(word.probability)} sure" + (", a guess" if _unsure(word) else "")
        buttons.append(
            f'<button type="button" class="word{_marks(word)}"{_delayed(delays, place)} '
            f'data-word="{index}-{place}" aria-pressed="{"true" if place == chosen else "false"}" '
            f'aria-label="{escape(word.word)}, {sure}">{_face(word, place)}</button>'
        )
    hidden = " hidden" if index else ""
    return (
        f'<p class="sentence" role="group" aria-label="Caption, word by word" '
        f'data-told="{index}"{hidden}>{"".join(buttons)}</p>'
    )


def _delayed(delays: Sequence[float], place: int) -> str:
    return f' style="--delay:{delays[place]:.3f}s"' if place < len(delays) else ""


def _face(word: Word, place: int) -> str:
    """The word over its probability, as a bar and in numbers."""
    text = word.word[:1].upper() + word.word[1:] if place == 0 else word.word
    return (
        f'<span>{escape(text)}</span><i class="bar" style="--value:{word.probability:.3f}"></i>'
        f"<small>{_percent(word.probability)}</small>"
    )


def _marks(word: Word) -> str:
    joined = " joined" if word.word.startswith("'") else ""
    return f"{joined} unsure" if _unsure(word) else joined


def _unsure(word: Word) -> bool:
    return word.probability < UNSURE


def _legend(words: Iterable[Word]) -> str:
    text = "Below each word: how sure the model was of it."
    if any(map(_unsure, words)):
        text += f" <u>Dashed</u>: a guess, under {UNSURE:.0%}."
    return f'<p class="footnote">{text}</p>'


def _picture(photo: SeenPhoto, text: str) -> str:
    url = data_url(photo.preview, "image/jpeg")
    return f'<img class="photo" src="{url}" alt="{escape(text)}">'


def _heat(key: str, word: Word, hidden: str) -> str:
    if word.attention is None:
        return ""
    text = f"Where the model looked for “{word.word}”: {name_place(word.attention)}"
    return (
        f'<img class="heat" data-why="{key}" src="{_webp(heat_map(word.attention))}" '
        f'alt="{escape(text)}"{hidden}>'
    )


def _webp(image: np.ndarray) -> str:
    """(H, W, 4) uint8 RGBA as a `data:` URL, a fifth of a PNG's size."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA)
    data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()
    return data_url(data, "image/webp")


def _reasons(key: str, word: Word, hidden: str, begin: Iterator[int], how: str) -> str:
    """One word's panel: where it looked, and the word among those it weighed."""
    looked = "" if word.attention is None else f"Looked at {name_place(word.attention)}. "
    rivals = sorted(
        [Alternative(word.word, word.probability), *word.alternatives],
        key=lambda other: -other.probability,
    )
    if how == "given" or rivals[0].word != word.word:
        looked += _CHOSEN[how]
    numbers = {other.word: next(begin) for other in word.alternatives if can_follow(other.word)}
    rows = "".join(_rival(other, numbers.get(other.word), word) for other in rivals)
    return (
        f'<section data-why="{key}"{hidden}><h3>Why “{escape(word.word)}”?</h3><p>{looked}</p>'
        f'<ol class="rivals">{rows}</ol></section>'
    )


def _rival(other: Alternative, number: int | None, word: Word) -> str:
    text = escape(other.word) if can_follow(other.word) else "the end"
    bar = f'<i class="bar" style="--value:{other.probability:.3f}"></i>'
    percent = _percent(other.probability)
    if other.word == word.word:
        return f'<li aria-current="true"><b>{text}</b>{bar}<span>{percent}</span></li>'
    if number is None:
        return f"<li><em>{text}</em>{bar}<span>{percent}</span></li>"
    return (
        f'<li><button type="button" class="as-link" data-begin="{number}" '
        f'title="Go on from “{text}” instead">{text}</button>{bar}<span>{percent}</span></li>'
    )


def _percent(probability: float) -> str:
    return f"{probability:.0%}" if probability >= 0.01 else "&lt;1%"


def _ranking(answer: Answer) -> str:
    """All captions, best first, with bars; nothing where there is one."""
    if len(answer.captions) < 2:
        return ""
    scores = [_score(caption, answer.options) for caption in answer.captions]
    rows = "".join(
        f'<li><button type="button" class="as-link" data-caption="{index}" '
        f'aria-pressed="{"false" if index else "true"}">{escape(caption.sentence)}</button>'
        f'<i class="bar" style="--value:{math.exp(min(0.0, score - scores[0])):.3f}"></i>'
        f'<span title="log-probability">−{-caption.log_probability:.2f}</span></li>'
        for index, (caption, score) in enumerate(zip(answer.captions, scores, strict=True))
    )
    return (
        f'<section class="ranking"><h3>All captions, best first</h3><ol>{rows}</ol>'
        f'<p class="footnote">{_RANKING[answer.options.method]}</p></section>'
    )


def _score(caption: Caption, options: SearchOptions) -> float:
    """What the search ranked the caption by; with its end, it is one word longer."""
    if options.method == "sample":
        return caption.log_probability
    return caption.log_probability / (len(caption.words) + 1) ** options.length_penalty


def _copies(answer: Answer) -> str:
    rows = []
    for index, caption in enumerate(answer.captions):
        snippet = f'<img src="{escape(answer.photo.name)}" alt="{escape(caption.sentence)}">'
        hidden = " hidden" if index else ""
        rows.append(
            f'<div class="copies" data-told="{index}"{hidden}>'
            f'<button type="button" data-copy="{escape(caption.sentence)}">Caption</button>'
            f'<button type="button" data-copy="{escape(snippet)}">HTML with alt text</button>'
            f'<span class="unseen" role="status"></span><code>{escape(snippet)}</code></div>'
        )
    return "".join(rows)
