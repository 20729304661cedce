"""How a process deals with memory that it has freed."""

from __future__ import annotations

import contextlib
import ctypes

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_KEPT = 32 * 2**20
"""Bytes: the most that glibc lets this be."""
_MOST_KEPT = 256 * 2**20


def keep_freed_memory() -> None:
    """Let freed arrays of an image's size be used again instead of being given back to the system.

    By default each array of more than 128 KiB is asked of the system and given back, and each of its pages costs a
    fault when it is first written: two fifths of what flags and draws take. Memory grows no further than to what was
    in use at one time. For programs, which own their process; without effect where the C library isn't glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        library.mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
