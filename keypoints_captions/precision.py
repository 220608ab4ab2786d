"""Choice between float32 and bfloat16: whichever is faster on this machine."""

import time
from collections.abc import Callable

import torch


def fastest_precision(
    device: torch.device, run: Callable[[torch.dtype], object], repeats: int = 3
) -> torch.dtype:
    """float32 or bfloat16, whichever runs faster on the device.

    Processors with bfloat16 instructions are up to four times faster with it; without them it
    is emulated, and slower. x86 processors and GPUs tell; others are measured.

    Args:
        run: runs the model once in the given precision; called on other processors only.
        repeats: calls in each precision, of which the fastest counts.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if capabilities.get("architecture") == "x86_64":
        has_bfloat16 = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
        return torch.bfloat16 if has_bfloat16 else torch.float32
    seconds = {}
    for precision in (torch.bfloat16, torch.float32):
        seconds[precision] = min(_seconds(run, precision) for _ in range(repeats))
    return min(seconds, key=lambda precision: seconds[precision])


@torch.inference_mode()
def _seconds(run: Callable[[torch.dtype], object], precision: torch.dtype) -> float:
    since = time.perf_counter()
    run(precision)
    return time.perf_counter() - since
