"""HTML of the captioning tab: attention, alternatives of each word, other captions, copy buttons.

`web.captions.words` explains the `data-` attributes.
"""

import math
from collections.abc import Iterator
from html import escape

import cv2
import numpy as np

from captioning.alt_text import alt_text
from captioning.caption import Alternative, Word
from web.captions.answer import Answer, SeenPhoto, can_follow
from web.captions.attention import heat_map, name_place
from web.captions.words import percent
from web.components import data_url

_HINT = (
    "Choose a word of the caption. The photo then shows where the model looked for it, and this "
    "list the alternatives. Choose an alternative to continue the caption with it."
)
#: Why a word was chosen that is not the likeliest one.
_CHOSEN = {
    "beam": "Another word was likelier here, but led to a caption less likely as a whole.",
    "sample": "Another word was likelier here, but this one was drawn.",
    "given": "It was given: the caption begins as asked.",
}
_RANKING = {
    "beam": "Ranked by log-probability, the number, divided by a power of the length (otherwise "
    "short captions would always win), and by how much the photo speaks for the words. Bars "
    "compare with the best.",
    "sample": "Ranked by log-probability, the number. Bars compare with the best.",
}


def photo_alone(photo: SeenPhoto) -> str:
    """The photo, while its captions are being found."""
    figure = f"<figure>{_picture(photo, photo.name)}</figure>"
    return f'<div class="why">{figure}<div class="reasons"></div></div>'


def shown(answer: Answer, chosen: int | None = None) -> str:
    """The photo with its attention, the words' alternatives, the other captions, copy buttons."""
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
    picture = _picture(answer.photo, alt_text(answer.captions[0]))
    return (
        f'<div class="why"><figure>{picture}{"".join(heats)}</figure>'
        f'<div class="reasons" aria-live="polite"><section data-why=""{hint}>'
        f"<h2>Why these words?</h2><p>{_HINT}</p></section>{''.join(reasons)}</div></div>"
        f"{_ranking(answer)}{_copies(answer)}"
    )


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
    """One word's panel: where the model looked, and the word among its alternatives."""
    looked = "" if word.attention is None else f"Looked at {name_place(word.attention)}. "
    rivals = sorted(
        [Alternative(word.word, word.probability), *word.alternatives],
        key=lambda other: -other.probability,
    )
    if how == "given" or rivals[0].word != word.word:
        looked += f"{_CHOSEN[how]} "
    if word.confidence is not None:
        looked += (
            f"The model’s own probability is {percent(word.probability)}; of words told so for "
            f"other photos, people agreed with {percent(word.confidence)}."
        )
    numbers = {other.word: next(begin) for other in word.alternatives if can_follow(other.word)}
    rows = "".join(_rival(other, numbers.get(other.word), word) for other in rivals)
    return (
        f'<section data-why="{key}"{hidden}><h2>Why “{escape(word.word)}”?</h2>'
        f'<p>{looked.strip()}</p><ol class="rivals">{rows}</ol></section>'
    )


def _rival(other: Alternative, number: int | None, word: Word) -> str:
    text = escape(other.word) if can_follow(other.word) else "the end"
    bar = f'<i class="bar" style="--value:{other.probability:.3f}"></i>'
    share = percent(other.probability)
    if other.word == word.word:
        return f'<li aria-current="true"><b>{text}</b>{bar}<span>{share}</span></li>'
    if number is None:
        return f"<li><em>{text}</em>{bar}<span>{share}</span></li>"
    return (
        f'<li><button type="button" class="as-link" data-begin="{number}" '
        f'title="Go on from “{text}” instead">{text}</button>{bar}<span>{share}</span></li>'
    )


def _ranking(answer: Answer) -> str:
    """All captions, best first, with bars; nothing where there is one."""
    if len(answer.captions) < 2:
        return ""
    scores = _log_shares(answer)
    rows = "".join(
        f'<li><button type="button" class="as-link" data-caption="{index}" '
        f'aria-pressed="{"false" if index else "true"}">{escape(caption.sentence)}</button>'
        f'<i class="bar" style="--value:{math.exp(score):.3f}"></i>'
        f'<span title="log-probability">−{-caption.log_probability:.2f}</span></li>'
        for index, (caption, score) in enumerate(zip(answer.captions, scores, strict=True))
    )
    return (
        f'<section class="ranking"><h2>All captions, best first</h2><ol>{rows}</ol>'
        f'<p class="footnote">{_RANKING[answer.options.method]}</p></section>'
    )


def _log_shares(answer: Answer) -> list[float]:
    """How far each caption's score lies below the best one's, in log-probabilities of a caption as
    long as that: 0 for the best."""
    best = answer.captions[0]
    by_length = answer.options.method == "beam"
    length = (len(best.words) + 1) ** answer.options.length_penalty if by_length else 1.0
    return [length * min(0.0, caption.score - best.score) for caption in answer.captions]


def _copies(answer: Answer) -> str:
    rows = []
    for index, caption in enumerate(answer.captions):
        text = alt_text(caption)
        snippet = f'<img src="{escape(answer.photo.name)}" alt="{escape(text)}">'
        hidden = " hidden" if index else ""
        rows.append(
            f'<div class="copies" data-told="{index}"{hidden}>'
            f'<button type="button" data-copy="{escape(text)}">Alt text</button>'
            f'<button type="button" data-copy="{escape(snippet)}">HTML with alt text</button>'
            f'<span class="unseen" role="status"></span><code>{escape(snippet)}</code></div>'
        )
    return "".join(rows)
