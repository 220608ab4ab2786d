import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet50

from facial_keypoints.landmarks.markup import NUM_POINTS
from facial_keypoints.pipeline import FacialKeypoints
from keypoints_captions.photos.reader import read_photo
from tests.drawn_faces import write_faces_csv
from train.captioning.features import pretrained_encoder
from train.detector.data import teacher_boxes
from train.engine.checkpoints import best_checkpoint
from train.engine.options import UsageError
from train.faces.data import read_faces
from train.keypoints import unlabelled
from train.keypoints.__main__ import main
from train.keypoints.distil import between, coarse
from train.keypoints.teacher import TeacherConfig, pretrained
from train.keypoints.training import label_maps

SMALL = ["--workers", "0", "--batch-size", "4", "--epoch-faces", "4", "--epochs", "1"]
SMALL += ["--non-faces", "0", "--input-size", "64", "--validate-every", "1"]
PHOTO = Path(__file__).parent.parent / "assets" / "examples" / "two_portraits.jpg"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_faces_csv(folder, 16)
    return folder


def test_a_network_learns_from_a_teacher_and_from_faces_without_labels(
    data: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    weights, teacher = tmp_path / "resnet50.safetensors", tmp_path / "teacher"
    save_file({name: value.half() for name, value in resnet50().state_dict().items()}, weights)
    run = ["teacher", "--data", str(data), *SMALL, "--read-size", "64"]
    main([*run, "--encoder-weights", str(weights), "--checkpoints", str(teacher)])
    run = ["train", "--data", str(data), *SMALL, "--widths", "16", "32", "32", "32"]
    run += ["--depths", "1", "1", "1", "1", "--checkpoints", str(tmp_path / "run")]
    main(
        [
            *run,
            "--teacher",
            str(teacher),
            "--unlabelled",
            str(data),
            "--unlabelled-share",
            "0.5",
            "--teacher-mirror",
        ]
    )
    best = best_checkpoint(tmp_path / "run")
    assert best["network"]["widths"] == (16, 32, 32, 32)
    assert all(value.isfinite().all() for value in best["model"].values())
    taught = best["history"][-1]
    assert taught["unlabelled_share"] == 0.5
    assert taught["teacher"]["network"]["read_size"] == 64
    assert taught["teacher"]["runs"][0]["encoder_rate"] == 0.1
    main(["export", "--checkpoints", str(tmp_path / "run"), "--weights", str(tmp_path / "out")])


def test_faces_without_labels_need_a_teacher(data: Path, tmp_path: Path) -> None:
    run = ["train", "--data", str(data), *SMALL, "--checkpoints", str(tmp_path)]
    with pytest.raises(UsageError, match="--teacher"):
        main([*run, "--unlabelled", str(data)])
    for given in (["--unlabelled", str(data)], ["--unlabelled-share", "0.2"]):
        with pytest.raises(UsageError, match="Expected both --unlabelled and the share"):
            main([*run, "--teacher", "none", *given])


@pytest.mark.parametrize("held", [b"no tensors", None])
def test_encoder_weights_of_another_kind_are_refused(held: bytes | None, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    if held is None:
        save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, weights)
    else:
        weights.write_bytes(held)
    with pytest.raises(UsageError, match=r"Expected a ResNet-50 .*weights\.safetensors, got"):
        pretrained(TeacherConfig(), weights)
    with pytest.raises(UsageError, match=r"Expected a ResNet-50 .*weights\.safetensors, got"):
        pretrained_encoder(str(weights), "v1")


def test_heat_maps_keep_their_place_at_another_resolution() -> None:
    point = torch.tensor([[[0.1, -0.2]]])
    fine = label_maps(point, 64)
    seen = coarse(fine.unflatten(2, (64, 64)), 20)
    assert seen.sum().item() == pytest.approx(1, abs=1e-5)
    axis = (torch.arange(20) + 0.5) / 20 - 0.5
    rows = seen.view(20, 20)
    assert (rows.sum(0) * axis).sum().item() == pytest.approx(0.1, abs=2e-3)
    assert (rows.sum(1) * axis).sum().item() == pytest.approx(-0.2, abs=2e-3)
    torch.testing.assert_close(seen, label_maps(point, 20), atol=0.02, rtol=0)


def test_a_teacher_is_believed_where_it_is_near_or_alone() -> None:
    labels = torch.zeros(2, NUM_POINTS, 2)
    labels[1] = torch.nan
    points = torch.full((2, NUM_POINTS, 2), 0.01)
    points[0, 5] = 0.3  # far off
    maps = label_maps(points, 20)
    mixed, shapes = between(labels, points, maps, 0.5)
    assert mixed[0, 0].tolist() == pytest.approx([0.005, 0.005])
    assert mixed[0, 5].tolist() == [0, 0]
    torch.testing.assert_close(mixed[1], points[1])
    torch.testing.assert_close(shapes[1], maps[1])
    torch.testing.assert_close(shapes.sum(2), torch.ones(2, NUM_POINTS))


def test_faces_of_photos_are_cut_out_with_the_points_that_are_seen(tmp_path: Path) -> None:
    faces = FacialKeypoints.load()(read_photo(PHOTO))
    assert faces, "the example shows a face"
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    with open(tmp_path / "face_boxes.csv", "w", newline="") as file:
        writer = csv.writer(file)
        eyes = [f"{eye}_eye_{axis}" for eye in ("right", "left") for axis in "xy"]
        writer.writerow(["file", "x", "y", "w", "h", "score", *eyes])
        for face in faces:
            low, high = face.points.min(axis=0), face.points.max(axis=0)
            box = teacher_boxes(np.concatenate([low, high - low])[None])[0]
            writer.writerow(["photo.jpg", *box, 0.95, 0, 0, 0, 0])
    out = tmp_path / "cut"
    with pytest.raises(UsageError, match=r"of 9000 pixels or more .* got none"):
        unlabelled.main(["--photos", str(tmp_path), "--output", str(out), "--least", "9000"])
    unlabelled.main(["--photos", str(tmp_path), "--output", str(out), "--least", "20"])
    cuts = read_faces(out)
    assert cuts
    for cut in cuts:
        image, points = cut.load()
        assert max(image.shape) <= 160
        assert points.min() > 0 and points.max() < image.shape[0]
