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
import math
from pathlib import Path

import torch

from facial_keypoints.detection.network import DetectorNet, DetectorNetConfig
from facial_keypoints.landmarks.predictor import fold_batch_norm
from keypoints_captions.weights import save_model
from train.command_line import run
from train.detector.batches import RandomCanvases
from train.detector.dataset import PhotoStore, read_data
from train.detector.sheet import write_canvases, write_worst
from train.detector.training import TrainConfig, train
from train.engine import (
    add_config_arguments,
    best_checkpoint,
    config_from_arguments,
    process_group,
)


def best_network(run: Path) -> DetectorNet:
    """The network of `best_checkpoint`, batch norm folded."""
    state = best_checkpoint(run)
    network = DetectorNet(DetectorNetConfig.from_dict(state["network"])).eval()
    network.load_state_dict(state["model"])
    return fold_batch_norm(network).to(memory_format=torch.channels_last)


def export(run: Path, weights: Path) -> None:
    """Writes the best checkpoint as `weights`.safetensors (fp16) and `weights`.json.

    Raises:
        FileNotFoundError: the run has no checkpoint yet.
    """
    state = best_checkpoint(run)
    options = {**state["config"], "start_from": Path(state["config"]["start_from"]).name}
    metadata = {
        "model": "DetectorNet",
        "config": state["network"],
        "training": {**options, "validation": state["best"], "took": state["minutes"]},
    }
    save_model(weights, state["model"], metadata, half=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(prog="python -m train.detector", description=__doc__)
    main.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = main.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="write a contact sheet of canvases with their targets")
    show.add_argument("--output", type=Path, default=Path("runs/detector-sheet.jpg"))
    show.add_argument("--canvas", type=int, default=320, help="side in pixels")
    fit = commands.add_parser("train", help="train the CNN")
    fit.add_argument("--weights", type=Path, help="write NAME.safetensors and NAME.json at the end")
    fit.add_argument(
        "--stop-after", type=float, default=math.inf, help="minutes; the run resumes later"
    )
    add_config_arguments(fit, TrainConfig())
    add_config_arguments(fit, DetectorNetConfig())
    worst = commands.add_parser("worst", help="write a sheet of the worst held-out photos")
    worst.add_argument("--output", type=Path, default=Path("runs/detector-worst.jpg"))
    write = commands.add_parser("export", help="write the best checkpoint as weights")
    write.add_argument("--weights", type=Path, default=Path("weights/face_detector"))
    for command in (show, fit, worst, write):
        command.add_argument(
            "--checkpoints", type=Path, default=Path("runs/detector"), help="the run's folder"
        )
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
    run: Path = options.checkpoints
    if options.command == "export":
        export(run, options.weights)
        return
    data = read_data(options.photos, options.faces, options.labels, options.mined, options.held_out)
    counts = {f.name: len(getattr(data, f.name)) for f in dataclasses.fields(data)}
    print(
        ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if name != "is_ytf")
    )
    if options.command == "show":
        write_canvases(RandomCanvases(data, run / "cache"), options.output, options.canvas)
    elif options.command == "worst":
        store = PhotoStore(data.validation_photos, run / "cache")
        write_worst(best_network(run), data.validation_photos, store, options.output)
    else:
        config = config_from_arguments(TrainConfig, options)
        network_config = config_from_arguments(DetectorNetConfig, options)
        with process_group() as process:
            best = train(config, network_config, data, run, process, options.stop_after * 60)
            if process.is_main:
                print("best: " + json.dumps(best))
                if options.weights:
                    export(run, options.weights)
        return
    print(f"wrote {options.output}")


if __name__ == "__main__":
    run(main)
