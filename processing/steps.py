"""Steps of processing: each knows its version and what it needs, and leaves a marker in the session when it is done.

A step is run when its marker is missing, when its version or configuration has changed, or when a step that it needs
was run. What it found and its marker are written in one transaction: a step is done wholly or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wildgrasp.sessions.session import Session, SessionEdit

Progress = Callable[[str, float], None]  # step name, fraction of it done


@dataclass(frozen=True)
class Found:
    """What a step found: how to write it, and its summary (JSON values) for reports."""

    write: Callable[[SessionEdit], None]
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    name: str
    version: str
    config: Any  # frozen dataclass, or None
    needs: tuple[str, ...]
    run: Callable[[Session, Callable[[float], None]], Found]  # is handed a progress callback


@dataclass(frozen=True)
class Done:
    """A step after processing: run just now, or kept from before (seconds 0)."""

    ran: bool
    seconds: float
    report: dict[str, Any]


def fingerprint(steps: Sequence[Step]) -> str:
    """Hash of all versions and configurations: results of the same recording with the same fingerprint are the same."""
    described = [(s.name, s.version, None if s.config is None else dataclasses.asdict(s.config)) for s in steps]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def run_steps(session: Session, steps: Sequence[Step], on_progress: Progress | None = None) -> dict[str, Done]:
    """Run what is stale, in order. Steps that were finished stay finished when a later one fails."""
    done: dict[str, Done] = {}
    keys: dict[str, str] = {}
    for step in steps:
        keys[step.name] = _key(session, step, keys)
        kept = _marker(session, step, keys[step.name])
        if kept is not None and not any(done[name].ran for name in step.needs):
            done[step.name] = Done(False, 0.0, kept)
            continue
        done[step.name] = _run(session, step, keys[step.name], on_progress or (lambda name, fraction: None))
    return done


def _run(session: Session, step: Step, key: str, on_progress: Progress) -> Done:
    start = time.perf_counter()
    on_progress(step.name, 0.0)
    found = step.run(session, lambda fraction: on_progress(step.name, fraction))
    seconds = time.perf_counter() - start
    report = json.dumps({**found.report, "seconds": round(seconds, 3)})
    row = (step.name, step.version, key, datetime.now(UTC).isoformat(timespec="seconds"), report)
    with session.edit() as edit:
        found.write(edit)
        edit.execute("INSERT OR REPLACE INTO steps (name, version, config, finished, report) VALUES (?,?,?,?,?)", row)
    on_progress(step.name, 1.0)
    return Done(True, seconds, found.report)


def _key(session: Session, step: Step, keys: dict[str, str]) -> str:
    """Everything that the step's result depends on, besides its version, as readable JSON."""
    config = None if step.config is None else dataclasses.asdict(step.config)
    needs = {name: hashlib.sha256(keys[name].encode()).hexdigest()[:16] for name in step.needs}
    size = [len(session), *(session.db[t].count for t in ("events", "servo"))] if not needs else None
    calibration = session.meta.get("T_camera_fingertip")
    return json.dumps({"config": config, "needs": needs, "input": size, "calibration": calibration, "v": step.version})


def _marker(session: Session, step: Step, key: str) -> dict[str, Any] | None:
    """The report of a finished run with the same version and key, else None."""
    rows = list(session.db.query("SELECT version, config, report FROM steps WHERE name = ?", (step.name,)))
    if not rows or rows[0]["version"] != step.version or rows[0]["config"] != key:
        return None
    return json.loads(rows[0]["report"])
