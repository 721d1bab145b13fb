"""How many processors there are to use; imports no torch."""

import os


def usable_cores() -> int:
    """The processors that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
