"""Memory goes back to the system when a photo is done with, on Linux with the GNU C library."""

import ctypes

# Names and numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_SETTINGS = (
    # Handlers run in dozens of threads. With a heap for every few of them, each keeps what its
    # largest photo once needed.
    (_M_ARENA_MAX, 2),
    # The pixels of large photos lie outside the heaps. Left alone, malloc raises this limit to what
    # it sees. Layers of the models are smaller; fetching those from the system costs time.
    (_M_MMAP_THRESHOLD, 16 * 2**20),
    (_M_TRIM_THRESHOLD, 64 * 2**20),
)


def return_memory() -> bool:
    """Sets malloc so; to be called before any thread starts. Whether it took."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    return all(mallopt(name, value) == 1 for name, value in _SETTINGS)
