"""The keypoint CNN: look at its data, train it, and write its weights.

    python -m train.keypoints show  --data FACES [--output sheet.png]
    python -m train.keypoints train --data FACES [--background PHOTOS] --checkpoints runs/keypoints
    python -m train.keypoints teacher --data FACES --encoder-weights FILE --checkpoints runs/teacher
    python -m train.keypoints train --teacher runs/teacher …          (learns from it, too)
    python -m train.keypoints export --checkpoints runs/keypoints --weights weights/facial_keypoints
    torchrun --nproc-per-node 2 -m train.keypoints train …            (several GPUs or machines)

A run interrupted and started again with the same `--checkpoints` goes on where it was.
"""

import argparse
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig
from train.command_line import add_checkpoints, add_train_and_export, program, run
from train.engine.cnn import export
from train.engine.loop import Loop
from train.engine.options import UsageError, add_config_arguments, config_from_arguments
from train.engine.processes import process_group
from train.faces.data import UNLABELLED, Split, read_faces, read_turned, split_by_subject
from train.keypoints.distil import StudentConfig, StudentTask
from train.keypoints.non_faces import read_non_faces
from train.keypoints.sheet import write_sheet
from train.keypoints.teacher import TeacherConfig, TeacherTask, TeacherTrainConfig, pretrained
from train.keypoints.training import KeypointTask
from train.keypoints.views import NonFaces

NO_ALARMS = np.zeros((0, 1, 1, 3), np.uint8)


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
        commands, "keypoints", "weights/facial_keypoints", StudentConfig(), KeypointNetConfig()
    )
    fit.add_argument(
        "--false-alarms", type=Path, help="what python -m train.keypoints.non_faces wrote"
    )
    fit.add_argument(
        "--unlabelled", type=Path, help="a folder that python -m train.keypoints.unlabelled wrote"
    )
    teacher = commands.add_parser("teacher", help="train a large network for train --teacher")
    teacher.add_argument(
        "--encoder-weights", type=Path, required=True, help="a safetensors file of a ResNet-50"
    )
    for config in (TeacherTrainConfig(), TeacherConfig()):
        add_config_arguments(teacher, config)
    add_checkpoints(teacher, "teacher")
    for command in (fit, teacher):
        command.add_argument("--background", type=Path, help="a folder of photos without faces")
    for command in (show, fit, teacher):
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
    counts = {f.name: len(getattr(split, f.name)) for f in fields(split)}
    print("faces: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    if options.command == "show":
        wanted = [f for f in split.train if options.source in (None, f.source)]
        if not wanted:
            raise UsageError(f"Expected training faces of {options.source or 'any source'}, got 0.")
        write_sheet(wanted, options.output)
        print(f"wrote {options.output}")
    elif not (split.train and split.validation):
        raise UsageError(
            "Expected faces to train on and others to choose the best network by, got "
            f"{len(split.train)} and {len(split.validation)}. A hash of its name takes about one "
            "subject of 14 for the latter: add photos, or people."
        )
    elif options.command == "teacher":
        train_teacher(options, split)
    else:
        train(options, split)


def train(options: argparse.Namespace, split: Split) -> None:
    """The command `train`."""
    torch.backends.cudnn.benchmark = True  # all crops are of one size
    config = config_from_arguments(StudentConfig(), options)
    if options.unlabelled and not config.teacher:
        raise UsageError("--unlabelled needs a --teacher, which sets those faces' points")
    if bool(options.unlabelled) != (config.unlabelled_share > 0):
        raise UsageError(
            "Expected both --unlabelled and the share of the faces that is drawn from it, "
            f"--unlabelled-share, got {options.unlabelled} and {config.unlabelled_share:g}."
        )
    if options.unlabelled:
        more = [replace(face, source=UNLABELLED) for face in read_faces(options.unlabelled)]
        split = replace(split, train=[*split.train, *more])
    alarms = np.load(options.false_alarms)["crops"] if options.false_alarms else NO_ALARMS
    torch.manual_seed(config.seed)
    network = KeypointNet(config_from_arguments(KeypointNetConfig(), options))
    with process_group() as process:
        non_faces = NonFaces(background(options), alarms)
        kind = StudentTask if config.teacher else KeypointTask
        task = kind(network, config, split, non_faces, process)
        best = Loop(task, config, options.checkpoints, process).run(options.stop_after)
        if process.is_main:
            print("best: " + json.dumps(best))
            if options.weights:
                export(options.checkpoints, options.weights, "KeypointNet")


def train_teacher(options: argparse.Namespace, split: Split) -> None:
    """The command `teacher`."""
    torch.backends.cudnn.benchmark = True
    config = config_from_arguments(TeacherTrainConfig(), options)
    torch.manual_seed(config.seed)
    network = pretrained(config_from_arguments(TeacherConfig(), options), options.encoder_weights)
    with process_group() as process:
        non_faces = NonFaces(background(options), NO_ALARMS)
        task = TeacherTask(network, config, split, non_faces, process)
        best = Loop(task, config, options.checkpoints, process).run()
        if process.is_main:
            print("best: " + json.dumps(best))


def background(options: argparse.Namespace) -> list[np.ndarray]:
    """The photos of the option `--background`."""
    return read_non_faces(options.background) if options.background else []


if __name__ == "__main__":
    run(main)
