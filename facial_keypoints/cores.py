"""How many cores a thread's share of the work takes."""

import threading


def use_one_core() -> None:
    """Lets torch use one core in this thread, which so small a network runs best on.

    Split over two cores, each of its layers waits for the slower one, spinning; where the browser
    wants a core as well, that takes five times the time.
    """
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    # New threads start with what any thread set last, so another one sets it back for them.
    helper = threading.Thread(target=torch.set_num_threads, args=(usual,))
    helper.start()
    helper.join()
