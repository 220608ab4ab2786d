"""The keypoint CNN: look at its data, train it, and write its weights.

    python -m train.keypoints show  --data FACES [--output sheet.png]
    python -m train.keypoints train --data FACES [--background PHOTOS] --checkpoints runs/keypoints
    torchrun --nproc-per-node 2 -m train.keypoints train …            (several GPUs or machines)

A run interrupted and started again with the same `--checkpoints` goes on where it was.
"""

import argparse
import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from facial_keypoints.landmarks.network import (
    KeypointNet,
    KeypointNetConfig,
    Prediction,
    preprocess,
)
from keypoints_captions.weights import save_model
from train.command_line import run
from train.engine import (
    AveragedWeights,
    Process,
    Progress,
    TensorBoard,
    add_config_arguments,
    best_checkpoint,
    config_from_arguments,
    cosine_schedule,
    load_checkpoint,
    process_group,
    save_checkpoint,
    single_threaded,
)
from train.keypoints.augment import (
    random_false_alarm,
    random_misplaced,
    random_non_face,
    random_view,
)
from train.keypoints.data import (
    LabelledFace,
    LoadedFaces,
    Split,
    load_faces,
    read_faces,
    split_by_subject,
)
from train.keypoints.metrics import predict_from_boxes, summary
from train.keypoints.non_faces import read_non_faces
from train.keypoints.sheet import write_sheet


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    epochs: int = 130
    epoch_faces: int = 4096  # random views of faces an epoch
    batch_size: int = 64  # faces a step, all processes together
    non_faces: float = 0.125  # share of further crops without a face in each batch
    ytf_share: float = 0.3  # of the views: its frames are many, its people few
    loss: str = "wing"  # distance, wing or laplace: what pulls the points
    learning_rate: float = 2e-3  # AdamW, at the top of the cosine
    weight_decay: float = 0.02
    warmup: float = 0.03  # share of the steps
    validate_every: int = 3  # epochs
    ema: float = 0.998  # decay a step of the averaged weights, which are what is kept
    workers: int = 1  # processes that augment
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class NonFaces:
    """What teaches the face score; both may be empty.

    photos: (H, W, 3) uint8 RGB each, without a face. false_alarms: (N, S, S, 3) uint8 RGB.
    """

    photos: list[np.ndarray]
    false_alarms: np.ndarray


class RandomViews(Dataset):
    """Item n of epoch e is the same view whoever asks for it: resuming repeats nothing."""

    def __init__(
        self, faces: list[LabelledFace], non_faces: NonFaces, size: int, config: TrainConfig
    ):
        self.faces = load_faces(faces)
        self.non_faces, self.size, self.config = non_faces, size, config
        is_ytf = self.faces.sources == "ytf"
        share = config.ytf_share if 0 < is_ytf.sum() < len(faces) else is_ytf.mean()
        weight = np.where(
            is_ytf, share / max(is_ytf.sum(), 1), (1 - share) / max((~is_ytf).sum(), 1)
        )
        self.cumulative = np.cumsum(weight / weight.sum())

    def __getitem__(self, key: tuple[int, int, bool]) -> tuple[np.ndarray, np.ndarray, bool]:
        epoch, number, is_face = key
        rng = np.random.default_rng((self.config.seed, epoch, number, is_face))
        place = min(int(np.searchsorted(self.cumulative, rng.random())), len(self.faces) - 1)
        image, points = self.faces.images[place], self.faces.points[place]
        if is_face:
            view, labels = random_view(image, points, self.size, rng)
            return view, labels, True
        photos, alarms = self.non_faces.photos, self.non_faces.false_alarms
        kind = rng.random()
        if len(alarms) and kind < 0.45:
            view = random_false_alarm(alarms[rng.integers(len(alarms))], self.size, rng)
        elif photos and kind < 0.8:
            view = random_non_face(photos[rng.integers(len(photos))], self.size, rng)
        else:
            view = random_misplaced(image, points, self.size, rng)
        return view, np.zeros_like(points), False


def batch_keys(config: TrainConfig, epoch: int, process: Process) -> list[list[tuple]]:
    """The epoch's batches of `RandomViews` keys that fall to this process."""
    share = config.batch_size // process.world
    others = round(share * config.non_faces)
    batches = []
    for step in range(max(1, config.epoch_faces // config.batch_size)):
        place = step * process.world + process.rank
        batch = [(epoch, n, True) for n in range(place * share, (place + 1) * share)]
        batch += [(epoch, n, False) for n in range(place * others, (place + 1) * others)]
        batches.append(batch)
    return batches


def loss_terms(
    prediction: Prediction, labels: Tensor, is_face: Tensor, kind: str, size: int
) -> dict[str, Tensor]:
    """The loss, as named terms that add up; distances are in pixels of the crop."""
    distance = (prediction.points - labels).norm(dim=2)[is_face] * size
    log_scale = prediction.log_scale[is_face] + math.log(size)
    # Laplace likelihood in two dimensions with one scale b: p(r) = exp(-r / b) / (2 pi b²).
    seen = distance if kind == "laplace" else distance.detach()
    terms = {"likelihood": (2 * log_scale + seen * torch.exp(-log_scale)).mean()}
    if kind == "distance":
        terms["points"] = distance.mean()
    elif kind == "wing":  # Feng et al., CVPR 2018, on the distance: w = 10 px, epsilon = 2 px
        inner = 10 * torch.log1p(distance / 2)
        terms["points"] = torch.where(
            distance < 10, inner, distance - 10 + 10 * math.log1p(5)
        ).mean()
    terms["face"] = F.binary_cross_entropy_with_logits(prediction.face_logit, is_face.float())
    return terms


def train(
    config: TrainConfig,
    network_config: KeypointNetConfig,
    split: Split,
    non_faces: NonFaces,
    run: Path,
    process: Process,
    stop_after: float = math.inf,
    start_from: Path | None = None,
) -> dict[str, float]:
    """Trains until the last epoch (or for `stop_after` seconds); returns the best validation.

    start_from: the checkpoints of another run, whose best weights are the start of this one.
    """
    started = time.monotonic()
    torch.manual_seed(config.seed)
    model = KeypointNet(network_config).to(memory_format=torch.channels_last)
    history = [dataclasses.asdict(config)]
    if start_from:
        start = best_checkpoint(start_from)
        model.load_state_dict(start["model"])
        history = start["history"] + history
    wrapped = process.wrap(model)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    average = AveragedWeights(model, config.ema)
    first_epoch, best = 0, {"nme": math.inf}

    state = load_checkpoint(run / "last.pt", process.device)
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.state, average.updates = state["average"], state["updates"]
        first_epoch, best = state["epoch"] + 1, state["best"]

    views = RandomViews(split.train, non_faces, network_config.input_size, config)
    validation = load_faces(split.validation)
    steps_an_epoch = len(batch_keys(config, 0, process))
    steps = config.epochs * steps_an_epoch
    step = first_epoch * steps_an_epoch
    board = TensorBoard(run / "tensorboard" if process.is_main else None)
    progress = Progress(
        steps * config.batch_size, step * config.batch_size, 30, "img", process.is_main
    )

    for epoch in range(first_epoch, config.epochs):
        loader = DataLoader(
            views,
            batch_sampler=batch_keys(config, epoch, process),
            num_workers=config.workers,
            worker_init_fn=single_threaded,
        )
        model.train()
        sums: dict[str, float] = {}
        for crops, labels, is_face in loader:
            for group in optimizer.param_groups:
                warmup = max(1, round(config.warmup * steps))
                group["lr"] = config.learning_rate * cosine_schedule(step, steps, warmup)
            with torch.autocast(process.device.type, torch.bfloat16):
                prediction = wrapped(preprocess(crops.to(process.device), network_config))
            terms = loss_terms(
                prediction,
                labels.to(process.device),
                is_face.to(process.device),
                config.loss,
                network_config.input_size,
            )
            loss = torch.stack(list(terms.values())).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            average.update(model)
            step += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item() / steps_an_epoch
            progress.update(config.batch_size, f"epoch {epoch + 1}  loss {loss.item():.3f}")

        stop = process.agree(time.monotonic() - started > stop_after)
        due = (epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs
        if process.is_main and (due or stop):
            averaged = KeypointNet(network_config).to(process.device)
            averaged.load_state_dict(average.state)
            scores = validate(averaged, validation)
            board.scalars({**sums, **{f"validation/{k}": v for k, v in scores.items()}}, epoch)
            print(
                f"epoch {epoch + 1}: " + "  ".join(f"{k} {v:.3f}" for k, v in scores.items()),
                flush=True,
            )
            if scores["nme"] < best["nme"]:
                best = {**scores, "epoch": float(epoch + 1)}
                save_checkpoint(run / "best.pt", model=average.state, best=best, history=history)
            save_checkpoint(
                run / "last.pt",
                model=model.state_dict(),
                optimizer=optimizer.state_dict(),
                average=average.state,
                updates=average.updates,
                epoch=epoch,
                best=best,
            )
        if stop:
            break
    return best


def validate(network: KeypointNet, faces: LoadedFaces) -> dict[str, float]:
    """NME in % of one pass from landmark boxes, by source and over all: see `summary`."""
    return summary(faces, predict_from_boxes(network, faces, passes=1, mirror=False))


def export(run: Path, weights: Path, network_config: KeypointNetConfig) -> None:
    """Writes the best checkpoint as `weights`.safetensors (fp16) and `weights`.json.

    Raises:
        FileNotFoundError: the run has no checkpoint yet.
    """
    state = best_checkpoint(run)
    metadata = {
        "model": "KeypointNet",
        "config": dataclasses.asdict(network_config),
        "training": {"runs": state["history"], "validation": state["best"]},
    }
    save_model(weights, state["model"], metadata, half=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(prog="python -m train.keypoints", description=__doc__)
    main.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = main.add_subparsers(dest="command", required=True)
    show = commands.add_parser(
        "show", help="write a contact sheet of the data, plain and augmented"
    )
    show.add_argument("--output", type=Path, default=Path("runs/keypoints-sheet.png"))
    show.add_argument("--source", help="only this source, for instance helen or ytf")
    fit = commands.add_parser("train", help="train the CNN, then write its weights")
    fit.add_argument("--background", type=Path, help="a folder of photos without faces")
    fit.add_argument(
        "--false-alarms", type=Path, help="what python -m train.keypoints.non_faces wrote"
    )
    fit.add_argument(
        "--checkpoints", type=Path, default=Path("runs/keypoints"), help="checkpoints and logs"
    )
    fit.add_argument("--start-from", type=Path, help="checkpoints of a run to start from")
    fit.add_argument("--weights", type=Path, help="write NAME.safetensors and NAME.json at the end")
    fit.add_argument("--minutes", type=float, default=math.inf, help="stop early; resumes later")
    add_config_arguments(fit, TrainConfig())
    add_config_arguments(fit, KeypointNetConfig())
    for command in (show, fit):
        command.add_argument("--data", type=Path, nargs="+", required=True, help="folders of faces")
    return main


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; `arguments` defaults to the command line's."""
    options = parser().parse_args(arguments)
    split = split_by_subject(face for folder in options.data for face in read_faces(folder))
    counts = {f.name: len(getattr(split, f.name)) for f in dataclasses.fields(split)}
    print("faces: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    if options.command == "show":
        wanted = [f for f in split.train if options.source in (None, f.source)]
        write_sheet(wanted, options.output)
        print(f"wrote {options.output}")
        return
    config = config_from_arguments(TrainConfig, options)
    network_config = config_from_arguments(KeypointNetConfig, options)
    non_faces = NonFaces(
        read_non_faces(options.background) if options.background else [],
        np.load(options.false_alarms)["crops"] if options.false_alarms else np.zeros((0, 1, 1, 3)),
    )
    stop_after = options.minutes * 60
    with process_group() as process:
        best = train(
            config,
            network_config,
            split,
            non_faces,
            options.checkpoints,
            process,
            stop_after,
            options.start_from,
        )
        print("best: " + json.dumps(best))
        if options.weights and process.is_main:
            export(options.checkpoints, options.weights, network_config)


if __name__ == "__main__":
    run(main)
