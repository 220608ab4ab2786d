import argparse
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from facial_keypoints.face import Face, Pose
from tests.drawn_faces import write_faces_csv
from tests.synthetic_faces import make_face
from train.detector import haar_boxes
from train.engine.options import UsageError
from train.evaluate import keypoints, keypoints_false, keypoints_groups
from train.evaluate.keypoints_turned import _turned_left, nearest, print_turned
from train.faces.data import TURNED, LoadedFaces
from train.figures import Report
from train.keypoints import calibration, readings


def test_the_nearest_face_counts_and_a_far_one_is_missed() -> None:
    truth = make_face((100, 100), 80).points
    far, near = make_face((180, 100), 80), make_face((103, 100), 80)
    error, face = nearest([far, near], truth)
    size = math.sqrt(np.ptp(truth, axis=0).prod())
    assert face is near and error == pytest.approx(300 / size, rel=0.01)
    error, face = nearest([far], truth)
    assert face is None and math.isnan(error)


def test_points_turn_with_their_picture() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[7, 50] = 255
    points = np.array([[50.0, 7.0]])
    for _ in range(3):
        points = _turned_left(points, image.shape)
        image = np.rot90(image)
        (x, y) = points[0].astype(int)
        assert image[y, x].all()


def test_turned_faces_are_told_by_their_yaw(capsys: pytest.CaptureFixture[str]) -> None:
    poses = [Pose(10, 0, 0), Pose(50, 0, 0), Pose(-80, 0, 0)]
    heads = [make_face((100, 100), 80, pose) for pose in poses]
    images = [np.full((200, 200, 3), i, np.uint8) for i in range(3)]
    points = np.stack([head.points for head in heads])
    faces = LoadedFaces(images, points, np.array([TURNED] * 3), np.array([10.0, 40.0, -80.0]))
    answers = {0: [heads[0]], 1: [heads[1]], 2: []}

    class Pipeline:
        def __call__(self, image: np.ndarray) -> list[Face]:
            return answers[int(image[0, 0, 0])]

    print_turned(Report(), faces, Pipeline())  # type: ignore[arg-type]
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if "°" in line]
    assert [row[1].strip() for row in rows] == ["1", "1", "1"]
    assert rows[0][2].strip() == "0.00" and rows[1][2].strip() == "0.00"
    assert rows[2][3].strip() == "1 (100.0 %)"
    assert float(rows[1][4].strip().rstrip("°")) == pytest.approx(10, abs=1)


def test_a_face_that_the_teacher_missed_is_none_by_its_word_and_one_by_eye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keypoints_false, "TRAINING_PHOTOS", 0)
    monkeypatch.setattr(keypoints_false, "FACES_BY_EYE", {"in/two.png": (50, 60)})
    (tmp_path / "in").mkdir()
    names = ["in/none.png", "in/one.png", "in/two.png", "in/teacher.png"]
    for width, name in enumerate(names, 10):
        Image.new("RGB", (width, 10)).save(tmp_path / name)
    rows = [f"{name},," for name in names[:3]] + ["in/teacher.png,1,1"]
    (tmp_path / "face_boxes.csv").write_text("\n".join(["file,x,y", *rows]))
    head, other = make_face((50, 60), 40), make_face((150, 60), 40)
    answers = {10: [], 11: [head], 12: [head, other]}

    class Detector:
        name = "told"

        def __call__(self, image: np.ndarray) -> list[None]:
            return [None] * 3

    class Pipeline:
        detector = Detector()

        def __call__(self, image: np.ndarray) -> list[Face]:
            return answers[image.shape[1]]

    keypoints_false.print_false_faces(Report(), Pipeline(), tmp_path)  # type: ignore[arg-type]
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "told" in line]
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["3", "3.0000", "1.0000", "0.6667"]


def evaluate(evaluation: ModuleType, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    evaluation.add_arguments(parser)
    evaluation.run(parser.parse_args(arguments))


def test_faces_of_ones_own_are_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_faces_csv(tmp_path, 16)  # the hash takes three for validation
    sheet = tmp_path / "sheet.png"
    evaluate(keypoints, "--data", str(tmp_path), "--sheet", str(sheet))
    assert "| validation | 3 |" in capsys.readouterr().out
    assert Image.open(sheet).size == (4 * 256, 256)
    with pytest.raises(UsageError, match="faces of LFPW test or of YouTube Faces"):
        evaluate(keypoints_groups, "--data", str(tmp_path))


def test_a_folder_without_faces_to_evaluate_is_refused(tmp_path: Path) -> None:
    write_faces_csv(tmp_path, 3)  # all to be trained on
    with pytest.raises(UsageError, match="Expected validation faces"):
        evaluate(keypoints, "--data", str(tmp_path))
    with pytest.raises(UsageError, match="Expected validation faces"):
        readings.main(["--data", str(tmp_path)])
    with pytest.raises(UsageError, match="Expected validation faces"):
        calibration.main(["--data", str(tmp_path), "--weights", "none"])
    haar_boxes.main(["--data", str(tmp_path)])
