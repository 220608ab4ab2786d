"""The face detector: look at its data, train it, and write its weights.

    python -m train.detector show   --photos CAPTIONS --faces FACES [--output sheet.png]
    python -m train.detector train  --photos CAPTIONS --faces FACES --checkpoints runs/detector
    python -m train.detector worst  --photos CAPTIONS --checkpoints runs/detector
    python -m train.detector export --checkpoints runs/detector --weights weights/face_detector
    torchrun --nproc-per-node 2 -m train.detector train …    (several cores, GPUs or machines)

CAPTIONS holds photos with a teacher's `face_boxes.csv`, FACES faces with 68 points. `--held-out`
names COCO annotation files whose photos are for validation. A run interrupted and started again
with the same `--checkpoints` goes on where it was; one with `--start-from` begins with the best
network of another.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from facial_keypoints.detection.network import DetectorNet, DetectorNetConfig
from facial_keypoints.landmarks.network import fold_batch_norm
from train.command_line import add_checkpoints, add_train_and_export, program, run
from train.detector.batches import RandomCanvases
from train.detector.dataset import PhotoStore, TrainingData, read_data
from train.detector.sheet import write_canvases, write_worst
from train.detector.training import DetectorTask, TrainConfig
from train.engine.checkpoints import best_checkpoint
from train.engine.cnn import export
from train.engine.loop import Loop
from train.engine.options import UsageError, config_from_arguments
from train.engine.processes import process_group


def best_network(run: Path) -> DetectorNet:
    """The network of `best_checkpoint`, batch norm folded."""
    state = best_checkpoint(run)
    network = DetectorNet(DetectorNetConfig.from_dict(state["network"])).eval()
    network.load_state_dict(state["model"])
    return fold_batch_norm(network).to(memory_format=torch.channels_last)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = program("detector", __doc__)
    commands = main.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="write a contact sheet of canvases with their targets")
    show.add_argument("--output", type=Path, default=Path("runs/detector-sheet.jpg"))
    show.add_argument("--canvas", type=int, default=320, help="side in pixels")
    fit, _ = add_train_and_export(
        commands, "detector", "weights/face_detector", TrainConfig(), DetectorNetConfig()
    )
    worst = commands.add_parser("worst", help="write a sheet of the worst held-out photos")
    worst.add_argument("--output", type=Path, default=Path("runs/detector-worst.jpg"))
    for command in (show, worst):
        add_checkpoints(command, "detector")
    for command in (show, fit, worst):
        command.add_argument(
            "--photos", type=Path, nargs="+", required=True, help="folders with face_boxes.csv"
        )
        command.add_argument(
            "--faces", type=Path, nargs="+", default=[], help="folders of 68-point faces"
        )
        command.add_argument(
            "--labels", type=Path, help="what python -m train.detector.labels wrote"
        )
        command.add_argument(
            "--mined", type=Path, help="what python -m train.detector.mining wrote"
        )
        command.add_argument(
            "--held-out", type=Path, nargs="+", default=[], help="COCO files of validation photos"
        )
    return main


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; `arguments` defaults to the command line's."""
    options = parser().parse_args(arguments)
    folder: Path = options.checkpoints
    if options.command == "export":
        export(folder, options.weights, "DetectorNet")
        return
    data = read_data(options.photos, options.faces, options.labels, options.mined, options.held_out)
    parts = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
    counts = {name: len(part) for name, part in parts.items() if isinstance(part, list)}
    print(", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()))
    if options.command == "show":
        write_canvases(RandomCanvases(data, folder / "cache"), options.output, options.canvas)
    elif options.command == "worst":
        if not data.validation_photos:
            raise UsageError("Expected COCO files of validation photos (--held-out), got none.")
        store = PhotoStore(data.validation_photos, folder / "cache")
        write_worst(best_network(folder), data.validation_photos, store, options.output)
    else:
        train(options, data)
        return
    print(f"wrote {options.output}")


def train(options: argparse.Namespace, data: TrainingData) -> None:
    """The command `train`."""
    config = config_from_arguments(TrainConfig(), options)
    folder: Path = options.checkpoints
    torch.manual_seed(config.seed)
    network = DetectorNet(config_from_arguments(DetectorNetConfig(), options))
    with process_group() as process:
        task = DetectorTask(network, config, data, folder / "cache", process)
        best = Loop(task, config, folder, process).run(options.stop_after)
        if process.is_main:
            print("best: " + json.dumps(best))
            if options.weights:
                export(folder, options.weights, "DetectorNet")


if __name__ == "__main__":
    run(main)
