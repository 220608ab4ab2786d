"""Every published figure of the captioning half: `python -m train.evaluate captioning`.

    … captioning --data DATA                                       the committed weights
    … captioning --data DATA --model NAME=FOLDER --model …         several, as exported, in a table
    … captioning --data DATA --neighbour                           with the baseline
    … captioning --data DATA --sheet out/captions.png              20 best and 20 worst photos

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from captioning.caption import Caption
from captioning.captioner import WEIGHTS, Captioner
from captioning.decoder import Photos
from captioning.search import SearchOptions
from captioning.vocabulary import tokenize
from train.captioning.data import CaptionedPhoto, load_set, photo_square
from train.captioning.metrics import CiderD, Scores, score_captions
from train.captioning.sheet import Cell, write_sheet
from train.captioning.words.figures import Told, WordFigures, measure, people_figures, word_table
from train.engine.batches import prefetch

VALIDATION = ("coco_val", "flickr8k_val")
TRAINING = ("coco_train", "flickr8k_train")
_BATCH = 32
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
    parser.add_argument("--skip-timing", action="store_true", help="scores only")


@dataclass(frozen=True)
class Row:
    """A line of the table; milliseconds a photo, batched, from pixels to caption."""

    model: str
    search: str
    scores: Scores
    milliseconds: float | None


def run(options: argparse.Namespace) -> None:
    """Prints the figures as Markdown."""
    sets = {name: load_set(str(options.data / f"{name}.json")) for name in VALIDATION}
    sets = {name: photos[: options.photos or None] for name, photos in sets.items()}
    models = dict(model.split("=", 1) for model in options.model) or {"captioner": str(WEIGHTS)}
    rows: dict[str, list[Row]] = {name: [] for name in sets}
    read: dict[str, list[tuple[str, WordFigures]]] = {name: [] for name in sets}
    for model, folder in models.items():
        captioner = Captioner.load(folder)
        for name, photos in sets.items():
            seen, seconds = look(captioner, photos)
            for beam in options.beams:
                search = SearchOptions(beam_size=beam, length_penalty=options.length_penalty)
                captions, more = say(captioner, seen, search)
                label = "greedy" if beam == 1 else f"beam {beam}"
                each = 1000 * (seconds + more) / len(photos)
                scores = score(photos, [caption.text for caption in captions])
                rows[name].append(Row(model, label, scores, each))
                read[name].append((f"{model}, {label}", measure(photos, told(captions))))
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
    for name, photos in sets.items():
        print(f"\n### {name}, {len(photos)} photos\n\n{table(rows[name])}")
        people = ("a person, against the others", people_figures(photos))
        print(f"\n{word_table([*read[name], people])}")
    if not options.skip_timing:
        print(f"\n{timing(list(models.values())[-1], sets['coco_val'])}")


def score(photos: Sequence[CaptionedPhoto], captions: Sequence[str]) -> Scores:
    return score_captions([photo.captions for photo in photos], captions)


def look(captioner: Captioner, photos: Sequence[CaptionedPhoto]) -> tuple[list[Photos], float]:
    """The photos encoded, in batches, and the seconds it took without reading the files."""
    seen, seconds = [], 0.0
    for squares in _squares(captioner, photos):
        since = time.perf_counter()
        seen.append(captioner.look_at(squares))
        seconds += time.perf_counter() - since
    return seen, seconds


def say(
    captioner: Captioner, seen: Sequence[Photos], search: SearchOptions
) -> tuple[list[Caption], float]:
    """The best caption of each photo, and the seconds it took."""
    since = time.perf_counter()
    captions = [found[0] for batch in seen for found in captioner.caption(batch, search)]
    return captions, time.perf_counter() - since


def told(captions: Sequence[Caption]) -> list[Told]:
    """The captions with the chances stated under their words."""
    return [
        Told([word.word for word in caption.words], [word.probability for word in caption.words])
        for caption in captions
    ]


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


@torch.inference_mode()
def _pooled(captioner: Captioner, photos: Sequence[CaptionedPhoto]) -> np.ndarray:
    """Unit vectors, (N, 2048) float32."""
    rows = []
    for squares in _squares(captioner, photos):
        batch = captioner.preprocessing.normalise(torch.from_numpy(np.stack(squares)))
        grid = captioner.encoder(batch.to(captioner.device, captioner.precision))
        pooled = grid.float().mean((1, 2))
        rows.append((pooled / pooled.norm(dim=1, keepdim=True)).cpu().numpy())
    return np.concatenate(rows)


def _squares(captioner: Captioner, photos: Sequence[CaptionedPhoto]) -> Iterator[list[np.ndarray]]:
    def load(start: int) -> list[np.ndarray]:
        return [
            photo_square(photo, captioner.preprocessing) for photo in photos[start : start + _BATCH]
        ]

    return prefetch(range(0, len(photos), _BATCH), load, 2, 2)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    titles = ["model", "search", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L"]
    titles += ["CIDEr", "words used", "distinct %", "ms a photo, batched"]
    lines = [titles, ["---"] * len(titles)]
    for row in rows:
        scores = row.scores
        meteor = "-" if scores.meteor is None else f"{scores.meteor:.1f}"
        figures = [f"{value:.1f}" for value in scores.bleu] + [meteor]
        figures += [f"{scores.rouge:.1f}", f"{scores.cider:.1f}", str(scores.vocabulary)]
        figures.append(f"{scores.distinct:.0f}")
        figures.append("-" if row.milliseconds is None else f"{row.milliseconds:.0f}")
        lines.append([row.model, row.search, *figures])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{text}\n\nTokenizer: {rows[0].scores.tokenizer}."


def timing(weights: str, photos: Sequence[CaptionedPhoto]) -> str:
    """One photo at a time, and the command line over all photos, in a sentence each."""
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
    return (
        f"One photo, beam 3, {str(captioner.precision).removeprefix('torch.')}, "
        f"{torch.get_num_threads()} threads: {statistics.median(each):.0f} ms (median).\n"
        f"`python -m captioning` over {len(paths)} photos: {seconds:.1f} s with start-up, "
        f"{len(paths) / seconds:.1f} photos/s."
    )


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
