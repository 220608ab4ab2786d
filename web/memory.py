"""Settings of malloc that return memory to the system after each photo (Linux, GNU C library)."""

import contextlib
import ctypes

# Names and numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_SETTINGS = (
    # Handlers run in dozens of threads. Each heap keeps the memory of its largest photo, so there
    # are only two.
    (_M_ARENA_MAX, 2),
    # The pixels of large photos lie outside the heaps; by default malloc raises this limit with
    # each of them. Layers of the models are smaller: mapping those anew each time would be slow.
    (_M_MMAP_THRESHOLD, 16 * 2**20),
    (_M_TRIM_THRESHOLD, 64 * 2**20),
)


def return_memory() -> bool:
    """Applies the settings; call it before any thread starts. Returns whether it worked."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    return all(mallopt(name, value) == 1 for name, value in _SETTINGS)


def trim_memory() -> None:
    """Returns what is free inside the heaps, too; for after the models are loaded."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
