"""Environment variables of a process that has one core, and no more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Libraries read these when they start (LP: Mesa's software renderer).
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "NUMBA", "LP")}


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
