"""Figures as data: model cards, the tables that evaluations print and write, README's tables."""

import argparse
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest

from keypoints_captions.model_card import (
    Card,
    Metadata,
    card_path,
    read_card,
    replace_region,
    write_card,
)
from train.engine.options import UsageError
from train.evaluate import readme
from train.figures import Cell, Column, Report, add_card_argument

CARDS = ("facial_keypoints", "face_detector", "captioning")
COLUMNS = [
    Column("faces", "{}", "faces"),
    Column("NME", "{:.2f}", "nme"),
    Column("missed", "{} of {}", "missed all"),
    Column("jaw", "{:.1f} %", "nme_of_part", {"part": "jaw"}),
    Column("in the table only"),
]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A card without figures."""
    text = "\n# Toy\n\n## Figures\n\nMeasured on toys.\n\n## Use\n\nFor play.\n"
    write_card(Card(Metadata(pipeline_tag="toy", model_name="toy"), text), tmp_path / "toy.md")
    return tmp_path / "toy.md"


def measure(card: Path | None, nme: float, name: str = "errors") -> None:
    report = Report(card)
    with report.table(name, "Errors", ["set", "detector"], COLUMNS, below="So far.") as row:
        row("LFPW", "cnn", np.int64(3), np.float32(nme), (np.int64(1), 3), None, 5.0)
        row("LFPW", "haar", 3, nme + 1, (0, 3), 7.25, None)


def test_a_table_is_printed_and_written(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(card, 3.14159)
    printed = capsys.readouterr().out
    assert "### Errors\n\n| set | detector | faces | NME | missed | jaw |" in printed
    assert "| LFPW | cnn | 3 | 3.14 | 1 of 3 | - | 5.00 |" in printed
    written = read_card(card)
    assert written.section("Figures").endswith(
        f"Measured on toys.\n\n<!-- table: errors -->\n{printed.strip()}\n<!-- end -->"
    )
    assert written.value("errors", "nme", detector="cnn") == 3.1416
    assert written.value("errors", "nme_of_part", part="jaw", set="LFPW") == 7.25
    assert written.value("errors", "missed", detector="haar") == 0
    with pytest.raises(LookupError, match=r"'nme' \(set: LFPW\).*got 2"):
        written.value("errors", "nme", set="LFPW")


def test_a_new_run_replaces_its_own_table_only(card: Path) -> None:
    measure(card, 3.0)
    measure(card, 9.0, "others")
    before = read_card(card)
    measure(card, 2.0)
    after = read_card(card)
    assert after.value("errors", "nme", detector="cnn") == 2.0
    assert after.table("others") == before.table("others")
    assert len(after.data.eval_results or []) == len(before.data.eval_results or [])
    assert card.read_text().count("<!-- table: errors -->") == 1
    assert str(before).replace("3.0", "2.0").replace("4.0", "3.0") == str(after)


def test_facts_have_a_text_each(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Report(card).facts("app", "app", data="photo.jpg") as fact:
        fact("start", "3.6 s", page_seconds=3.61)
    assert "| app |  |\n|---|---|\n| start | 3.6 s |" in capsys.readouterr().out
    assert read_card(card).value("app", "page_seconds") == 3.61


def test_without_a_card_nothing_is_written(card: Path) -> None:
    before = card.read_text()
    measure(None, 3.0)
    assert card.read_text() == before and Cell("a", b=1.0).figures == {"b": 1.0}


def test_figures_of_other_weights_stay_out_of_the_project_s_cards(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_card_argument(parser, "captioning")
    assert parser.parse_args([]).write_card is None
    own = parser.parse_args(["--write-card"]).write_card
    assert own == card_path("captioning")
    with pytest.raises(UsageError, match="another card"):
        Report(own, "runs/mine")
    with pytest.raises(FileNotFoundError):
        Report(tmp_path / "missing.md", "runs/mine")
    (tmp_path / "bare.md").write_text("# No metadata\n")
    with pytest.raises(ValueError, match="two lines ---"):
        Report(tmp_path / "bare.md")


@pytest.mark.parametrize("name", CARDS)
def test_the_project_s_cards_are_the_hub_s(name: str) -> None:
    path = card_path(name)
    card, hub = read_card(path), huggingface_hub.ModelCard.load(path)
    assert hub.data.to_dict() == card.data.to_dict() and str(card) == path.read_text()
    for key in ("license", "license_name", "license_link", "library_name", "pipeline_tag", "tags"):
        assert hub.data.get(key), key
    assert (path.parent / hub.data.license_link).exists()
    for result in hub.data.eval_results:
        region = f"<!-- table: {result.dataset_config} -->"
        assert region in card.text, "each figure stands in a table below"


def test_readme_agrees_with_the_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = argparse.Namespace(check=True)
    readme.run(check)
    old = tmp_path / "README.md"
    old.write_text(readme.README.read_text().replace("| CIDEr | ", "| CIDEr | 1"))
    monkeypatch.setattr(readme, "README", old)
    with pytest.raises(SystemExit, match=r"run: python -m train\.evaluate readme"):
        readme.run(check)
    readme.run(argparse.Namespace(check=False))
    readme.run(check)
    assert "has the figures" in capsys.readouterr().out


def test_regions() -> None:
    text = "a\n<!-- x -->\nold\n<!-- end -->\nb\n"
    assert replace_region(text, "x", "new\n") == text.replace("old", "new")
    grown = replace_region("\n## F\nold\n\n## G\n", "x", "new", "F")
    assert grown == "\n## F\nold\n\n<!-- x -->\nnew\n<!-- end -->\n\n## G\n"
    with pytest.raises(ValueError, match="found neither"):
        replace_region(text, "y", "new", "Figures")
    with pytest.raises(ValueError, match="after <!-- x -->"):
        replace_region("<!-- x -->\nold", "x", "new")
