"""Every published figure of the captioning half: `python -m train.evaluate captioning`.

    … captioning --data DATA                                       the committed weights
    … captioning --data DATA --model NAME=FOLDER --model …         several, as exported, in a table
    … captioning --data DATA --neighbour                           with the baseline
    … captioning --data DATA --sheet out/captions.png              20 best and 20 worst photos
    … captioning --data DATA --retrieval runs/retrieval            do captions find their photos?

A second table has the captions as people read them, and the same of the people.

DATA holds coco_val.json, flickr8k_val.json and, for the baseline, the training sets.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioning.captioner import WEIGHTS, Captioner
from captioning.options import SearchOptions
from captioning.vocabulary import tokenize
from keypoints_captions.cores import usable_cores
from train.captioning.data import CaptionedPhoto, load_set, photo_square
from train.captioning.metrics import CiderD, Scores
from train.captioning.sheet import Cell, write_sheet
from train.captioning.words.figures import (
    AGREED,
    WORD_COLUMNS,
    WordFigures,
    measure,
    people_figures,
    word_cells,
)
from train.captioning.words.inference import (
    TRAINING,
    VALIDATION,
    look,
    say,
    score,
    squares_of,
    told,
)
from train.captioning.words.retrieval import CaptionRetrieval
from train.figures import Column, Report, add_card_argument

_TIMED = 50  # photos, one at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate captioning`."""
    parser.add_argument("--data", type=Path, required=True, help="folder of annotation files")
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME=FOLDER",
        help="a folder of exported weights; the project's own by default",
    )  # fmt: skip
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 2, 3, 5], help="1 is greedy")
    parser.add_argument("--length-penalty", type=float, default=SearchOptions.length_penalty)
    parser.add_argument("--photos", type=int, default=0, help="of each set; all by default")
    parser.add_argument("--neighbour", action="store_true", help="the nearest-neighbour baseline")
    parser.add_argument("--sheet", type=Path, help="write best and worst photos as a picture")
    parser.add_argument(
        "--retrieval", type=Path, help="folder of python -m train.captioning.words.retrieval"
    )
    parser.add_argument("--skip-timing", action="store_true", help="scores only")
    add_card_argument(parser, "captioning")


@dataclass(frozen=True)
class Row:
    """A line of the table; milliseconds a photo, batched, from pixels to caption."""

    model: str
    search: str
    scores: Scores
    milliseconds: float | None


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    report = Report(options.write_card, options.model)
    sets = {name: load_set(str(options.data / f"{name}.json")) for name in VALIDATION}
    sets = {name: photos[: options.photos or None] for name, photos in sets.items()}
    retrieval = CaptionRetrieval.load(options.retrieval) if options.retrieval else None
    models = dict(model.split("=", 1) for model in options.model) or {"captioner": str(WEIGHTS)}
    rows: dict[str, list[Row]] = {name: [] for name in sets}
    read: dict[str, list[tuple[str, str, WordFigures]]] = {name: [] for name in sets}
    for model, folder in models.items():
        captioner = Captioner.load(folder)
        for name, photos in sets.items():
            seen, seconds = look(captioner, photos)
            finder = retrieval if retrieval and retrieval.features.knows(photos) else None
            for beam in options.beams:
                search = SearchOptions(beam_size=beam, length_penalty=options.length_penalty)
                captions, more = say(captioner, seen, search)
                label = "greedy" if beam == 1 else f"beam {beam}"
                each = 1000 * (seconds + more) / len(photos)
                scores = score(photos, [caption.text for caption in captions])
                rows[name].append(Row(model, label, scores, each))
                read[name].append((model, label, measure(photos, told(captions), finder)))
                line = f"{name}, {model}, {label}: CIDEr {scores.cider:.1f}"
                print(line, file=sys.stderr, flush=True)
            if options.sheet and model == list(models)[-1]:
                captions, _ = say(captioner, seen, SearchOptions())
                path = options.sheet.with_stem(f"{options.sheet.stem}_{name}")
                texts = [caption.text for caption in captions]
                write_best_and_worst(captioner, photos, texts, path)
    if options.neighbour:
        captioner = Captioner.load(list(models.values())[-1])
        for name, texts in nearest_captions(captioner, options.data, sets).items():
            rows[name].append(Row("nearest neighbour", "-", score(sets[name], texts), None))
    print_scores(report, {name: len(photos) for name, photos in sets.items()}, rows)
    for name, photos in sets.items():
        finder = retrieval if retrieval and retrieval.features.knows(photos) else None
        people = people_figures(photos, finder)
        read[name].append(("a person, against the others", "-", people))
    print_words(report, read)
    if not options.skip_timing:
        print_times(report, list(models.values())[-1], sets["coco_val"])


def nearest_captions(
    captioner: Captioner, data: Path, sets: dict[str, list[CaptionedPhoto]]
) -> dict[str, list[str]]:
    """For each photo, the first caption of the training photo with the most similar pooled
    features (cosine): what a model that only remembers would say."""
    training = [photo for name in TRAINING for photo in load_set(str(data / f"{name}.json"))]
    known = _pooled(captioner, training)
    found = {}
    for name, photos in sets.items():
        nearest = (_pooled(captioner, photos) @ known.T).argmax(1)
        found[name] = [training[place].captions[0] for place in nearest]
    return found


def _pooled(captioner: Captioner, photos: Sequence[CaptionedPhoto]) -> np.ndarray:
    """Unit vectors, (N, 2048) float32."""
    rows = []
    for squares in squares_of(captioner, photos):
        grid = captioner.speaker.encoder(squares=np.stack(squares))["grid"]
        pooled = grid.mean(axis=1)
        rows.append(pooled / np.linalg.norm(pooled, axis=1, keepdims=True))
    return np.concatenate(rows)


def print_scores(
    report: Report, photos: Mapping[str, int], rows: Mapping[str, Sequence[Row]]
) -> None:
    """The rows of each set. photos: how many each has."""
    columns = [
        Column("photos", "{}", "photos"),
        *(Column(f"BLEU-{n}", "{:.1f}", f"bleu-{n}") for n in range(1, 5)),
        Column("METEOR", "{:.1f}", "meteor"),
        Column("ROUGE-L", "{:.1f}", "rouge-l"),
        Column("CIDEr", "{:.1f}", "cider"),
        Column("words used", "{}", "words_used"),
        Column("distinct captions", "{:.0f} %", "distinct"),
        Column("ms a photo, batched", "{:.0f}"),
    ]
    tokenizer = next(row.scores.tokenizer for found in rows.values() for row in found)
    with report.table(
        "captions",
        "Captions",
        ["set", "model", "search"],
        columns,
        below=f"Tokenizer: {tokenizer}.",
    ) as add:
        for name, found in rows.items():
            for row in found:
                scores = row.scores
                figures = *scores.bleu, scores.meteor, scores.rouge, scores.cider
                variety = scores.vocabulary, scores.distinct, row.milliseconds
                add(name, row.model, row.search, photos[name], *figures, *variety)


def print_words(report: Report, rows: Mapping[str, Sequence[tuple[str, str, WordFigures]]]) -> None:
    """The captions as people read them. rows: of each set, model, search and figures."""
    last = {name: found[-1][2] for name, found in rows.items()}
    counts = (
        f"{name}: {few.women} photos of women, {few.men} of men" for name, few in last.items()
    )
    below = (
        f"Content words, by stems: said of those that {AGREED} or more people use; unused by any "
        f"of them. {'; '.join(counts)}."
    )
    heading, keys = "Captions as people read them", ["set", "model", "search"]
    with report.table("words", heading, keys, WORD_COLUMNS, below=below) as add:
        for name, found in rows.items():
            for model, search, figures in found:
                add(name, model, search, *word_cells(figures))


def print_times(report: Report, weights: str, photos: Sequence[CaptionedPhoto]) -> None:
    """One photo at a time, and the command line over all photos."""
    captioner = Captioner.load(weights)
    images = [captioner.preprocessing.read(photo.path) for photo in photos[:_TIMED]]
    captioner(images[0])
    each = []
    for image in images:
        since = time.perf_counter()
        captioner(image)
        each.append(1000 * (time.perf_counter() - since))
    paths = [str(photo.path) for photo in photos]
    since = time.perf_counter()
    command = [sys.executable, "-m", "captioning", *paths, "--weights", weights]
    done = subprocess.run([*command, "--output", os.devnull], capture_output=True, check=False)
    seconds = time.perf_counter() - since
    if done.returncode:
        raise RuntimeError(f"python -m captioning failed: {done.stderr.decode()[-500:]}")
    precision = captioner.speaker.encoder.name
    median, rate = statistics.median(each), len(paths) / seconds
    with report.facts("caption-times", "time", data="coco_val") as fact:
        one = f"one photo, beam 3, {precision}, {usable_cores()} cores"
        fact(one, f"{median:.0f} ms (median)", photo_ms=median)
        command_line = f"`python -m captioning` over {len(paths)} photos, with start-up"
        fact(command_line, f"{seconds:.1f} s, {rate:.1f} photos/s", photos_a_second=rate)


def write_best_and_worst(
    captioner: Captioner, photos: Sequence[CaptionedPhoto], captions: Sequence[str], path: Path
) -> None:
    """The 20 photos with the highest CIDEr-D, then the 20 with the lowest, as a picture, and
    all of them with their scores as JSON beside it."""
    scorer = CiderD([photo.words for photo in photos])
    values = [scorer.score(i, [tokenize(text)])[0] for i, text in enumerate(captions)]
    order = np.argsort(values)[::-1]
    chosen = [*order[:20], *order[-20:]]
    cells = [
        Cell(
            photo_square(photos[i], captioner.preprocessing),
            (f"{captions[i]} ({100 * values[i]:.0f})", f"- {photos[i].captions[0]}"),
        )
        for i in chosen
    ]
    write_sheet(cells, 10, path)
    listed = [
        {"file": photos[i].path.name, "cider": round(100 * values[i], 1), "caption": captions[i]}
        for i in order
    ]
    path.with_suffix(".json").write_text(json.dumps(listed, indent=0), encoding="utf-8")
    print(f"wrote {path}")
