"""Number of usable cores, and the threads that a task may use."""

import os
import sys
import threading
from pathlib import Path

#: Where Linux says how much of the machine a container may take.
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/cpu.max")

_thread = threading.local()
_are_shared = False  # between several pieces of work


def usable_cores(container_limit: Path = _CONTAINER_LIMIT) -> int:
    """Cores that this process may use: not those of the machine that its container does not get,
    and no more than the variable OMP_NUM_THREADS says, where somebody has set it.

    container_limit: a file that holds "MICROSECONDS PERIOD" or "max PERIOD" (cgroup v2).
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        share, period = container_limit.read_text().split()
        cores = min(cores, max(1, round(int(share) / int(period))))
    except (OSError, ValueError):  # no container, or one without a limit
        pass
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(wanted)) if wanted.isdecimal() and int(wanted) else cores


def fit_threads() -> None:
    """Keeps the libraries from starting a thread for each core of the machine where a container
    gets fewer. To be called before torch is imported."""
    import cv2

    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    cv2.setNumThreads(usable_cores())


def use_one_core() -> None:
    """Lets this thread's networks use one core, which so small ones run best on beside others.

    Split over two cores, each of a network's layers waits for the slower one, spinning; where the
    browser wants a core as well, that takes five times the time.
    """
    _thread.uses_one_core = True
    torch = sys.modules.get("torch")
    if torch is None:
        return
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    # New threads start with what any thread set last, so another one sets it back for them.
    helper = threading.Thread(target=torch.set_num_threads, args=(usual,))
    helper.start()
    helper.join()


def share_cores(is_shared: bool, cores: int) -> None:
    """Lets each network of this process use one core from now on, or all of so many."""
    global _are_shared
    _are_shared = is_shared
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1 if is_shared else cores)


def may_use_all() -> bool:
    """Whether a network that this thread runs may use all cores."""
    return not _are_shared and not getattr(_thread, "uses_one_core", False)
