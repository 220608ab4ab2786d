import time

import pytest
import torch

from keypoints_captions import precision
from keypoints_captions.precision import fastest_precision

CPU = torch.device("cpu")


def never(_precision: torch.dtype) -> None:
    raise AssertionError("x86 processors are asked, not measured")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False}, torch.float32),
    ],
)
def test_x86_processors_tell(
    monkeypatch: pytest.MonkeyPatch, flags: dict[str, bool], expected: torch.dtype
) -> None:
    capabilities = {"architecture": "x86_64", **flags}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert fastest_precision(CPU, never) == expected


@pytest.mark.parametrize("faster", [torch.float32, torch.bfloat16])
def test_other_processors_are_measured(
    monkeypatch: pytest.MonkeyPatch, faster: torch.dtype
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"architecture": "aarch64"}, raising=False
    )

    def run(tried: torch.dtype) -> None:
        time.sleep(0.001 if tried == faster else 0.02)

    assert precision.fastest_precision(CPU, run) == faster
