"""Going before everything else on this computer: for what must not be late, and does little."""

from __future__ import annotations

import contextlib
import os

REAL_TIME_PRIORITY = 10  # above all ordinary programs, below the kernel's own threads


def go_first() -> None:
    """Real-time scheduling for this process and those that it starts; where not permitted, the best there is."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REAL_TIME_PRIORITY))
    except OSError:
        with contextlib.suppress(PermissionError):
            os.nice(-10)
