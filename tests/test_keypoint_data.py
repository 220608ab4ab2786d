import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from facial_keypoints.export import to_pts
from facial_keypoints.landmarks.markup import FLIP
from tests.drawn_faces import draw_face, write_faces_csv
from tests.synthetic_faces import make_face
from train.engine.options import UsageError
from train.faces.background import hide_background
from train.faces.data import (
    TURNED,
    LabelledFace,
    read_faces,
    read_turned,
    split_by_subject,
)
from train.faces.draw import SourceDraw
from train.keypoints.augment import (
    degrade,
    random_misplaced,
    random_non_face,
    random_view,
)
from train.keypoints.non_faces import read_non_faces


def write_photo(path: Path, width: int = 300, height: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


def test_faces_csv(tmp_path: Path) -> None:
    write_faces_csv(tmp_path, 3)
    faces = read_faces(tmp_path)
    assert [face.path.name for face in faces] == ["000.png", "001.png", "002.png"]
    image, points = faces[0].load()
    assert image.shape == (128, 128, 3)
    assert points.shape == (68, 2)
    _, expected = draw_face(np.random.default_rng(0))
    np.testing.assert_allclose(points, expected, atol=0.006)


def test_300w_folders(tmp_path: Path) -> None:
    face = make_face((150, 90), 80)
    for name in ("helen/trainset/1_1", "helen/trainset/1_2", "helen/testset/9", "ibug/a"):
        write_photo((tmp_path / name).with_suffix(".jpg"))
        (tmp_path / name).with_suffix(".pts").write_text(to_pts(face))
    (tmp_path / "helen/trainset/no_photo.pts").write_text(to_pts(face))
    faces = {(face.source, face.split, face.path.stem): face for face in read_faces(tmp_path)}
    assert set(faces) == {
        ("helen", "train", "1_1"),
        ("helen", "train", "1_2"),
        ("helen", "test", "9"),
        ("ibug", "test", "a"),
    }
    two = [faces["helen", "train", f"1_{i}"].subject for i in (1, 2)]
    assert two[0] == two[1], "two faces of a photo are one subject"
    np.testing.assert_allclose(faces["ibug", "test", "a"].points, face.points, atol=0.01)


def test_udacity_folders(tmp_path: Path) -> None:
    points = make_face((150, 90), 80).points
    for table, folder in (("training", "training"), ("test", "test")):
        write_photo(tmp_path / folder / "Ann_Lee_01.jpg")
        header = "," + ",".join(str(i) for i in range(136))
        values = ",".join(f"{v:.2f}" for v in points.ravel())
        (tmp_path / f"{table}_frames_keypoints.csv").write_text(
            f"{header}\nAnn_Lee_01.jpg,{values}\n"
        )
    faces = sorted(read_faces(tmp_path), key=lambda face: face.split)
    assert [(f.source, f.split, f.subject) for f in faces] == [
        ("ytf", "test", "ytf:Ann_Lee"),
        ("ytf", "train", "ytf:Ann_Lee"),
    ]
    np.testing.assert_allclose(faces[0].points, points, atol=0.01)


def test_a_folder_without_faces_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no faces\.csv.*no photo with a \.pts"):
        read_faces(tmp_path)


@pytest.mark.parametrize("value", ["nan", "inf", "", "left"])
def test_a_point_that_is_none_is_refused_by_file_and_line(value: str, tmp_path: Path) -> None:
    write_faces_csv(tmp_path, 3)
    head, *rows = (tmp_path / "faces.csv").read_text().splitlines()
    fields = rows[1].split(",")
    rows[1] = ",".join([*fields[:20], value, *fields[21:]])
    (tmp_path / "faces.csv").write_text("\n".join([head, *rows]))
    with pytest.raises(UsageError, match=r"faces\.csv, line 3: expected file, source, split"):
        read_faces(tmp_path)
    values = ",".join(["Ann_Lee_01.jpg", *fields[6:20], value, *fields[21:]])
    (tmp_path / "faces.csv").unlink()
    (tmp_path / "training_frames_keypoints.csv").write_text(f"\n{values}\n")
    with pytest.raises(UsageError, match=r"keypoints\.csv, line 2: expected a photo's name"):
        read_faces(tmp_path)


def test_a_damaged_data_set_is_refused_by_name(tmp_path: Path) -> None:
    write_faces_csv(tmp_path, 1)
    table = (tmp_path / "faces.csv").read_text()
    for damaged in (table.replace(",", ";"), table.replace("split", "part"), table[:-300]):
        (tmp_path / "faces.csv").write_text(damaged)
        with pytest.raises(UsageError, match=r"faces\.csv, line 2"):
            read_faces(tmp_path)
    (tmp_path / "faces.csv").write_text("\ufeff" + table, encoding="utf-8")  # as Excel writes it
    (face,) = read_faces(tmp_path)
    face.path.write_bytes(b"no photo")
    with pytest.raises(UsageError, match=r"000\.png: The file is text"):
        face.load()
    face.path.unlink()
    with pytest.raises(UsageError, match=r"000\.png: There is no such file"):
        face.load()
    with pytest.raises(FileNotFoundError, match="gone holds no photo without a face"):
        read_non_faces(tmp_path / "gone")


def test_a_damaged_file_of_points_is_refused_by_name(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg")
    (tmp_path / "a.pts").write_text("1 2\n3 x\n")
    with pytest.raises(UsageError, match=r"a\.pts, line 2"):
        read_faces(tmp_path)


@pytest.mark.parametrize("fault", ["keypoints", "image_id", "nan"])
def test_coco_annotations_of_another_form_are_refused(fault: str, tmp_path: Path) -> None:
    one = {"image_id": 1, "category_id": 1, "keypoints": [9.0, 9.0, 2.0] * 68}
    if fault == "nan":
        one["keypoints"] = [float("nan"), 9.0, 2.0] * 68
    else:
        del one[fault]
    facts = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "keypoints": [str(n) for n in range(68)]}],
        "annotations": [one],
    }
    (tmp_path / "a.json").write_text(json.dumps(facts))
    with pytest.raises(UsageError, match=r"COCO's JSON of keypoints in .*a\.json, got"):
        read_faces(Path(f"{tmp_path / 'a.json'},{tmp_path}"))


def test_a_photo_with_its_ending_in_capitals_is_found(tmp_path: Path) -> None:
    write_photo(tmp_path / "own" / "DSC1.JPG")
    (tmp_path / "own" / "DSC1.pts").write_text(to_pts(make_face((150, 90), 80)))
    (face,) = read_faces(tmp_path)
    assert face.load()[0].shape[2] == 3


def test_a_big_photo_is_cut_around_its_face(tmp_path: Path) -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)
    face = make_face((2500, 1400), 700)
    for x, y in face.points[[36, 45, 8]]:
        cv2.circle(image, (round(x), round(y)), 25, (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / "big.jpg"), image)
    view, points = LabelledFace(tmp_path / "big.jpg", face.points, "x", "train", "x").load()
    assert max(view.shape) <= 256
    for x, y in points[[36, 45, 8]]:
        assert view[round(y), round(x)].min() > 200


def test_the_split_keeps_subjects_apart_and_does_not_change() -> None:
    def face(source: str, split: str, subject: str) -> LabelledFace:
        return LabelledFace(Path("x"), np.zeros((68, 2)), source, split, subject)

    faces = [face("ytf", "train", f"p{i // 5}") for i in range(1000)]
    faces += [face("ytf", "test", f"p{i}") for i in range(200)]
    faces += [face("lfpw", "train", f"train/l{i}") for i in range(500)]
    faces += [face("lfpw", "test", f"test/l{i}") for i in range(50)]
    split = split_by_subject(faces)
    people = {name: {f.subject for f in getattr(split, name)} for name in ("train", "validation")}
    held_out = {f.subject for f in split.held_out}
    assert not people["train"] & people["validation"]
    assert not held_out & (people["train"] | people["validation"])
    assert {f.source for f in split.held_out} == {"ytf"}
    assert sum(f.source == "lfpw" for f in split.test) == 50
    assert 10 < len(held_out) < 32
    again = split_by_subject(reversed(faces))
    assert {f.subject for f in again.held_out} == held_out


def test_turned_faces_share_the_split_of_the_faces_they_come_from(tmp_path: Path) -> None:
    write_faces_csv(tmp_path, 30)
    assert read_turned(tmp_path) == []
    head, *rows = (tmp_path / "faces.csv").read_text().splitlines()
    (tmp_path / "faces.csv").write_text("\n".join([head, *rows]).replace(",toy,", ",afw,"))
    turned = [head.replace("height,", "height,pitch,yaw,roll,")]
    turned += [
        row.replace(",toy,", ",afw_turned,").replace("128,128,", "128,128,1,30,2,") for row in rows
    ]
    (tmp_path / "turned.csv").write_text("\n".join(turned))
    faces = [*read_faces(tmp_path), *read_turned(tmp_path)]
    assert {face.yaw for face in faces if face.source == TURNED} == {-30.0}
    split = split_by_subject(faces, validation=0.2)
    for part in (split.train, split.validation, split.held_out):
        kinds = [{f.subject for f in part if f.source == kind} for kind in ("afw", TURNED)]
        assert kinds[0] == kinds[1] and kinds[0]


def test_faces_are_drawn_by_their_shares_and_emphasis() -> None:
    sources = np.array(["ytf"] * 8 + [TURNED] * 2 + ["afw", "lfpw"])
    emphasis = np.where(sources == "afw", 3.0, 1.0)
    draw = SourceDraw(sources, {"ytf": 0.3, TURNED: 0.1}, emphasis)
    rng = np.random.default_rng(0)
    drawn = sources[[draw(rng) for _ in range(4000)]]
    for source, share in (("ytf", 0.3), (TURNED, 0.1), ("afw", 0.45), ("lfpw", 0.15)):
        assert np.mean(drawn == source) == pytest.approx(share, abs=0.03)
    alone = SourceDraw(np.array(["ytf"] * 3), {"ytf": 0.3})
    assert {alone(rng) for _ in range(50)} == {0, 1, 2}


def test_shares_that_cannot_be_drawn_by_are_refused() -> None:
    sources = np.array(["ytf", TURNED, "afw"])
    for shares in ({"ytf": 0.7, TURNED: 0.6}, {"ytf": -0.1}, {"ytf": 0.0, TURNED: 0.0, "afw": 0.0}):
        with pytest.raises(UsageError, match=r"no more than 1 in sum.* of ytf.*afw"):
            SourceDraw(sources, shares)
    with pytest.raises(UsageError, match="no faces"):
        SourceDraw(sources[:0], {"ytf": 0.3})


def test_a_background_is_hidden_but_never_the_face() -> None:
    image, points = draw_face(np.random.default_rng(3), 160)
    other = np.zeros((50, 70, 3), np.uint8)
    middle = points[30].round().astype(int)
    hidden = 0
    for seed in range(40):
        view = hide_background(image, points, other, np.random.default_rng(seed))
        assert view.shape == image.shape and view.dtype == np.uint8
        for x, y in np.round(points[[36, 45, 48, 54]]).astype(int):
            assert (view[y, x] == image[y, x]).all()
        assert (view[middle[1], middle[0]] == image[middle[1], middle[0]]).all()
        hidden += bool((view[2, 2] != image[2, 2]).any())
    assert 10 < hidden < 36


def test_a_view_moves_points_with_the_picture() -> None:
    """Each label lies on the dot that was painted at its point, mirrored or not."""
    face = make_face((128, 128), 90)
    image = np.zeros((256, 256, 3), np.uint8)
    for index in (36, 45, 8, 30):
        centre = tuple(round(float(v) * 16) for v in face.points[index])
        cv2.circle(image, centre, 48, (255, 255, 255), -1, shift=4)
    checked = 0
    for seed in range(40):
        view, labels = random_view(image, face.points, 128, Plain(seed))
        for index in (36, 45, 8, 30):
            x, y = (labels[index] + 0.5) * 128 - 0.5
            if 6 < x < 121 and 6 < y < 121:
                assert view[round(y), round(x)].max() > 120
                checked += 1
        right, left = labels[36], labels[45]
        assert (labels[FLIP] != labels).any()
        if abs(right[1] - left[1]) < 0.2:
            assert right[0] < left[0], "the right eye stays on the left of the picture"
    assert checked > 100


class Plain(np.random.Generator):
    """A generator whose views keep their colours: geometry can be checked by eye or test."""

    def __init__(self, seed: int):
        super().__init__(np.random.PCG64(seed))
        self.calls = 0

    def random(self, *args, **kwargs):  # type: ignore[no-untyped-def, override]
        """The four draws of the geometry are left to chance; those of the effects say no."""
        self.calls += 1
        return super().random(*args, **kwargs) if self.calls <= 4 else 1.0


def test_effects_keep_shape_and_change_something() -> None:
    image, points = draw_face(np.random.default_rng(1))
    changed = 0
    for seed in range(60):
        view = degrade(image.copy(), np.random.default_rng(seed))
        assert view.shape == image.shape
        assert view.dtype == np.uint8
        changed += bool((view != image).any())
    assert changed > 45
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert random_misplaced(image, points, 64, rng).shape == (64, 64, 3)
        assert random_non_face(image, 64, rng).shape == (64, 64, 3)
