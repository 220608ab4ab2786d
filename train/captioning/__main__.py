"""The captioner: look at its data, train it in stages, and write its weights.

    python -m train.captioning show   [--output sheet.png]
    python -m train.captioning all    --checkpoints runs/captioning
    python -m train.captioning scst   --checkpoints runs/captioning   (or another stage)
    python -m train.captioning features --checkpoints runs/captioning   (stage xe's cache)
    python -m train.captioning export --checkpoints runs/captioning --weights weights
    torchrun --nproc-per-node 2 -m train.captioning all …         (several GPUs or machines)

Photos are named by `--train` and `--validation`; `--config` takes a JSON file of options, see
`train/recipes`. Stages run one after the other, each from the best checkpoint of the one before;
a run interrupted and started again with the same `--checkpoints` goes on where it was.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captioning.engine.preprocessing import Preprocessing
from train.captioning.data import load_set
from train.captioning.export import export
from train.captioning.run import CaptionConfig, CaptionRun
from train.captioning.sheet import write_training_sheet
from train.captioning.stages import STAGES, Stage
from train.command_line import program, run
from train.engine.options import add_config_arguments, config_from_arguments, flat, read_recipe
from train.engine.processes import Process, process_group


@dataclass(frozen=True)
class Options(CaptionConfig):
    """One run: what its stages have in common, and each one's own options, `--STAGE-…`."""

    stages: Mapping[str, Stage] = field(default_factory=lambda: STAGES)


def parse(arguments: Sequence[str] | None = None) -> tuple[Options, argparse.Namespace]:
    """The command line; options come from it, else from the recipe, else from `STAGES`."""
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--config", type=Path, help="JSON file of options, which others override")
    recipe = first.parse_known_args(arguments)[0].config
    defaults = read_recipe(Options(), recipe) if recipe else Options()
    parser = program("captioning", __doc__, parents=[first])
    parser.add_argument("command", choices=["show", "features", *STAGES, "all", "export"])
    parser.add_argument("--checkpoints", dest="run", type=Path, default=Path("runs/captioning"))
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="of export")
    parser.add_argument("--after", choices=STAGES, help="of export; the last stage done without")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[],
        help="of export: folders of exported weights, with the same encoder, whose decoders are "
        "to speak along",
    )  # fmt: skip
    parser.add_argument(
        "--average", type=_share, nargs="+", default=[], metavar="STAGE=SHARE",
        help="of export: the mean of the decoders that these stages left; 'start' is the first",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("out/captions.png"), help="of show")
    add_config_arguments(parser, defaults)
    parsed = parser.parse_args(arguments)
    own = parsed.run / "config.json"
    if parsed.command == "export" and not parsed.config and own.exists():
        given = sys.argv[1:] if arguments is None else arguments
        return parse([*given, "--config", str(own)])  # as the run was trained
    return config_from_arguments(defaults, parsed), parsed


def _share(text: str) -> tuple[str, float]:
    stage, share = text.split("=")
    return stage, float(share)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; `arguments` defaults to the command line's."""
    options, parsed = parse(arguments)
    if parsed.command == "show":
        photos = [photo for source in options.train for photo in load_set(source)]
        preprocessing = Preprocessing(options.image_size)
        write_training_sheet(photos, preprocessing, parsed.output, options.seed)
        return
    with process_group() as process:
        caption_run = CaptionRun(options, list(options.stages), parsed.run, process)
        if parsed.command == "export":
            export(
                caption_run, flat(options), parsed.weights, parsed.after, parsed.beside,
                dict(parsed.average),
            )  # fmt: skip
        elif parsed.command == "features":
            caption_run.features(caption_run.encoder(before="xe"))
        else:
            train(caption_run, options, parsed.command, process)


def train(caption_run: CaptionRun, options: Options, command: str, process: Process) -> None:
    """Runs the stage of that name, or all of them."""
    if process.is_main:
        caption_run.folder.mkdir(parents=True, exist_ok=True)
        caption_run.vocabulary.save(caption_run.folder / "vocabulary.json")
        facts = json.dumps(flat(options), indent=1)
        (caption_run.folder / "config.json").write_text(facts, encoding="utf-8")
    for name, stage in options.stages.items():
        if stage.epochs and command in (name, "all"):
            stage.train(name, caption_run)


if __name__ == "__main__":
    run(main)
