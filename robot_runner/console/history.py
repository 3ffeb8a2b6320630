"""Grasps of earlier runs, from the folder that they were recorded in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from robot_runner.console.messages import Outcome
from wildgrasp.errors import UserError
from wildgrasp.sessions.index import open_index

_MOST_RUNS = 50


def past_outcomes(folder: Path) -> list[Outcome]:
    """Oldest first. Folders that are no sessions, or cannot be read, are left out: a look back never stops a run."""
    outcomes: list[Outcome] = []
    try:
        runs = sorted(p for p in folder.iterdir() if p.is_dir())[-_MOST_RUNS:]
    except OSError:
        return []
    for run in runs:
        try:
            connection = open_index(run)
        except UserError:
            continue
        try:
            rows = connection.execute(
                "SELECT id, outcome, reason, steps, t_end_ns - t_start_ns FROM episodes ORDER BY id LIMIT 1000"
            ).fetchall()
        except sqlite3.Error:
            continue
        finally:
            connection.close()
        outcomes += [
            Outcome(run.name, int(number), str(outcome), str(reason), int(steps or 0), (ns or 0) * 1e-9)
            for number, outcome, reason, steps, ns in rows
        ]
    return outcomes
