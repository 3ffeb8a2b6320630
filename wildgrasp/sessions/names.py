"""What a new session is called."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def new_session_path(folder: Path, now: datetime, also_taken: Path | None = None) -> Path:
    """A path in ``folder``, named after the time, that nobody uses there nor in ``also_taken``.

    Two may begin within a second, and a computer's clock that is wrong repeats itself: a number follows then.
    """
    name, number = now.strftime("%Y-%m-%dT%H-%M-%S"), 1
    path = folder / name
    while path.exists() or (also_taken is not None and (also_taken / path.name).exists()):
        number += 1
        path = folder / f"{name}-{number}"
    return path
