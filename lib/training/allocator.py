"""Freed memory stays with the process that trains.

By default glibc gives large freed blocks back to the system, so that every training step gets its gradients and
activations as new pages, which the system must first clear. Measured in `benchmarks` (table "fusion").
"""

import ctypes
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""Numbers of glibc's `mallopt`."""


def keep_freed_memory() -> bool:
    """From now on this process reuses what it freed; its peak stays the same. False where there is no glibc."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    set_option = ctypes.CDLL(None).mallopt
    return all([set_option(_MMAP_MAX, 0), set_option(_TRIM_THRESHOLD, -1), set_option(_TOP_PAD, 2**24)])
