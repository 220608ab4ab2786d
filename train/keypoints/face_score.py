"""Training of the face score alone, on what the detector takes for faces.

    python -m train.keypoints.face_score --photos CAPTIONS --faces FACES \\
        --weights weights/facial_keypoints \\
        --held-out CAPTIONS/coco_val.json CAPTIONS/flickr8k_val.json

`python -m train.keypoints` teaches the score on crops of labelled faces and of places without one;
the detector errs elsewhere, on dogs and on balls, and is right about faces smaller than any
labelled one. Here its boxes on training photos are cut out as the pipeline cuts them, the CNN's
convolutions stay as they are, so that every point stays where it was, and the small head on their
features learns which boxes lie on a face of the teacher's. Random views of labelled faces, and
places beside them, are learnt with them. Replaces the weights' files.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import Detection
from facial_keypoints.landmarks.crops import crops_from_boxes, cut
from facial_keypoints.landmarks.network import (
    FaceHead,
    KeypointNet,
    KeypointNetConfig,
    mean_features,
    preprocess,
)
from facial_keypoints.pipeline import load_network
from keypoints_captions.weights import description, load_model, save_model
from train.command_line import program, run
from train.detector.data import Scene, photos_of, read_scenes, split_scenes
from train.detector.metrics import OVERLAP, all_overlaps
from train.detector.mining import LEAST_SCORE
from train.engine.options import add_config_arguments, config_from_arguments
from train.engine.processes import Process
from train.faces.data import read_faces, read_turned, split_by_subject
from train.keypoints.views import NonFaces, RandomViews, TrainConfig, batch_keys
from train.photos import read_photo

#: Intersection over union with a face from which a box is no place without one.
NEAR_OVERLAP = 0.15


@dataclasses.dataclass(frozen=True)
class FaceScoreConfig:
    """One training of the face score."""

    least_score: float = LEAST_SCORE  # of the detector, for a box to be learnt from or judged
    most_photos: int = 100_000  # training photos that are searched, drawn at random
    views: int = 12288  # random views of labelled faces, and a quarter more of other places
    epochs: int = 15
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    dropout: float = 0.3  # of the features and of the hidden units
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Examples:
    """features: (N, C) float32, of `mean_features`. is_face: (N,) bool."""

    features: Tensor
    is_face: Tensor


def truths(found: Sequence[Detection], scene: Scene) -> list[bool | None]:
    """Of each box: whether it lies on a face; None where it half does, or the teacher doubts."""
    answers: list[bool | None] = []
    boxes = np.array([detection.box for detection in found]).reshape(-1, 4)
    for overlap in all_overlaps(boxes, scene.boxes):
        if overlap.max(initial=0.0) < NEAR_OVERLAP:
            answers.append(False)
        else:
            best = overlap.argmax()
            sure = overlap[best] >= OVERLAP and not scene.doubtful[best]
            answers.append(True if sure else None)
    return answers


def detector_examples(
    scenes: Sequence[Scene], detector: CnnDetector, network: KeypointNet
) -> Examples:
    """The detector's boxes on the scenes' photos, each as it is and mirrored."""
    size = network.config.input_size
    parts = [_no_examples(network)]
    for scene in tqdm(scenes, unit="photo", mininterval=30):
        photo = read_photo(scene.path)
        found = detector(photo)
        known = [(d, truth) for d, truth in zip(found, truths(found, scene), strict=True)
                 if truth is not None]  # fmt: skip
        if not known:
            continue
        five = [d.points for d, _ in known if d.points is not None]
        crops = crops_from_boxes(np.array([d.box for d, _ in known]), five=np.stack(five))
        pictures = cut(photo, crops, size)
        features = crop_features(network, np.concatenate([pictures, pictures[:, :, ::-1]]))
        is_face = torch.tensor([truth for _, truth in known]).repeat(2)
        parts.append(Examples(features, is_face))
    return together(parts)


def view_examples(
    folders: Sequence[Path], network: KeypointNet, config: FaceScoreConfig
) -> Examples:
    """Random views of the labelled faces that `train.keypoints` trains on, and of places beside."""
    faces = split_by_subject(
        face for folder in folders for face in [*read_faces(folder), *read_turned(folder)]
    ).train
    drawn = TrainConfig(epoch_faces=config.views, non_faces=0.25, seed=config.seed)
    nothing = NonFaces([], np.zeros((0, 1, 1, 3)))
    views = RandomViews(faces, nothing, network.config.input_size, drawn)
    parts = [_no_examples(network)]
    alone = Process(0, 1, torch.device("cpu"))
    for keys in tqdm(batch_keys(drawn, 0, alone), unit="batch", mininterval=30):
        batch = [views[key] for key in keys]
        features = crop_features(network, np.stack([view for view, _, _ in batch]))
        parts.append(Examples(features, torch.tensor([is_face for _, _, is_face in batch])))
    return together(parts)


@torch.inference_mode()
def crop_features(network: KeypointNet, crops: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 RGB, S = `input_size`, to (N, C) float32 of `mean_features`; computed in
    bfloat16, nearer to what serving computes with, and in two thirds of float32's time."""
    x = preprocess(torch.from_numpy(np.ascontiguousarray(crops)), network.config)
    with torch.autocast("cpu", torch.bfloat16):
        features = network.features(x)
    return mean_features([level.float() for level in features])


def fit(examples: Examples, config: FaceScoreConfig) -> FaceHead:
    """Logistic regression with one hidden layer; faces and others weigh the same in sum."""
    torch.manual_seed(config.seed)
    mean, spread = examples.features.mean(0), examples.features.std(0) + 1e-3
    features, is_face = (examples.features - mean) / spread, examples.is_face.float()
    share = is_face.mean()
    weight = torch.where(examples.is_face, 0.5 / share, 0.5 / (1 - share))
    head = FaceHead(features.shape[1])
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    batches = list(_batches(len(features), config))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(batches))
    for batch in batches:
        hidden = head.hidden(F.dropout(features[batch], config.dropout))
        logit = head.logit(F.dropout(F.relu(hidden), config.dropout)).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(logit, is_face[batch], weight[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():  # the standardisation becomes part of the first layer
        head.hidden.weight.div_(spread)
        head.hidden.bias.sub_(head.hidden.weight @ mean)
    return head.eval()


def _batches(count: int, config: FaceScoreConfig) -> Iterator[Tensor]:
    for _ in range(config.epochs):
        yield from torch.randperm(count).split(config.batch_size)


def separation(head: nn.Module, examples: Examples) -> dict[str, float]:
    """Share of faces kept and of others thrown out at a face score of 0.5, in %."""
    with torch.inference_mode():
        kept = head(examples.features) > 0
    faces = examples.is_face
    return {
        "faces kept": 100 * kept[faces].float().mean().item(),
        "others thrown out": 100 * (~kept[~faces]).float().mean().item(),
    }


def _no_examples(network: KeypointNet) -> Examples:
    return Examples(torch.zeros((0, sum(network.config.widths))), torch.zeros(0, dtype=torch.bool))


def together(parts: Sequence[Examples]) -> Examples:
    """All of them as one."""
    return Examples(
        torch.cat([part.features for part in parts]), torch.cat([part.is_face for part in parts])
    )


def export(head: FaceHead, weights: Path, config: FaceScoreConfig, scores: dict) -> None:
    """Puts the head into the weights' files; every other weight in them stays as it is."""
    state, metadata = load_model(weights)
    state = {name: value for name, value in state.items() if not name.startswith("face.")}
    state |= {f"face.{name}": value for name, value in head.state_dict().items()}
    KeypointNet(KeypointNetConfig.from_dict(metadata["config"])).load_state_dict(state)
    facts = description(metadata)
    told = {"options": dataclasses.asdict(config), "validation": scores}
    facts["training"] = {**facts["training"], "face_score": told}
    save_model(weights, state, facts, half=True)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = program("keypoints.face_score", __doc__)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="with face_boxes.csv")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="COCO files")
    parser.add_argument("--faces", type=Path, nargs="+", required=True, help="68-point faces")
    parser.add_argument("--weights", type=Path, required=True, help="of the keypoint CNN")
    parser.add_argument("--detector", help="its weights; the project's own by default")
    add_config_arguments(parser, FaceScoreConfig())
    options = parser.parse_args(arguments)
    config = config_from_arguments(FaceScoreConfig(), options)
    training: list[Scene] = []
    validation: list[Scene] = []
    for folder in options.photos:
        parts = split_scenes(read_scenes(folder), folder, photos_of(options.held_out))
        training += parts[0]
        validation += parts[1]
    network = load_network(options.weights)
    detector = CnnDetector(CnnDetector.load(options.detector).engine, min_score=config.least_score)
    drawn = np.random.default_rng(config.seed).permutation(len(training))[: config.most_photos]
    seen = detector_examples([training[index] for index in drawn], detector, network)
    views = view_examples(options.faces, network, config)
    held_out = detector_examples(validation, detector, network)
    for photos, found in (("training", seen), ("held-out", held_out)):
        faces = int(found.is_face.sum())
        others = len(found.is_face) - faces
        print(f"{photos} photos: {faces} faces and {others} others, mirrored too")
        if not faces or not others:
            parser.error(
                f"the detector must find some of both on the {photos} photos, "
                f"at a score of {config.least_score} (--least-score)"
            )
    head = fit(together([seen, views]), config)
    scores = separation(head, held_out)
    export(head, options.weights, config, scores)
    print("validation, %: " + ", ".join(f"{name} {value:.1f}" for name, value in scores.items()))


if __name__ == "__main__":
    run(main)
