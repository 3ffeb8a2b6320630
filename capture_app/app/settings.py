"""What the app remembers between two starts. A value that cannot be read falls back to its default."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LANGUAGES = {"en": "English", "de": "Deutsch"}


@dataclass(frozen=True)
class Settings:
    language: str = "en"
    participant: str = ""  # empty: not chosen yet
    consent: str = ""  # UTC time at which the study's consent was agreed to; empty: it was not
    task: str = ""
    show_depth: bool = False
    upload_wifi_only: bool = True
    upload_charger_only: bool = False
    mb_per_s: float = 4.0  # what recordings take on this device: the last one's


class SettingsFile:
    """Owns the file. The present settings are ``value``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.value = _read(path)

    def change(self, **values: Any) -> None:
        """Change some and keep them; a disk that refuses costs the memory of it, not the app."""
        self.value = replace(self.value, **values)
        unfinished = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(asdict(self.value), indent=2))
            unfinished.replace(self._path)
        except OSError as error:
            log.warning("the settings could not be kept: %s", error)


def _read(path: Path) -> Settings:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        log.warning("the settings could not be read, the defaults are used: %s", error)
        return Settings()
    values = {f.name: found[f.name] for f in fields(Settings) if isinstance(found, dict) and f.name in found}
    return replace(Settings(), **{k: v for k, v in values.items() if _fits(k, v)})


def _fits(name: str, value: Any) -> bool:
    default = getattr(Settings(), name)
    if name == "language":
        return isinstance(value, str) and value in LANGUAGES
    if isinstance(default, float):
        return isinstance(value, int | float) and 0.1 <= value <= 100
    return type(value) is type(default)
