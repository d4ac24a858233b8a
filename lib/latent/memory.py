"""Memory between two calls: a setting of the C library that fits with loops over large arrays."""

import functools

import numpy as np


@functools.cache
def keep_freed_memory() -> None:
    """Let the process keep freed memory for its next arrays, up to some 60 MB.

    Linux's glibc gives the memory of a large array back at once, and asks for it again at the next
    one. To get it back cleared takes as long as the work on it. Freeing one array of just below
    32 MB, which costs nothing as it is never written to, raises the size from which glibc does so.
    Elsewhere this does nothing.
    """
    np.empty(31 * 2**20, np.uint8)
