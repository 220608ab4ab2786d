"""Links to the page's settings: what an address may say, without a browser."""

from typing import Any

import gradio as gr
import pytest

from web.links import LinkedSettings, parse_setting

SEARCH = gr.Radio([("Beam search", "beam"), ("Sampling", "sample")], value="beam", render=False)
SHOW = gr.CheckboxGroup(
    [("Points", "points"), ("Pose axes", "axes")], value=["points"], render=False
)
BEAM = gr.Slider(1, 10, value=3, step=1, render=False)
TOP_P = gr.Slider(0.05, 1, value=0.9, step=0.05, render=False)


def asked(**address: str) -> gr.Request:
    return gr.Request(query_params=address)


@pytest.mark.parametrize(
    ("text", "component", "value"),
    [
        ("sample", SEARCH, "sample"),
        ("axes points", SHOW, ["points", "axes"]),
        ("", SHOW, []),
        ("5", BEAM, 5),
        ("4.2", BEAM, 4),
        ("0.75", TOP_P, 0.75),
        ("0.052", TOP_P, 0.05),
    ],
)
def test_what_an_address_says(text: str, component: Any, value: Any) -> None:
    parsed = parse_setting(text, component)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "component"),
    [
        ("random", SEARCH), ("", SEARCH), ("points hat", SHOW), ("99", BEAM), ("0", BEAM),
        ("", BEAM), ("many", BEAM), ("nan", BEAM), ("inf", TOP_P), ("1e999", BEAM), ("-1", TOP_P),
        ("<b>3</b>", BEAM), ("3" * 5000, BEAM), ("\0", BEAM), ("٣٣", BEAM),
    ],
)  # fmt: skip
def test_what_makes_no_sense(text: str, component: Any) -> None:
    with pytest.raises(ValueError) as caught:
        parse_setting(text, component)
    assert len(text) < 3 or text not in str(caught.value)


def test_the_rest_stays_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda message, **_: told.append(message))
    with gr.Blocks():
        settings = LinkedSettings(
            search=gr.Radio(["beam", "sample"], value="beam"),
            beam=gr.Slider(1, 10, value=3, step=1),
            show=gr.CheckboxGroup(["points", "axes"], value=["points"]),
        )
    assert settings.read(asked(beam="5", utm_source="<script>")) == ["beam", 5, ["points"]]
    assert told == []
    assert settings.read(asked(beam="<b>", search="sample", show="")) == ["sample", 3, []]
    (message,) = told
    assert "“beam”" in message and "from 1 to 10" in message and "<b>" not in message
    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr(gr, "skip", lambda: "stays")
        assert settings.updates(asked(beam="5", show="points")) == ["stays", 5, "stays"]
