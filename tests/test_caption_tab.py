"""The captioning tab with weights made here: its handlers, its HTML and its endpoint."""

import base64
import json
import math
import re
from collections.abc import Callable, Iterator
from html import unescape as html_unescape
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from captioning.__main__ import main
from captioning.caption import Alternative, Caption, Word
from captioning.captioner import Captioner
from captioning.options import SearchOptions
from tests.caption_world import make_captioner
from train.benchmark.running_app import free_port
from web.captions.answer import Answer, answer_photo, see_photo
from web.captions.attention import heat_map, name_place
from web.captions.downloads import json_file
from web.captions.model import load
from web.captions.search_form import search_options
from web.captions.tab import build_tab
from web.captions.why import _log_shares, shown
from web.captions.words import Pace, in_the_making, summary, told
from web.components import Upload
from web.models import Background

#: As the fold opens: method, beam size, temperature, top-p, captions, words at least and at most,
#: first words.
CHOICES = ("beam", 3, 1.0, 0.9, 3, 4, 20, "")
ANSWER, STATUS, WORDS, VIEW, DOWNLOADS, CARRY, FIRST_WORDS = range(7)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_captioner(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def captioner(weights: Path) -> Captioner:
    return Captioner.load(weights)


@pytest.fixture(scope="module")
def page(weights: Path) -> gr.Blocks:
    with gr.Blocks() as page:
        build_tab(page, Background(lambda: load(weights)))
    return page


@pytest.fixture(scope="module")
def address(page: gr.Blocks) -> Iterator[str]:
    page.queue()
    launched = page.launch(
        server_port=free_port(), prevent_thread_lock=True, quiet=True, ssr_mode=False
    )
    yield launched[1]
    page.close()


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


@pytest.fixture
def answer(captioner: Captioner, examples: Path) -> Answer:
    return answered(captioner, examples / "cat.jpg", SearchOptions(num_captions=3))


def answered(
    captioner: Captioner, photo: Path, options: SearchOptions, name: str | None = None
) -> Answer:
    seen = see_photo(captioner, photo, name or photo.name)
    *_, answer = answer_photo(captioner, seen, options)
    assert isinstance(answer, Answer)
    return answer


def photo_of(answer: Answer) -> Upload:
    """What the tab's photo is while it shows this answer."""
    return Upload(answer.photo.path, answer.photo.name)


def handler(page: gr.Blocks, name: str) -> Callable[..., Any]:
    (found,) = {function.fn for function in page.fns.values() if function.name == name}
    assert found is not None
    return found


def is_skip(update: Any) -> bool:
    return update == gr.skip()


def asked(**address: str) -> gr.Request:
    """The page, opened by a link with these settings."""
    return gr.Request(query_params=address)


def click(data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def word(
    text: str, probability: float, *others: Alternative, confidence: float | None = None
) -> Word:
    return Word(text, probability, others, np.full((2, 2), 0.25, np.float32), confidence)


def an_answer(answer: Answer, *captions: Caption) -> Answer:
    """These captions for the answer's photo."""
    return Answer(answer.photo, SearchOptions(), captions, 0.01)


# The handlers


def test_opens_with_an_example_answered(page: gr.Blocks) -> None:
    results = handler(page, "on_open")(asked())
    assert results[ANSWER].photo.name == "flower.jpg" and len(results[ANSWER].captions) == 3
    assert "flower.jpg" in results[STATUS] and "data-word" in results[WORDS]


def test_what_was_chosen_while_the_model_was_loading_stays(page: gr.Blocks) -> None:
    opened = page.fns[next(n for n, function in page.fns.items() if function.name == "on_open")]
    assert "first-words" not in [component.elem_id for component in opened.outputs]
    results = handler(page, "on_open")(asked(beam="1"))
    assert [number for number, result in enumerate(results) if not is_skip(result)] == [
        ANSWER, STATUS, WORDS, VIEW, DOWNLOADS, CARRY, CARRY + 2
    ]  # fmt: skip
    assert results[CARRY + 2] == 1
    *_, last = handler(page, "on_opened")(results[ANSWER], None, *CHOICES[:-1], "a dog")
    assert last[ANSWER].options.first_words == ("a", "dog")


def test_opened_by_a_link_it_searches_again(page: gr.Blocks) -> None:
    opened = handler(page, "on_open")(asked(beam="1", captions="1", max_words="many"))
    answer, updates = opened[ANSWER], opened[FIRST_WORDS:]
    usual = CHOICES[:-1]
    settings = [u if is_skip(new) else new for u, new in zip(usual, updates, strict=True)]
    assert settings == ["beam", 1, 1.0, 0.9, 1, 4, 20]
    *_, last = handler(page, "on_opened")(answer, None, *settings, "")
    assert len(last[ANSWER].captions) == 1 and last[ANSWER].photo is answer.photo
    (same,) = handler(page, "on_opened")(answer, None, *CHOICES)
    assert all(map(is_skip, same))


def test_a_photo_streams_word_by_word(page: gr.Blocks, examples: Path) -> None:
    upload = Upload(examples / "coffee.jpg", "coffee.jpg")
    first, *steps, last = handler(page, "on_ask")(None, upload, *CHOICES)
    assert "data:image/jpeg" in first[VIEW] and first[FIRST_WORDS] == ""
    counts = [step[WORDS].count('class="word') for step in steps]
    assert counts[0] == 1 and max(counts) > 3
    assert all("<button" not in step[WORDS] for step in steps)
    assert last[ANSWER].photo.name == "coffee.jpg"
    assert last[WORDS].count('data-told="') == 3


def test_a_new_photo_forgets_the_first_words(page: gr.Blocks, examples: Path) -> None:
    upload = Upload(examples / "coffee.jpg", "coffee.jpg")
    *_, last = handler(page, "on_ask")(None, upload, *CHOICES[:-1], "no such words")
    assert last[ANSWER].options.first_words == () and last[FIRST_WORDS] == ""


def test_bad_and_removed_photos(page: gr.Blocks, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("only text")
    notes = Upload(tmp_path / "notes.jpg", "notes.jpg")
    *_, last = handler(page, "on_ask")(None, notes, *CHOICES)
    assert last[ANSWER] is None and last[WORDS] == last[VIEW] == ""
    assert not last[CARRY]["interactive"] and not last[DOWNLOADS]["visible"]
    assert "This photo cannot be used" in last[STATUS] and "The file is text" in last[STATUS]
    (removed,) = handler(page, "on_ask")(None, None, *CHOICES)
    assert removed[ANSWER] is None and removed[STATUS] == ""


def test_another_search_does_not_look_again(
    page: gr.Blocks, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Captioner, "look_at", lambda *_: pytest.fail("the encoder ran"))
    choices = ("beam", 2, 1.0, 0.9, 1, 6, 20, "a dog")
    *steps, last = handler(page, "on_ask")(answer, photo_of(answer), *choices)
    assert steps and is_skip(steps[0][VIEW])
    found = last[ANSWER]
    assert found.photo is answer.photo and len(found.captions) == 1
    assert found.captions[0].text.startswith("a dog") and len(found.captions[0].words) >= 6
    assert "Begins with “a dog”" in last[WORDS]


def test_sampling(page: gr.Blocks, answer: Answer) -> None:
    *_, last = handler(page, "on_ask")(
        answer, photo_of(answer), "sample", 3, 1.5, 1.0, 4, 4, 20, ""
    )
    values = [caption.log_probability for caption in last[ANSWER].captions]
    assert len(values) == 4 and values == sorted(values, reverse=True)


def test_words_that_the_captioner_has_not_learnt(page: gr.Blocks, answer: Answer) -> None:
    (only,) = handler(page, "on_ask")(answer, photo_of(answer), *CHOICES[:-1], "a <b>zebra</b>")
    assert "has not learnt" in only[STATUS] and "<b>" not in only[STATUS]
    assert is_skip(only[ANSWER]) and is_skip(only[WORDS])
    (only,) = handler(page, "on_ask")(answer, photo_of(answer), *CHOICES[:-1], "a " * 30)
    assert "fewer first words than a caption may have, 20, got 30" in only[STATUS]


def test_what_was_asked_last_is_answered_last(
    page: gr.Blocks, answer: Answer, examples: Path
) -> None:
    names = {function.name: number for number, function in page.fns.items()}
    asked, begun = page.fns[names["on_ask"]], page.fns[names["on_begin"]]
    assert [name for _, name in asked.targets][:2] == ["change", "input"]  # of photo and search
    assert asked.trigger_mode == "always_last"
    assert begun.trigger_mode == "once"  # Gradio would send the first click again
    cancelled = {n: f.targets for n, f in page.fns.items() if names["on_begin"] in f.cancels}
    assert list(cancelled.values()) == [asked.targets] and max(cancelled) < names["on_ask"]
    ask, coffee = handler(page, "on_ask"), Upload(examples / "coffee.jpg", "coffee.jpg")
    *_, last = ask(answer, coffee, *CHOICES)
    assert last[ANSWER].photo.name == "coffee.jpg"
    (removed,) = ask(last[ANSWER], None, *CHOICES)
    assert removed[ANSWER] is None
    example = handler(page, "on_open")(gr.Request(query_params={}))[ANSWER]
    *_, last = ask(example, None, *CHOICES)  # the page opened with it
    assert last[ANSWER].photo is example.photo
    *_, last = handler(page, "on_opened")(example, coffee, *CHOICES)  # it came while all was loaded
    assert last[ANSWER].photo.name == "coffee.jpg"


def test_a_caption_goes_on_from_another_word(page: gr.Blocks, answer: Answer) -> None:
    beginnings = answer.beginnings()
    number = next(n for n, words in enumerate(beginnings) if len(words) == 3)
    *_, last = handler(page, "on_begin")(click({"begin": number}), answer, *CHOICES)
    found = last[ANSWER].captions[0]
    assert tuple(w.word for w in found.words[:3]) == beginnings[number]
    assert last[FIRST_WORDS].split() == list(beginnings[number])
    assert re.search(r'data-word="0-2" aria-pressed="true"', last[WORDS])
    assert '<section data-why="0-2">' in last[VIEW]
    *_, again = handler(page, "on_begin")(click({"begin": 0}), last[ANSWER], *CHOICES)
    assert again[ANSWER].captions[0].text == answer.captions[0].text and again[FIRST_WORDS] == ""


@pytest.mark.parametrize(
    "data",
    [None, 7, [], {}, {"begin": None}, {"begin": -1}, {"begin": 10**6}, {"begin": True},
     {"begin": 1.0}, {"begin": "1"}, {"begin": [1]}],
)  # fmt: skip
def test_malformed_clicks_change_nothing(page: gr.Blocks, answer: Answer, data: Any) -> None:
    (only,) = handler(page, "on_begin")(click(data), answer, *CHOICES)
    assert all(map(is_skip, only))


def test_a_click_without_an_answer(page: gr.Blocks) -> None:
    (only,) = handler(page, "on_begin")(click({"begin": 1}), None, *CHOICES)
    assert all(map(is_skip, only))


def test_missing_weights_are_told(tmp_path: Path, examples: Path) -> None:
    with gr.Blocks() as page:
        build_tab(page, Background(lambda: load(tmp_path)))
    results = handler(page, "on_open")(asked())
    assert results[ANSWER] is None
    assert "The model could not be loaded" in results[STATUS]
    assert "captioning_encoder.json is missing" in results[STATUS]
    upload = Upload(examples / "cat.jpg", "cat.jpg")
    *_, last = handler(page, "on_ask")(None, upload, *CHOICES)
    assert "The model could not be loaded" in last[STATUS]


def test_choices_become_options() -> None:
    options = search_options("sample", 5, 0.7, 0.8, 2, 3, 15, "A man's hat, ")
    expected = SearchOptions(
        method="sample", beam_size=5, temperature=0.7, top_p=0.8, num_captions=2, min_length=3,
        max_length=15, first_words=("a", "man", "'s", "hat"),
    )  # fmt: skip
    assert options == expected
    with pytest.raises(ValueError, match="beam_size"):
        search_options("beam", 99, 1, 1, 1, 1, 10, "")


# The HTML


def test_the_record_is_that_of_the_command_line(
    answer: Answer, weights: Path, examples: Path, tmp_path: Path
) -> None:
    made = json_file(answer)
    assert made["name"] == "cat_captions.json"
    output = tmp_path / "out.json"
    photo = examples / "cat.jpg"
    arguments = [str(photo), "--num-captions", "3", "--weights", str(weights)]
    assert main([*arguments, "--output", str(output)]) == 0
    (expected,) = json.loads(output.read_text())
    (record,) = json.loads(base64.b64decode(made["url"].partition("base64,")[2]))
    assert record == {**expected, "file": "cat.jpg"}
    with pytest.raises(gr.Error, match=r"does not have this page.s photo"):
        json_file(None)


def test_file_names_are_text_not_markup(captioner: Captioner, examples: Path) -> None:
    name = '"><img src=x onerror=alert(1)>.jpg'
    found = answered(captioner, examples / "cat.jpg", SearchOptions(num_captions=2), name)
    for html in (summary(found), told(found), shown(found)):
        assert "<img src=x" not in html
    assert "&lt;img src=x" in summary(found)


def test_every_word_has_its_reasons(answer: Answer) -> None:
    words, view = told(answer), shown(answer)
    keys = re.findall(r'data-word="(\d-\d+)"', words)
    assert len(keys) == sum(len(caption.words) for caption in answer.captions)
    for key in keys:
        assert f'<section data-why="{key}" hidden>' in view
        assert f'<img class="heat" data-why="{key}" src="data:image/webp' in view
    assert '<section data-why="">' in view
    numbers = [int(number) for number in re.findall(r'data-begin="(\d+)"', view)]
    assert sorted(numbers) == list(range(1, len(answer.beginnings())))


def test_each_number_begins_with_the_word_it_stands_at(answer: Answer) -> None:
    beginnings = answer.beginnings()
    found = re.findall(r'data-begin="(\d+)" title="[^"]*">([^<]+)</button>', shown(answer))
    assert found
    for number, text in found:
        assert beginnings[int(number)][-1] == text.replace("&#x27;", "'")


def test_unsure_words_are_marked_without_colour(answer: Answer) -> None:
    words = (word("a", 0.9), word("cat", 0.99, confidence=0.05), word("'s", 0.6))
    html = told(an_answer(answer, Caption("a cat's", -3.0, words)))
    assert html.count(" unsure") == 1 and html.count(" joined") == 1
    assert "<span>A</span></button>" in html and "<small>5%</small>" in html
    assert 'aria-label="a"' in html and 'aria-label="cat, 5% sure, a guess"' in html
    assert "one of five people would use it" in html and "Dashed" in html
    sure = Caption("cat", -1.0, (word("cat", 0.9, confidence=0.8),))
    assert "Dashed" not in told(an_answer(answer, sure))


def test_without_a_calibration_no_chance_is_claimed(answer: Answer) -> None:
    html = told(an_answer(answer, Caption("a cat", -3.0, (word("a", 0.9), word("cat", 0.9)))))
    assert "90%" not in html and "Below a word" not in html and "guess" not in html
    assert "90%" not in in_the_making([word("a", 0.9)], [0])


def test_a_guess_is_called_so_and_the_runner_up_offered(answer: Answer) -> None:
    guess = Caption("a cat", -3.0, (word("a", 0.9), word("cat", 0.9, confidence=0.2)))
    other = Caption("a <dog>", -4.0, (word("a", 0.9), word("<dog>", 0.9, confidence=0.9)))
    html = told(an_answer(answer, guess, other))
    assert html.count("This is a guess") == 1 and "about 2 in 10" in html
    assert 'data-caption="1">A &lt;dog&gt;.</button>' in html
    assert 'alt="Probably: a cat."' in html_of_copies(shown(an_answer(answer, guess)))
    sure = an_answer(answer, other, guess)
    assert 'data-told="1" hidden><strong>This is a guess' in told(sure)
    assert "It also thought of" not in told(an_answer(answer, guess))


def html_of_copies(html: str) -> str:
    return html_unescape(re.sub(r"<[^>]*>", "", html[html.index('class="copies"') :]))


def test_the_models_own_probability_is_told_beside_the_chance(answer: Answer) -> None:
    caption = Caption("cat", -1.0, (word("cat", 0.98, confidence=0.74),))
    html = shown(an_answer(answer, caption))
    assert "own probability is 98%" in html and "people agreed with 74%" in html


def test_the_likeliest_word_and_the_end_among_the_rivals(answer: Answer) -> None:
    rivals = (Alternative("dog", 0.5), Alternative("<end>", 0.3), Alternative("cow", 0.004))
    caption = Caption("cat", -2.0, (word("cat", 0.1, *rivals),))

    def html(**options: Any) -> str:
        return shown(Answer(answer.photo, SearchOptions(**options), (caption,), 0.01))

    assert re.findall(r"<(?:b|em)>([\w ]+)<", html()) == ["the end", "cat"]
    assert re.findall(r"\">(dog|cow)</button>", html()) == ["dog", "cow"]
    assert "&lt;1%" in html() and "less likely as a whole" in html()
    assert "this one was drawn" in html(method="sample")
    assert "It was given" in html(first_words=("cat",))
    assert "All captions" not in html()


def test_a_model_without_attention(answer: Answer) -> None:
    blind = Caption("cat", -2.0, (Word("cat", 0.4, (), None),))
    html = shown(Answer(answer.photo, SearchOptions(), (blind,), 0.01))
    assert 'class="heat"' not in html and "Looked at" not in html
    assert "Why “cat”?" in html


def test_words_found_at_once_are_seen_one_after_the_other() -> None:
    pace = Pace()
    first = pace.delays(1)
    later = pace.delays(4)
    assert first == [pytest.approx(0, abs=0.01)]
    assert later[0] <= 0
    assert later[1:] == sorted(later[1:]) and later[3] - later[1] == pytest.approx(0.12)


# Where it looked


def test_a_heat_map_is_bright_where_the_model_looked() -> None:
    attention = np.full((7, 7), 0.01, np.float32)
    attention[1, 5] = 1 - 0.48
    heat = heat_map(attention, side=70).astype(int)
    assert heat.shape == (70, 70, 4)
    peak, corner = heat[15, 55], heat[65, 5]
    assert peak[:2].min() > 200 and corner[:3].max() < 60
    assert peak[3] < corner[3] < 255  # the photo is seen through all of it, best at the peak
    steps = np.abs(np.diff(heat[..., :3], axis=1)).max()
    assert steps < 90  # smooth: from cell to cell it is above 200
    assert name_place(attention) == "the upper right"


def test_even_attention_is_no_place() -> None:
    attention = np.full((7, 7), 1 / 49, np.float32)
    attention[0, 0] += 1e-4
    heat = heat_map(attention)
    assert np.ptp(heat[..., :3].astype(int), axis=(0, 1)).max() < 10
    assert name_place(attention) == "the whole photo"


@pytest.mark.parametrize(
    ("row", "column", "place"),
    [(0, 0, "the upper left"), (0, 3, "the top"), (3, 0, "the left"), (3, 3, "the middle"),
     (3, 6, "the right"), (6, 3, "the bottom"), (6, 6, "the lower right")],
)  # fmt: skip
def test_places_have_names(row: int, column: int, place: str) -> None:
    attention = np.full((7, 7), 0.005, np.float32)
    attention[row, column] = 1 - 48 * 0.005
    assert name_place(attention) == place
    mirrored = name_place(attention[:, ::-1])
    assert mirrored == place.replace("left", "x").replace("right", "left").replace("x", "right")


# The endpoint


def test_the_endpoint_answers_as_the_command_line_does(
    client: Client, weights: Path, examples: Path, tmp_path: Path
) -> None:
    photo, output = examples / "coffee.jpg", tmp_path / "out.json"
    for arguments, options in (
        ([], {}),
        (["--beam-size", "5", "--num-captions", "4"], {"beam_size": 5, "num_captions": 4}),
    ):
        common = [str(photo), "--weights", str(weights), "--output", str(output)]
        assert main([*common, *arguments]) == 0
        (expected,) = json.loads(output.read_text())
        record = client.predict(photo=handle_file(str(photo)), **options, api_name="/caption")
        assert record == {**expected, "file": "coffee.jpg"}
        assert len(record["captions"]) == options.get("num_captions", 1)


def test_only_the_endpoint_is_offered(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert list(endpoints["named_endpoints"]) == ["/caption"]
    assert not endpoints["unnamed_endpoints"]
    parameters = endpoints["named_endpoints"]["/caption"]["parameters"]
    assert [p["parameter_name"] for p in parameters] == ["photo", "beam_size", "num_captions"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, r"^Beam_size must be 1 to 20, not 0\.$"),
        ({"beam_size": 2.5}, r"^Beam_size must be a whole number, not 2\.5\.$"),
        ({"num_captions": "many"}, r"^Num_captions must be a whole number, not 'many'\.$"),
        ({"num_captions": 21}, r"^Num_captions must be 1 to 20, not 21\.$"),
    ],
)
def test_bad_options_get_one_sentence(
    client: Client, examples: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError, match=message):
        client.predict(photo=handle_file(str(examples / "cat.jpg")), **options, api_name="/caption")


def test_bad_photos_get_one_sentence(client: Client, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("only text")
    with pytest.raises(AppError, match="The file is text; a photo can be JPEG"):
        client.predict(photo=handle_file(str(tmp_path / "notes.jpg")), api_name="/caption")
    with pytest.raises(AppError, match="Expected a photo, got none"):
        client.predict(photo=None, api_name="/caption")


def test_any_photo_mode_and_size(client: Client, tmp_path: Path) -> None:
    for name, image in (
        ("grey.png", Image.new("L", (3, 200), 90)),
        ("deep.png", Image.fromarray(np.full((40, 50), 40000, np.uint16))),
        ("clear.png", Image.new("RGBA", (64, 48), (10, 200, 30, 0))),
    ):
        image.save(tmp_path / name)
        record = client.predict(photo=handle_file(str(tmp_path / name)), api_name="/caption")
        assert record["file"] == name and record["captions"][0]["text"]


def test_malformed_requests_leave_the_page_running(address: str, client: Client) -> None:
    for data in ([], [None] * 3, ["text", 3, 1], [{"path": "/etc/passwd"}, 3, 1]):
        answer = httpx.post(f"{address}gradio_api/call/caption", json={"data": data}, timeout=60)
        if answer.status_code == 200:
            event = answer.json()["event_id"]
            told = httpx.get(f"{address}gradio_api/call/caption/{event}", timeout=60).text
            assert "event: error" in told and "root:" not in told
    assert list(client.view_api(return_format="dict", print_info=False)["named_endpoints"])


def test_bars_tell_captions_apart() -> None:
    """Scores are divided by a power of the length; bars are not, or all would look alike."""
    words = tuple(Word(word, 0.5, (), None) for word in ["a", "dog", "in", "the", "snow"])
    captions = [Caption("a dog in the snow", -4.0, words, score) for score in (-0.3, -0.35)]
    bars = [
        math.exp(share) for share in _log_shares(Mock(captions=captions, options=SearchOptions()))
    ]
    assert bars[0] == 1 and bars[1] == pytest.approx(math.exp(-0.05 * 6**1.4))
