import argparse
import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facial_keypoints.detection.cnn import CnnDetector, load_network
from facial_keypoints.detection.detectors import Detection
from facial_keypoints.detection.network import (
    Cells,
    DetectorNet,
    DetectorNetConfig,
    cell_grid,
)
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.markup import five_points
from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig
from facial_keypoints.landmarks.predictor import KeypointPredictor
from keypoints_captions.model_card import Card, Metadata, read_card, write_card
from keypoints_captions.weights import save_model
from tests.drawn_faces import draw_face, write_faces_csv
from train.detector import labels
from train.detector.__main__ import best_network, main
from train.detector.augment import photo_canvas
from train.detector.batches import RandomCanvases
from train.detector.canvas import Faces, Picture, moved, warp
from train.detector.data import (
    KeypointLabels,
    landmark_boxes,
    read_scenes,
    read_teacher,
    teacher_boxes,
)
from train.detector.dataset import read_data
from train.detector.labels import box_offsets, label
from train.detector.loss import assign, detector_loss
from train.detector.metrics import match, match_scene, together
from train.detector.mining import Mined, add_mined, mine
from train.engine.checkpoints import load_checkpoint
from train.engine.options import UsageError
from train.evaluate import detection as evaluate_detection
from train.evaluate import detection_faces as evaluate_detection_faces
from train.faces.data import TURNED

TINY = ["--widths", "16", "24", "32", "32", "--depths", "1", "0", "0", "--neck", "16"]
TINY += ["--workers", "0", "--batch-size", "8", "--canvas", "96", "--large-every", "4"]
GRIDS = [torch.Size([16, 16]), torch.Size([8, 8]), torch.Size([4, 4])]  # of 128 × 128 pixels


def write_world(folder: Path, photos: int = 12) -> None:
    """Photos with drawn faces and a teacher's table, every third without one; COCO annotations of
    the last four; and faces with 68 points in `faces/`.
    """
    rng = np.random.default_rng(1)
    lines = ["file,x,y,w,h,score,right_eye_x,right_eye_y,left_eye_x,left_eye_y"]
    for number in range(photos):
        image = np.full((128, 160, 3), rng.integers(0, 256, 3), np.uint8)
        name = f"{number:02}.png"
        if number % 3 == 2:
            lines.append(f"{name},,,,,,,,,")
        else:
            face, points = draw_face(rng, 72)
            left, top = rng.integers(0, (160 - 72, 128 - 72))
            image[top : top + 72, left : left + 72] = face
            points = points + np.array([left, top])
            x, y, width, height = teacher_boxes(landmark_box(points)[None])[0]
            eyes = five_points(points)[:2].ravel()
            score = 0.6 if number == 0 else 0.9
            values = [x, y, width, height, score, *eyes]
            lines.append(",".join([name, *(f"{value:.2f}" for value in values)]))
        cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    (folder / "face_boxes.csv").write_text("\n".join(lines) + "\n")
    held_out = [{"file_name": f"{number:02}.png"} for number in range(photos - 4, photos)]
    (folder / "val.json").write_text(json.dumps({"images": held_out}))
    (folder / "faces").mkdir()
    write_faces_csv(folder / "faces", 16)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


def data_options(world: Path) -> list[str]:
    options = ["--photos", str(world), "--faces", str(world / "faces")]
    return [*options, "--held-out", str(world / "val.json")]


def test_show_writes_a_sheet(world: Path, tmp_path: Path) -> None:
    run = ["--checkpoints", str(tmp_path), "--output", str(tmp_path / "sheet.png")]
    main(["show", *data_options(world), *run, "--canvas", "64"])
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (5 * 64, 6 * 64, 3)


def test_turned_faces_are_learnt_on_other_backgrounds(world: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    shutil.copytree(world / "faces", faces)
    head, *rows = (faces / "faces.csv").read_text().splitlines()
    (source,) = {row.split(",")[1] for row in rows}
    rows = [
        row.replace(f",{source},", f",{TURNED},", 1).replace("128,128,", "128,128,1,70,2,", 1)
        for row in rows
    ]
    head = head.replace("height,", "height,pitch,yaw,roll,")
    (faces / "turned.csv").write_text("\n".join([head, *rows]))
    data = read_data([world], [faces], held_out=[world / "val.json"])
    turned = np.flatnonzero(data.sources == TURNED)
    assert 0 < len(turned) < len(data.faces) and (np.abs(data.face_yaws[turned]) == 70).all()
    canvases = RandomCanvases(data, tmp_path / "cache", turned_share=1.0)
    draws = [canvases.sources.face_crop(np.random.default_rng(seed)) for seed in range(6)]
    originals = [canvases.face_store[index] for index in turned]
    hidden = [
        all((image[:4] != picture.image[:4]).any() for image in originals) for picture in draws
    ]
    assert any(hidden)  # a plain background stays the same when it is blurred


def test_a_tiny_network_learns_the_drawn_faces(world: Path, tmp_path: Path) -> None:
    run = ["train", *data_options(world), *TINY, "--checkpoints", str(tmp_path / "run")]
    run += ["--epochs", "2", "--epoch-canvases", "640", "--ema", "0.95", "--warmup", "0.1"]
    main([*run, "--learning-rate", "5e-3", "--weights", str(tmp_path / "weights" / "tiny")])
    detector = CnnDetector(load_network(tmp_path / "weights" / "tiny"), 160, min_score=0.05)
    scenes = read_scenes(world)
    matches = together(
        [match_scene(detector(cv2.imread(str(scene.path))[..., ::-1]), scene) for scene in scenes]
    )
    assert matches.faces == 7
    assert matches.average_precision() > 0.6
    metadata = json.loads((tmp_path / "weights" / "tiny.json").read_text())
    assert metadata["config"]["widths"] == [16, 24, 32, 32]
    assert metadata["training"]["validation"]["epoch"] in (1, 2)
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    sheet = tmp_path / "worst.png"
    run = ["--checkpoints", str(tmp_path / "run"), "--output", str(sheet)]
    main(["worst", *data_options(world), *run])
    assert cv2.imread(str(sheet)).shape == (320, 6 * 320, 3)


def test_a_stopped_run_goes_on_where_it_was(world: Path, tmp_path: Path) -> None:
    run = ["train", *data_options(world), *TINY, "--epochs", "2", "--epoch-canvases", "16"]
    main([*run, "--checkpoints", str(tmp_path / "whole")])
    for _ in range(4):  # each call stops after one step, which is half an epoch
        main([*run, "--checkpoints", str(tmp_path / "parts"), "--stop-after", "0"])
    whole, parts = (
        load_checkpoint(tmp_path / name / "last.pt", torch.device("cpu"))
        for name in ("whole", "parts")
    )
    assert whole is not None
    assert parts is not None
    assert whole["step"] == parts["step"] == 4
    assert whole["done"] and parts["done"]
    for name, value in whole["model"].items():
        torch.testing.assert_close(value, parts["model"][name], msg=name)


def test_a_run_starts_from_anothers_network(world: Path, tmp_path: Path) -> None:
    run = ["train", *data_options(world), *TINY, "--epochs", "1", "--epoch-canvases", "16"]
    main([*run, "--checkpoints", str(tmp_path / "first")])
    more = ["--start-from", str(tmp_path / "first"), "--learning-rate", "0"]
    main([*run, *more, "--checkpoints", str(tmp_path / "second"), "--seed", "1"])
    first, second = (best_network(tmp_path / name) for name in ("first", "second"))
    torch.testing.assert_close(second.predict[0].weight, first.predict[0].weight)
    exported = ["--checkpoints", str(tmp_path / "second"), "--weights", str(tmp_path / "weights")]
    main(["export", *exported])
    metadata = json.loads((tmp_path / "weights.json").read_text())
    starts = [run["start_from"] for run in metadata["training"]["runs"]]
    assert starts == ["", "first"], "no path of this machine"


def test_the_clock_ends_a_run(world: Path, tmp_path: Path) -> None:
    run = ["train", *data_options(world), *TINY, "--epochs", "1000", "--epoch-canvases", "16"]
    main([*run, "--checkpoints", str(tmp_path), "--minutes", "0.02"])
    state = load_checkpoint(tmp_path / "last.pt", torch.device("cpu"))
    assert state is not None
    assert state["done"]
    assert state["step"] < 1998


def test_exporting_without_a_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train first"):
        main(["export", "--checkpoints", str(tmp_path), "--weights", str(tmp_path / "weights")])


def test_the_evaluation_prints_every_table(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_detection, "PHOTO_SIZES", ((320, 240),))
    network = DetectorNet(DetectorNetConfig(widths=(16, 16, 16, 16), depths=(0, 0, 0), neck=16))
    metadata = {"config": dataclasses.asdict(network.config)}
    save_model(tmp_path / "random", network.state_dict(), metadata)
    write_faces_csv(tmp_path, 3)
    table = (tmp_path / "faces.csv").read_text()
    (tmp_path / "faces.csv").write_text(table.replace(",toy,train,", ",lfpw,test,"))
    options = ["--photos", str(world), "--held-out", str(world / "val.json"), "--repeats", "1"]
    options += ["--faces", str(tmp_path), "--weights", str(tmp_path / "random"), "--thresholds"]
    card = tmp_path / "card.md"
    write_card(Card(Metadata(pipeline_tag="object-detection"), "\n## Figures\n"), card)
    options += ["--write-card", str(card)]
    parser = argparse.ArgumentParser()
    evaluate_detection.add_arguments(parser)
    evaluate_detection.run(parser.parse_args(options))
    printed = capsys.readouterr().out
    assert printed.count("\n###") == 7
    assert "### 4 held-out photos, 2 faces" in printed
    assert "| LFPW test | haar | 3 |" in printed
    assert "| 320×240 |" in printed
    written = read_card(card)
    assert written.value("by-size", "faces", side="≥ 16", detector="cnn") == 2
    assert written.value("times", "ms", photo="320×240", detector="haar") > 0
    assert written.value("labelled-faces", "faces", set="LFPW test", detector="cnn") == 3
    assert written.section("Figures").count("\n###") == printed.count("\n###")


def test_faces_are_pasted_where_the_box_says() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:60, 30:70] = 255
    scene, box = evaluate_detection_faces.paste(image, np.array([30.0, 20, 40, 40]), 80)
    assert scene.shape == (480, 640, 3)
    left, top, width, height = box.round().astype(int)
    assert (width, height) == (80, 80)
    assert scene[top + 2 : top + 78, left + 2 : left + 78].min() == 255
    assert scene[top - 6 : top - 3, left : left + 80].max() == 0


def test_turned_faces_keep_their_points() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[45:56, 78:83] = 255  # to the right of the middle
    turned, points = evaluate_detection_faces.turn_face(image, np.array([[80.0, 50.0]]), 90)
    np.testing.assert_allclose(points, [[50, 80]], atol=1e-9)  # clockwise: below it
    assert turned[80, 50].min() == 255


def test_labels_of_the_keypoint_cnn_replace_the_teachers_where_they_agree(
    world: Path, tmp_path: Path
) -> None:
    plain = [scene for scene in read_scenes(world) if len(scene)]
    boxes = np.concatenate([scene.boxes for scene in plain]) + 1
    points = np.full((len(boxes), 5, 2), 5.0, np.float32)
    points[:, :2] = [face.eyes for face in read_teacher(world)]
    score = np.ones(len(boxes), np.float32)
    score[1] = 0.2  # not sure
    points[2, 0] += 30  # another face's eye
    KeypointLabels(boxes, points, score).save(tmp_path / "labels.npz")
    labels = KeypointLabels.load(tmp_path / "labels.npz")
    labelled = [scene for scene in read_scenes(world, labels) if len(scene)]
    np.testing.assert_allclose(labelled[0].boxes, plain[0].boxes + 1)
    assert (labelled[0].points[0, 2:] == 5).all()
    for number in (1, 2):
        np.testing.assert_allclose(labelled[number].boxes, plain[number].boxes)
        assert np.isnan(labelled[number].points).all()


def test_doubtful_faces_are_marked(world: Path) -> None:
    doubtful = np.concatenate([scene.doubtful for scene in read_scenes(world)])
    assert doubtful.tolist() == [True] + [False] * 7


def test_mined_boxes_come_from_photos_without_a_face(world: Path, tmp_path: Path) -> None:
    class Eager:
        name = "eager"

        def __call__(self, image: np.ndarray) -> list[Detection]:
            return [Detection(np.array([float(i), 2, 30, 40]), 0.9 - i / 20) for i in range(10)]

    scenes = read_scenes(world)
    mine(scenes, world, Eager()).save(tmp_path / "mined.npz")
    mined = Mined.load(tmp_path / "mined.npz")
    assert set(mined.files) == {"02.png", "05.png", "08.png", "11.png"}
    hard = [len(scene.hard) for scene in add_mined(scenes, world, mined)]
    assert hard == [0, 0, 8] * 4, "the surest eight of a photo"
    data = read_data([world], [], None, tmp_path / "mined.npz", [world / "val.json"])
    assert sum(len(scene.hard) for scene in data.photos) == 16
    assert not any(len(scene.hard) for scene in data.validation_photos)


def test_hard_places_are_looked_at_more_often() -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    image[700:720, 300:320] = 255
    nothing = np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0, bool)
    plain = Picture(image, *nothing, np.zeros((0, 4)))
    marked = Picture(image, *nothing, np.array([[295.0, 695, 30, 30]]))
    rng = np.random.default_rng(0)
    seen, seen_marked = (
        sum((photo_canvas(picture, 96, rng).image == 255).all(axis=2).any() for _ in range(40))
        for picture in (plain, marked)
    )
    assert seen < 12
    assert seen_marked > 24


@pytest.mark.parametrize("value", ["nan", "0", "wide"])
def test_a_damaged_row_of_the_teachers_table_is_named(value: str, tmp_path: Path) -> None:
    head = "file,x,y,w,h,score,right_eye_x,right_eye_y,left_eye_x,left_eye_y"
    rows = ["a.png,,,,,,,,,", f"b.png,1,2,{value},9,0.9,3,4,5,4"]
    (tmp_path / "face_boxes.csv").write_text("\n".join([head, *rows]))
    with pytest.raises(UsageError, match=r"face_boxes\.csv, row 3: expected file, x, y"):
        read_scenes(tmp_path)


def test_data_that_do_not_belong_together_are_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text(json.dumps({"images": [{"file_name": "photos/08.png"}]}))
    with pytest.raises(UsageError, match=r"such as photos/08\.png, got others only, such as .*png"):
        read_data([world], [], held_out=[tmp_path / "val.json"])
    (tmp_path / "val.json").write_text("[]")
    with pytest.raises(UsageError, match=r"COCO's JSON in .*val\.json"):
        read_data([world], [], held_out=[tmp_path / "val.json"])
    labels = KeypointLabels(*(np.zeros((2, *shape), np.float32) for shape in ((4,), (5, 2), ())))
    with pytest.raises(UsageError, match=r"labels of the 8 faces of .*face_boxes\.csv, got 2"):
        read_scenes(world, labels)
    with pytest.raises(UsageError, match=r"\(--faces\), got [1-9]\d*, [1-9]\d* and 0"):
        RandomCanvases(read_data([world], []), tmp_path)


def test_shrunk_photos_stay_under_their_boxes() -> None:
    x, y = np.meshgrid(np.arange(800.0), np.arange(800.0))
    at, scale = np.array([400.0, 420.0]), 0.1
    blob = 250 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 80.0**2))
    photo = np.repeat(blob.astype(np.uint8)[:, :, None], 3, axis=2)
    matrix = np.array([[scale, 0.0, 20.0], [0.0, scale, 15.0]])
    seen = warp(photo, matrix, np.array([120, 120]), cv2.BORDER_CONSTANT, (0, 0, 0))[:, :, 0]
    x, y = np.meshgrid(np.arange(120.0), np.arange(120.0))
    middle = np.array([(x * seen).sum(), (y * seen).sum()]) / seen.sum()
    np.testing.assert_allclose(middle, matrix[:, :2] @ at + matrix[:, 2], atol=0.1)


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1)])
def test_a_photo_of_one_row_is_shrunk(size: tuple[int, int]) -> None:
    matrix = np.array([[0.05, 0.0, 0.0], [0.0, 0.05, 0.0]])
    whole = np.zeros((*size, 3), np.uint8)
    assert warp(whole, matrix, np.array([90, 60]), 0, (9, 9, 9)).shape == (60, 90, 3)


def test_landmark_boxes_and_back() -> None:
    boxes = np.array([[10.0, 20.0, 30.0, 40.0], [-5.0, 0.0, 8.0, 10.0]])
    np.testing.assert_allclose(teacher_boxes(landmark_boxes(boxes)), boxes)


def test_mirrored_and_turned_faces_keep_their_marks() -> None:
    boxes = np.array([[10.0, 10.0, 30.0, 30.0]])
    points = np.array([[[15.0, 15.0], [25.0, 15.0], [20.0, 20.0], [16.0, 25.0], [24.0, 25.0]]])
    mirror = np.array([[-1.0, 0.0, 99.0], [0.0, 1.0, 0.0]])
    new_boxes, new_points = moved(boxes, points, mirror)
    np.testing.assert_allclose(new_boxes, [[69, 10, 89, 30]])
    np.testing.assert_allclose(new_points[0, 0], [74, 15])  # the right eye is still on the left
    assert new_points[0, 0, 0] < new_points[0, 1, 0]
    quarter = np.array([[0.0, -1.0, 50.0], [1.0, 0.0, 0.0]])
    wide = np.array([[10.0, 10.0, 40.0, 30.0]])
    np.testing.assert_allclose(moved(wide, points, quarter)[0], [[20, 10, 40, 40]], atol=1e-9)


def test_faces_cut_off_or_tiny_are_ignored() -> None:
    boxes = np.array([[0.0, 0, 40, 40], [-30, 0, 10, 40], [-39, 0, 1, 40], [50, 50, 54, 54]])
    points = np.full((4, 5, 2), np.nan)
    faces = Faces()
    nothing = np.zeros(4, bool)
    whole = np.array([[1.0, 0, 0], [0, 1, 0]])
    picture = Picture(np.zeros((9, 9, 3), np.uint8), boxes, points, nothing, np.zeros((0, 4)))
    faces.add(picture, whole, (0, 0, 99, 99))
    canvas = faces.canvas(np.zeros((99, 99, 3), np.uint8))
    assert canvas.ignored.tolist() == [False, True, True]  # the third shows next to nothing
    assert canvas.boxes[1].tolist() == [0, 0, 10, 40]


def test_a_canvas_shows_the_photo_where_its_boxes_say() -> None:
    image = np.zeros((100, 120, 3), np.uint8)
    image[30:50, 40:60] = 255
    box = np.array([[39.5, 29.5, 59.5, 49.5]])
    points = np.full((1, 5, 2), np.nan)
    picture = Picture(image, box, points, np.zeros(1, bool), np.zeros((0, 4)))
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(30):
        canvas = photo_canvas(picture, 96, rng)
        for (left, top, right, bottom), ignored in zip(
            canvas.boxes.round().astype(int), canvas.ignored, strict=True
        ):
            if ignored or left < 0 or top < 0 or right > 96 or bottom > 96:
                continue
            lit = canvas.image[top:bottom, left:right].mean()
            assert lit > 110, "the box holds the white square, turned or not"
            compared += 1
    assert compared > 10


def test_cells_in_a_faces_middle_answer_for_it() -> None:
    # 20 pixels: the grid of stride 8 alone. 30 pixels: those of stride 8 and 16.
    boxes = torch.tensor([[[10.0, 10, 30, 30], [80, 80, 110, 110], [40, 90, 60, 110]]])
    ignored = torch.tensor([[False, False, True]])
    face, counts = assign(boxes, ignored, GRIDS)
    centres, strides = cell_grid(GRIDS, torch.device("cpu"))
    for number, levels in ((0, {8.0}), (1, {8.0, 16.0})):
        mine = face[0] == number
        assert set(strides[mine].tolist()) == levels
        assert (centres[mine] > boxes[0, number, :2]).all()
        assert (centres[mine] < boxes[0, number, 2:]).all()
    assert not (face == 2).any()
    in_ignored = ((centres > boxes[0, 2, :2]) & (centres < boxes[0, 2, 2:])).all(dim=1)
    assert not counts[0, in_ignored].any()
    assert counts[0, ~in_ignored].all()


def test_the_loss_is_least_for_the_right_answer() -> None:
    boxes = torch.tensor([[[10.0, 10, 30, 30]]])
    points = torch.full((1, 1, 5, 2), torch.nan)
    points[0, 0, :2] = torch.tensor([[15.0, 15.0], [25.0, 15.0]])
    ignored = torch.tensor([[False]])
    face, _ = assign(boxes, ignored, GRIDS)
    seen = face >= 0
    count = seen.shape[1]
    right = Cells(
        torch.where(seen, 12.0, -12.0),
        boxes.expand(1, count, 4),
        points.nan_to_num(3.0).expand(1, count, 5, 2),
    )
    silent = right._replace(logit=torch.full((1, count), -12.0))
    aside = right._replace(box=right.box + 4)
    lost = right._replace(points=right.points + 4)
    totals = [
        float(sum(detector_loss(cells, GRIDS, boxes, points, ignored).values()))
        for cells in (right, silent, aside, lost)
    ]
    assert totals[0] < 1e-3
    assert min(totals[1:]) > 0.05


def test_the_best_box_of_a_face_is_to_have_the_highest_score() -> None:
    boxes, ignored = torch.tensor([[[10.0, 10, 30, 30]]]), torch.tensor([[False]])
    face, _ = assign(boxes, ignored, GRIDS)
    best, other, *_ = torch.nonzero(face[0] == 0).squeeze(1).tolist()
    count = face.shape[1]
    box = (boxes + 2).expand(1, count, 4).clone()  # none of the boxes is quite right
    box[0, other, 2:] += 8
    logit = torch.full((1, count), 3.0, requires_grad=True)
    cells = Cells(logit, box, torch.zeros(1, count, 5, 2))
    terms = detector_loss(cells, GRIDS, boxes, torch.full((1, 1, 5, 2), torch.nan), ignored)
    terms["score"].backward()
    assert logit.grad is not None
    assert logit.grad[0, best] < 0, "towards 1"
    assert logit.grad[0, other] > 0
    assert logit.grad[0, face[0] < 0].min() > 0


def test_canvases_without_faces_have_a_loss() -> None:
    count = sum(size.numel() for size in GRIDS)
    logit = torch.zeros(1, count, requires_grad=True)
    box = torch.tensor([0.0, 0, 8, 8]).expand(1, count, 4)
    cells = Cells(logit, box, torch.zeros(1, count, 5, 2))
    nothing = torch.zeros(1, 1, 4), torch.full((1, 1, 5, 2), torch.nan), torch.ones(1, 1).bool()
    terms = detector_loss(cells, GRIDS, *nothing)
    sum(terms.values()).backward()
    assert logit.grad is not None
    assert (logit.grad > 0).all()
    assert terms["box"] == terms["points"] == 0


def test_matches_are_counted_as_by_hand() -> None:
    boxes = np.array([[0.0, 0, 20, 20], [50, 50, 20, 20], [100, 0, 20, 20], [0, 100, 8, 8]])
    ignored = np.array([False, False, True, False])
    found = [
        Detection(np.array([1.0, 0, 20, 20]), 0.9),  # right
        Detection(np.array([0.0, 2, 20, 20]), 0.8),  # the same face again: wrong
        Detection(np.array([100.0, 0, 20, 20]), 0.7),  # ignored
        Detection(np.array([51.0, 50, 20, 20]), 0.6),  # right
        Detection(np.array([0.0, 100, 8, 8]), 0.5),  # too small to count
    ]
    matches = match(found, boxes, ignored, (10.0, np.inf))
    assert matches.scores.tolist() == [0.9, 0.8, 0.6]
    assert matches.right.tolist() == [True, False, True]
    assert matches.faces == 2
    assert matches.recall() == 1
    assert matches.recall(0.85) == 0.5
    assert matches.precision() == pytest.approx(2 / 3)
    assert matches.average_precision() == pytest.approx((1 + 2 / 3) / 2)


def test_offsets_of_labels_are_medians_of_shares(world: Path) -> None:
    faces = read_teacher(world)
    boxes = landmark_boxes(np.array([face.box for face in faces]))
    points = np.zeros((len(faces), 5, 2))
    points[:, 1, 0] = 10  # eyes level
    rows = box_offsets(faces, KeypointLabels(boxes, points, np.ones(len(faces))))
    sure = [face for face in faces if face.score >= 0.8 and face.side >= 32]
    assert len(rows) == len(sure)
    # Boxes are centred at x + (w - 1) / 2 there, as crops are.
    np.testing.assert_allclose(rows[:, 2:], [[1.03, 0.76]] * len(rows), atol=1e-6)


def test_labelling_looks_at_faces_that_are_large_enough(world: Path) -> None:
    config = KeypointNetConfig(widths=(16, 16, 16, 16), depths=(1, 1, 1, 1))
    predictor = KeypointPredictor(KeypointNet(config), passes=1, mirror=False)
    faces = read_teacher(world)
    assert np.isnan(label(faces, predictor, smallest=1000).score).all()
    labels = label(faces[:2], predictor, smallest=10)
    assert np.isfinite(labels.points).all()
    assert ((labels.score >= 0) & (labels.score <= 1)).all()


def test_labels_are_written_though_no_face_tells_of_the_boxes(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "labels.npz"  # drawn faces of 16 pixels and more, none of 1000
    labels.main(["--photos", str(world), "--output", str(out), "--smallest", "1000"])
    assert np.isnan(KeypointLabels.load(out).score).all()
    assert "0 faces: centre x" in capsys.readouterr().out


def test_programs_for_held_out_photos_want_some(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--held-out"):
        main(["worst", "--photos", str(world), "--checkpoints", str(tmp_path)])
    (tmp_path / "val.json").write_text(json.dumps({"images": [{"file_name": "photos/08.png"}]}))
    parser = argparse.ArgumentParser()
    evaluate_detection.add_arguments(parser)
    given = ["--photos", str(world), "--held-out", str(tmp_path / "val.json")]
    with pytest.raises(UsageError, match="--held-out"):
        evaluate_detection.run(parser.parse_args(given))
