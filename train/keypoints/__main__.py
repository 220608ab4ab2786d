"""The keypoint CNN: look at its data, train it, and write its weights.

    python -m train.keypoints show  --data FACES [--output sheet.png]
    python -m train.keypoints train --data FACES [--background PHOTOS] --checkpoints runs/keypoints
    python -m train.keypoints export --checkpoints runs/keypoints --weights weights/facial_keypoints
    torchrun --nproc-per-node 2 -m train.keypoints train …            (several GPUs or machines)

A run interrupted and started again with the same `--checkpoints` goes on where it was.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig
from train.command_line import add_train_and_export, program, run
from train.engine.cnn import export
from train.engine.loop import Loop
from train.engine.options import config_from_arguments
from train.engine.processes import process_group
from train.keypoints.data import Split, read_faces, read_turned, split_by_subject
from train.keypoints.non_faces import read_non_faces
from train.keypoints.sheet import write_sheet
from train.keypoints.training import KeypointTask
from train.keypoints.views import NonFaces, TrainConfig


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = program("keypoints", __doc__)
    commands = main.add_subparsers(dest="command", required=True)
    show = commands.add_parser(
        "show", help="write a contact sheet of the data, plain and augmented"
    )
    show.add_argument("--output", type=Path, default=Path("runs/keypoints-sheet.png"))
    show.add_argument("--source", help="only this source, for instance helen or ytf")
    fit, _ = add_train_and_export(
        commands, "keypoints", "weights/facial_keypoints", TrainConfig(), KeypointNetConfig()
    )
    fit.add_argument("--background", type=Path, help="a folder of photos without faces")
    fit.add_argument(
        "--false-alarms", type=Path, help="what python -m train.keypoints.non_faces wrote"
    )
    for command in (show, fit):
        command.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    return main


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; `arguments` defaults to the command line's."""
    options = parser().parse_args(arguments)
    if options.command == "export":
        export(options.checkpoints, options.weights, "KeypointNet")
        return
    split = split_by_subject(
        face for folder in options.data for face in [*read_faces(folder), *read_turned(folder)]
    )
    counts = {f.name: len(getattr(split, f.name)) for f in dataclasses.fields(split)}
    print("faces: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    if options.command == "show":
        wanted = [f for f in split.train if options.source in (None, f.source)]
        write_sheet(wanted, options.output)
        print(f"wrote {options.output}")
    else:
        train(options, split)


def train(options: argparse.Namespace, split: Split) -> None:
    """The command `train`."""
    config = config_from_arguments(TrainConfig(), options)
    non_faces = NonFaces(
        read_non_faces(options.background) if options.background else [],
        np.load(options.false_alarms)["crops"] if options.false_alarms else np.zeros((0, 1, 1, 3)),
    )
    torch.manual_seed(config.seed)
    network = KeypointNet(config_from_arguments(KeypointNetConfig(), options))
    with process_group() as process:
        task = KeypointTask(network, config, split, non_faces, process)
        best = Loop(task, config, options.checkpoints, process).run(options.stop_after)
        if process.is_main:
            print("best: " + json.dumps(best))
            if options.weights:
                export(options.checkpoints, options.weights, "KeypointNet")


if __name__ == "__main__":
    run(main)
