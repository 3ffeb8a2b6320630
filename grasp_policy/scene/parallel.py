"""Spreading a compiled loop over threads.

The kernels release the GIL and take ``(start, stride)``: each call does every ``stride``-th piece of work. The pieces
are independent, so results do not depend on the number of threads; interleaving balances the load. Numba's own
parallel loops would do the same, but not every threading layer of it may be entered from two threads at once, and
fusion runs beside the policy's step.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba

_PIECES_PER_THREAD = 4  # smaller pieces than threads: a core that is busy elsewhere takes fewer of them

_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def thread_count() -> int:
    """Threads that kernels may use: NUMBA_NUM_THREADS, by default the number of cores."""
    return numba.config.NUMBA_NUM_THREADS


def run_strided(kernel: Callable[..., None], *args: Any) -> None:
    """Run ``kernel(start, stride, *args)`` for all starts, on all threads, the caller's among them; returns when the
    work is done. Raises what a piece raised.
    """
    threads = thread_count()
    if threads == 1:
        kernel(0, 1, *args)
        return
    pieces = threads * _PIECES_PER_THREAD
    starts = iter(range(pieces))  # shared: whoever is free takes the next

    def work() -> None:
        for start in starts:
            kernel(start, pieces, *args)

    others = [_shared_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        for other in others:
            if not other.cancel():  # one that has not begun is not waited for: nothing is left for it
                other.result()


def _shared_pool(threads: int) -> ThreadPoolExecutor:
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(threads, thread_name_prefix="scene")
        return _pool


def _forget_pool_after_fork() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_pool_after_fork)
