"""What a study sets: tasks, participants, what people agree to. One TOML file.

title = "Kitchens 2026"
tasks = ["Pick from the shelf", "Clear the table"]
participants = ["P01", "P02"]
consent = "I agree that …"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from wildgrasp.errors import UserError

MAX_TEXT = 60  # characters of a label that still fits on a button


@dataclass(frozen=True)
class Study:
    title: str = "WildGrasp"
    tasks: tuple[str, ...] = (
        "Pick things up from a table",
        "Pick things up from a shelf",
        "Clear a drawer",
        "Anything",
    )
    participants: tuple[str, ...] = tuple(f"P{number:02d}" for number in range(1, 13))
    consent: str = ""


def load_study(path: Path | None) -> Study:
    """The study of a file; None gives a general one. Raises UserError that says what is wrong with the file."""
    if path is None:
        return Study()
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"The study {path} cannot be read ({error}). Mend the file, or start without it.") from error
    default = Study()
    return Study(
        _text(found, "title", default.title, path),
        _labels(found, "tasks", default.tasks, path),
        _labels(found, "participants", default.participants, path),
        _text(found, "consent", default.consent, path, longest=400),
    )


def _labels(found: dict, key: str, default: tuple[str, ...], path: Path) -> tuple[str, ...]:
    value = found.get(key, list(default))
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(v, str) and 0 < len(v) <= MAX_TEXT for v in value)
    ):
        raise UserError(
            f"The study {path} needs a list of texts of at most {MAX_TEXT} characters as `{key}`. Mend the file, or "
            "start without it."
        )
    return tuple(value)


def _text(found: dict, key: str, default: str, path: Path, longest: int = MAX_TEXT) -> str:
    value = found.get(key, default)
    if not isinstance(value, str) or len(value) > longest:
        raise UserError(f"`{key}` of the study {path} must be a text of at most {longest} characters. Mend the file.")
    return value
