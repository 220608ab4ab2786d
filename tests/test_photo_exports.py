"""What goes out beside the records: COCO keypoints, aligned crops, captions as text files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from facial_keypoints import __main__ as command
from facial_keypoints.aligned import aligned_crops
from facial_keypoints.coco import POINT_NAMES, coco_format, skeleton
from facial_keypoints.export import Record
from facial_keypoints.face import Face, Pose
from tests.drawn_faces import draw_face
from tests.synthetic_faces import make_face
from train.faces.data import read_faces

EYES = (range(36, 42), range(42, 48))


def stand_in(images: list[np.ndarray]) -> list[list[Face]]:
    """As many faces as the first pixel's red says, one beside the other, the second one tilted."""
    return [
        [
            make_face(at=(40.0 + 50 * i, 40.0), width=30.0, pose=Pose(0, 0, 20.0 * i))
            for i in range(int(image[0, 0, 0]))
        ]
        for image in images
    ]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setattr(command.FacialKeypoints, "load", lambda *_, **__: stand_in)
    return lambda *arguments: command.main([str(argument) for argument in arguments])


def save(path: Path, faces: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (140, 80), (faces, 0, 0)).save(path)
    return path


def test_coco_is_read_by_pycocotools_and_by_the_training(
    run: Callable[..., int], tmp_path: Path
) -> None:
    for name, faces in [("a.png", 2), ("sub/b.png", 0), ("sub/c.png", 1)]:
        save(tmp_path / "in" / name, faces)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"")
    output = tmp_path / "faces.json"
    assert run(tmp_path / "in", "--format", "coco", "--output", output) == 1
    coco = COCO(str(output))
    names = [photo["file_name"] for photo in coco.dataset["images"]]
    assert names == ["a.png", "sub/b.png", "sub/c.png"]
    assert coco.dataset["errors"][0]["file"] == "broken.jpg"
    (category,) = coco.loadCats(coco.getCatIds(catNms=["face"]))
    assert len(category["keypoints"]) == len(set(category["keypoints"])) == 68
    assert [len(coco.getAnnIds(imgIds=[i])) for i in coco.getImgIds()] == [2, 0, 1]
    found = read_faces(Path(f"{output},{tmp_path / 'in'}"))
    assert [face.path for face in found] == [
        tmp_path / "in" / name for name in ("a.png", "a.png", "sub/c.png")
    ]
    expected = [face.points for face in stand_in([np.full((1, 1, 3), 2, np.uint8)])[0]]
    for face, points in zip(found, [*expected, expected[0]], strict=True):
        np.testing.assert_allclose(face.points, points, atol=0.006)
        assert face.load()[0].shape == (80, 140, 3)
    assert len({face.subject for face in found}) == 2


def test_visibility_follows_the_rule() -> None:
    sure, unsure = make_face(at=(10, 40), width=40, confidence=0.6), make_face(confidence=0.4)
    record = Record(file="a.jpg", width=140, height=80, faces=[sure, unsure])
    one, other = json.loads(coco_format(str).text([record]))["annotations"]
    flags = one["keypoints"][2::3]
    inside = [x >= -0.5 for x, _ in sure.points]
    assert flags == [2 if visible else 1 for visible in inside] and {1, 2} == set(flags)
    assert set(other["keypoints"][2::3]) == {1} and other["num_keypoints"] == 68
    assert [one["id"], other["id"], one["image_id"], other["image_id"]] == [1, 2, 1, 1]


def test_the_skeleton_stays_in_its_parts() -> None:
    pairs = skeleton()
    assert {i for pair in pairs for i in pair} == set(range(1, 69))
    for a, b in pairs:
        assert POINT_NAMES[a - 1].rpartition("_")[0] == POINT_NAMES[b - 1].rpartition("_")[0]
    assert len(pairs) == 63  # nine parts, of which four close


def test_coco_of_nothing_is_whole() -> None:
    empty = json.loads(coco_format(str).text([]))
    assert empty["images"] == empty["annotations"] == []


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet", "coco"])
def test_crops_and_their_transform(run: Callable[..., int], tmp_path: Path, form: str) -> None:
    save(tmp_path / "in" / "sub" / "a.png", 2)
    save(tmp_path / "in" / "none.png", 0)
    output, crops = tmp_path / "out", tmp_path / "in" / "crops"
    arguments = [tmp_path / "in", "--crops", crops, "--crop-size", 64, "--format", form]
    assert run(*arguments, "--output", output) == 0
    written = sorted(str(path.relative_to(crops)) for path in crops.rglob("*.*"))
    assert written == ["sub/a_0.jpg", "sub/a_1.jpg"]
    assert Image.open(crops / "sub" / "a_0.jpg").size == (64, 64)
    faces = read_crops(output, form)
    for index, crop in enumerate(faces):
        assert crop["file"] == str(crops / f"sub/a_{index}.jpg") and crop["size"] == 64
        points = stand_in([np.full((1, 1, 3), 2, np.uint8)])[0][index].points
        there = np.c_[points, np.ones(68)] @ np.array(crop["matrix"]).T
        assert (there > 0).all() and (there < 63).all()
        right, left = (there[list(eye)].mean(axis=0) for eye in EYES)
        assert abs(left[1] - right[1]) < 0.05 and left[0] > right[0]  # the eyes stand level


def test_a_photo_added_later_takes_no_other_ones_crop(
    run: Callable[..., int], tmp_path: Path
) -> None:
    output, crops = tmp_path / "out", tmp_path / "crops"
    arguments = [tmp_path / "in", "--crops", crops, "--format", "jsonl", "--output", output]
    for name in ("a.png", "a.bmp"):  # which comes before the other one
        save(tmp_path / "in" / name, 1)
        assert run(*arguments, "--resume") == 0
    names = [Path(crop["file"]).name for crop in read_crops(output, "jsonl")]
    assert names == ["a_0.jpg", "a.bmp_0.jpg"]


def read_crops(output: Path, form: str) -> list[dict]:
    if form == "coco":
        return [one["crop"] for one in json.loads(output.read_text())["annotations"]]
    if form == "parquet":
        from pyarrow import parquet

        records = parquet.read_table(output).to_pylist()
    elif form == "jsonl":
        records = [json.loads(line) for line in output.read_text().splitlines()]
    else:
        records = json.loads(output.read_text())
    return [face["crop"] for record in records for face in record["faces"]]


def test_a_crop_holds_the_face_that_was_there() -> None:
    image, points = draw_face(np.random.default_rng(0))
    face = make_face()
    face = Face(face.box, 1.0, points.astype(np.float32), face.confidence, None)
    (crop,) = aligned_crops(image, [face], size=image.shape[0], margin=0.2)
    for x, y in points[[30, 36, 45]]:
        u, v = crop.matrix @ [x, y, 1]
        there = crop.pixels[round(v) - 1 : round(v) + 2, round(u) - 1 : round(u) + 2]
        here = image[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]
        assert np.abs(there.mean((0, 1)) - here.mean((0, 1))).max() < 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--crops", "IN"], "give a folder of its own"),
        (["--crops", "OUT", "--overlay", "OUT"], "folder of --overlay"),  # a_0.png and a.png
        (["--crops", "OUT", "--crop-size", "4"], "8 to 4096 pixels"),
        (["--crops", "OUT", "--crop-margin", "-1"], "0 to 5"),
    ],
)
def test_wrong_usage(
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    photo = save(tmp_path / "in" / "a.png", 1)
    names = {"IN": photo.parent, "OUT": tmp_path / "out"}
    with pytest.raises(SystemExit) as leaving:
        run(photo.parent / "a.png", *(names.get(part, part) for part in arguments))
    assert leaving.value.code == 2 and said in capsys.readouterr().err
