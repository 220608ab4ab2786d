"""The corpus of bad input: through the photo reader here, through everything else elsewhere."""

from pathlib import Path

import pytest

from keypoints_captions.photos.reader import PHOTO_SUFFIXES, read_photo
from tests.bad_input.case import Case, problem
from tests.bad_input.corpus import corpus


def test_the_corpus_is_large() -> None:
    assert len(corpus()) >= 400
    assert sum(case.says is None for case in corpus()) >= 150
    assert sum(case.size is None for case in corpus()) >= 150


def test_every_case_through_the_reader() -> None:
    problems = {case.name: problem(case, read_photo) for case in corpus()}
    assert not {name: said for name, said in problems.items() if said is not None}


def test_the_name_decides_nothing(tmp_path: Path) -> None:
    names = {Path(case.file_name).suffix: case for case in corpus()}
    assert len(names) > 10
    for case in names.values():
        path = tmp_path / case.file_name
        path.write_bytes(case.data)
        assert problem(case, lambda _, path=path: read_photo(path)) is None, case.name


@pytest.mark.parametrize(
    "case", [Case("", "a.jpg", b"no photo", says="PDF"), Case("", "a.jpg", b"no photo", (1, 1))]
)
def test_problems_are_found(case: Case) -> None:
    assert problem(case, read_photo) is not None


def test_folders_are_searched_for_every_kind() -> None:
    accepted = {Path(case.file_name).suffix for case in corpus() if case.says is None}
    assert accepted - {"", ".txt", ".svg", ".exe"} <= PHOTO_SUFFIXES
