"""HTML of the captioning tab: the summary, and the captions word by word.

The page holds everything about every word at once; assets/page.js shows and hides it by these
attributes, without a request to the server:

data-word="0-3"     button of word 3 of caption 0
data-why="0-3"      belongs to that word; "" is shown while no word is chosen
data-caption="1"    button that shows caption 1
data-told="1"       belongs to that caption
data-copy="text"    button that copies this text
data-begin="17"     button that searches again, from this one of `Answer.beginnings`
"""

import time
from collections.abc import Iterable, Sequence
from html import escape

from captioning.alt_text import alt_text
from captioning.caption import Caption, Word
from captioning.vocabulary import join_words
from web.captions.answer import Answer

#: Words that fewer people would use are marked.
UNSURE = 0.4
_WORD_EVERY = 0.06  # seconds; words found faster than this fade in one after the other


class Pace:
    """Times at which the words of a caption appear: one after the other, however fast they were
    found."""

    def __init__(self) -> None:
        self._due: list[float] = []

    def delays(self, count: int) -> list[float]:
        """Seconds from now until each of the first `count` words; negative where it is visible."""
        now = time.monotonic()
        while len(self._due) < count:
            self._due.append(max(now, self._due[-1] + _WORD_EVERY) if self._due else now)
        return [due - now for due in self._due[:count]]


def summary(answer: Answer) -> str:
    """Number of captions and times; for screen readers the best caption too."""
    count = len(answer.captions)
    look, search = answer.photo.seconds * 1000, answer.seconds * 1000
    return (
        '<div class="summary" data-said>'
        f"<strong>{'1 caption' if count == 1 else f'{count} captions'}</strong> "
        f"<span>for <b>{escape(answer.photo.name)}</b>: {look:.0f} ms to look at it, "
        f"{search:.0f} ms to find the words</span>"
        f'<span class="unseen">: {escape(alt_text(answer.captions[0]))}</span></div>'
    )


def in_the_making(words: Sequence[Word], delays: Sequence[float]) -> str:
    """The best caption so far, during the search."""
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
    chosen: index of the word of the best caption that is explained from the start.
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
    guess = _guess(answer.captions)
    return f'<div class="told">{"".join(sections)}{guess}{begun}{_legend(all_words)}</div>'


def _guess(captions: Sequence[Caption]) -> str:
    """Says of each caption that is a guess that it is one, and offers the runner-up."""
    notes = []
    for index, caption in enumerate(captions):
        if not caption.is_guess or caption.confidence is None:
            continue
        hidden = " hidden" if index else ""
        other = 1 if index == 0 else 0
        instead = ""
        if other < len(captions):
            instead = (
                f' It also thought of: <button type="button" class="as-link" '
                f'data-caption="{other}">{escape(captions[other].sentence)}</button>'
            )
        notes.append(
            f'<p class="guess" data-told="{index}"{hidden}><strong>This is a guess.</strong> Of '
            f"its words, people would use about {_of_ten(caption.confidence)}.{instead}</p>"
        )
    return "".join(notes)


def _of_ten(share: float) -> str:
    return f"{round(10 * share)} in 10"


def _sentence(
    index: int, caption: Caption, delays: Sequence[float], chosen: int | None = None
) -> str:
    buttons = []
    for place, word in enumerate(caption.words):
        buttons.append(
            f'<button type="button" class="word{_marks(word)}"{_delayed(delays, place)} '
            f'data-word="{index}-{place}" aria-pressed="{"true" if place == chosen else "false"}" '
            f'aria-label="{escape(word.word)}{_sure(word)}">{_face(word, place)}</button>'
        )
    hidden = " hidden" if index else ""
    return (
        f'<p class="sentence" role="group" aria-label="Caption, word by word" '
        f'data-told="{index}"{hidden}>{"".join(buttons)}</p>'
    )


def _delayed(delays: Sequence[float], place: int) -> str:
    return f' style="--delay:{delays[place]:.3f}s"' if place < len(delays) else ""


def _face(word: Word, place: int) -> str:
    """The word over the chance that people would use it, as a bar and in numbers; words such as
    "with" and words of a search that goes on have none."""
    text = word.word[:1].upper() + word.word[1:] if place == 0 else word.word
    if word.confidence is None:
        return f"<span>{escape(text)}</span>"
    return (
        f'<span>{escape(text)}</span><i class="bar" style="--value:{word.confidence:.3f}"></i>'
        f"<small>{percent(word.confidence)}</small>"
    )


def _sure(word: Word) -> str:
    if word.confidence is None:
        return ""
    return f", {percent(word.confidence)} sure" + (", a guess" if _unsure(word) else "")


def _marks(word: Word) -> str:
    joined = " joined" if word.word.startswith("'") else ""
    return f"{joined} unsure" if _unsure(word) else joined


def _unsure(word: Word) -> bool:
    return word.confidence is not None and word.confidence < UNSURE


def _legend(words: Iterable[Word]) -> str:
    words = list(words)
    if all(word.confidence is None for word in words):
        return ""
    text = "Below a word: the chance that one of five people would use it for this photo, or a "
    text += "word that says the same."
    if any(map(_unsure, words)):
        text += f" <u>Dashed</u>: a guess, under {UNSURE:.0%}."
    return f'<p class="footnote">{text}</p>'


def percent(probability: float) -> str:
    """In whole percent, as HTML."""
    return f"{probability:.0%}" if probability >= 0.01 else "&lt;1%"
