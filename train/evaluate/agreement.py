"""Whether the engine that serves gives PyTorch's answers: `python -m train.evaluate agreement`.

The reference is PyTorch in float32. Faces are the test faces with their own boxes; the detector's
boxes and the captions are those of the validation photos, the captions with beam 3.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from captioning.captioner import Captioner
from captioning.engine.speaker import EngineSpeaker
from captioning.options import SearchOptions
from facial_keypoints.detection import cnn
from facial_keypoints.detection.cnn import OVERLAP, CnnDetector
from facial_keypoints.geometry.boxes import landmark_box, overlap
from facial_keypoints.landmarks.crops import crops_from_boxes
from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.pipeline import FacialKeypoints, load_network
from keypoints_captions.engines import on_torch
from train.captioning.data import load_set, photo_square
from train.export.__main__ import NETWORKS
from train.faces.data import read_faces
from train.photos import read_photo

BATCH = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m train.evaluate agreement`."""
    parser.add_argument("--data", type=Path, required=True, help="holds faces/ and captions/")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="default: weights")
    parser.add_argument("--most", type=int, default=0, help="of faces and of photos; 0 for all")


def run(options: argparse.Namespace) -> None:
    """Prints the figures."""
    torch.set_grad_enabled(False)
    keypoints(options.data / "faces", options.weights, options.most or None)
    boxes(options.data / "captions", options.weights, options.most or None)
    captions(options.data / "captions", options.weights, options.most or None)


def keypoints(folder: Path, weights: Path, most: int | None) -> None:
    """Distances of the points, in pixels of a 128-pixel crop, and NME."""
    faces = [face for face in read_faces(folder) if face.split == "test"][:most]
    served = FacialKeypoints.load(weights).predictor
    exact = KeypointPredictor(load_network(weights))
    moved, errors = [], []
    for start in range(0, len(faces), BATCH):
        loaded = [face.load() for face in faces[start : start + BATCH]]
        images, truth = [image for image, _ in loaded], np.stack([points for _, points in loaded])
        crops = crops_from_boxes(np.stack([landmark_box(points) for points in truth]))
        found = [predictor(images, crops).points for predictor in (served, exact)]
        apart = np.linalg.norm(found[0] - found[1], axis=2)
        moved.append(128 * apart / crops.side[:, None])
        distances = [np.linalg.norm(points - truth, axis=2).mean(1) for points in found]
        errors.append(100 * np.stack(distances) / interocular_distance(truth))
    far, nme = np.concatenate(moved), np.concatenate(errors, axis=1).mean(1)
    print(
        f"{served.engine.name}, {len(faces)} test faces: points moved by {far.mean():.4f} px of 128"
    )
    print(
        f"on average, {np.percentile(far, 95):.4f} at the 95th percentile, {far.max():.4f} at most;"
    )
    print(f"NME {nme[0]:.4f}, PyTorch float32 {nme[1]:.4f}")


def boxes(folder: Path, weights: Path, most: int | None) -> None:
    """Distances of the edges of boxes that the detector hands on, in pixels of its canvas."""
    served, exact = CnnDetector.load(weights), CnnDetector(cnn.load_network(weights))
    apart, lost = [], 0
    for name in ("coco_val", "flickr8k_val"):
        for photo in load_set(str(folder / f"{name}.json"))[:most]:
            image = read_photo(photo.path)
            seen, known = served.eagerly([image])[0], exact(image)
            canvas_pixel = max(image.shape) / exact.side
            for one in known:
                overlaps = [overlap(one.box, other.box) for other in seen]
                if max(overlaps, default=0.0) < OVERLAP:
                    lost += 1
                    continue
                near = seen[int(np.argmax(overlaps))].box
                moved = one.box - near
                moved[2:] += moved[:2]  # of the right and the lower edge
                apart.append(np.abs(moved).max() / canvas_pixel)
    print(
        f"{served.engine.name}, {len(apart) + lost} boxes, {lost} lost: an edge moved by "
        f"{np.mean(apart):.3f} px on average, {np.percentile(apart, 95):.3f} at the 95th "
        f"percentile, {np.max(apart):.3f} at most"
    )


def captions(folder: Path, weights: Path, most: int | None) -> None:
    """The share of photos whose caption is the same, of each validation set."""
    served, exact = Captioner.load(weights), Captioner.load(weights, exact=True)
    reference = Captioner.load(weights, exact=True)
    networks = {
        name: on_torch.TorchEngine(module)
        for pair in ("captioning_encoder", "captioning_decoder")
        for name, module in NETWORKS[pair](weights).items()
    }
    seer, begin, step = networks.values()
    reference.speaker = EngineSpeaker(
        seer, begin, step, reference.speaker.tag_of, reference.speaker.choice
    )
    for name in ("coco_val", "flickr8k_val"):
        photos = load_set(str(folder / f"{name}.json"))[:most]
        same = np.zeros(2, int)
        for start in range(0, len(photos), BATCH):
            part = photos[start : start + BATCH]
            squares = [photo_square(photo, served.preprocessing) for photo in part]
            *mine, theirs = (
                [found[0].text for found in one.caption(one.look_at(squares), SearchOptions())]
                for one in (served, exact, reference)
            )
            same += (np.array(mine) == np.array(theirs)).sum(1)
        for one, count in zip((served, exact), same, strict=True):
            told = f"{count / len(photos):.1%} of {len(photos)} the same"
            print(f"{one.speaker.encoder.name}, {name}: {told}")
