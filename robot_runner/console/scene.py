"""Scenes: where the arm may work. An operator chooses one by name and draws its keep-out boxes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from robot_runner.episode_types import EpisodeConfig
from robot_runner.keep_out import KeepOutBox, load_keep_out, save_keep_out
from wildgrasp.errors import RobotError

_VECTORS = {"workspace_lower": 3, "workspace_upper": 3, "start_q": 6}
_BOXES = ".keep-out.json"


@dataclass(frozen=True, eq=False)
class Scene:
    """A named place to grasp in. Its boxes are read again at each use: the file is the truth."""

    name: str
    config: EpisodeConfig
    keep_out_file: Path | None = None

    def boxes(self) -> tuple[KeepOutBox, ...]:
        """Raises RobotError when the file is not what it should be; a file that is not there yet holds none."""
        if self.keep_out_file is None or not self.keep_out_file.exists():
            return self.config.guard.keep_out
        return load_keep_out(self.keep_out_file)

    def save_boxes(self, boxes: tuple[KeepOutBox, ...]) -> None:
        if self.keep_out_file is None:
            raise RobotError(
                "This scene has no file for keep-out boxes. Give one with --keep-out; nothing was changed."
            )
        save_keep_out(self.keep_out_file, boxes)

    def episode_config(self) -> EpisodeConfig:
        """The configuration with the boxes of this moment. Raises RobotError as :meth:`boxes` does."""
        return replace(self.config, guard=replace(self.config.guard, keep_out=self.boxes()))


def load_scenes(folder: Path, base: EpisodeConfig) -> list[Scene]:
    """A scene per ``NAME.json`` in a folder; each may set workspace_lower, workspace_upper (m), start_q (rad) and
    table_height (m), the rest is as in ``base``. Boxes stand beside it in ``NAME.keep-out.json``. Raises RobotError."""
    files = sorted(f for f in folder.glob("*.json") if not f.name.endswith(_BOXES))
    return [Scene(f.stem, _config(f, base), f.with_name(f.stem + _BOXES)) for f in files]


def _config(file: Path, base: EpisodeConfig) -> EpisodeConfig:
    try:
        values = json.loads(file.read_text())
        unknown = set(values) - {*_VECTORS, "table_height"}
        if unknown:
            raise ValueError(f"it sets {', '.join(sorted(unknown))}, which no scene has")
        vectors = {}
        for name, length in _VECTORS.items():
            if name in values:
                vector = np.array(values[name], dtype=np.float64)
                if vector.shape != (length,) or not np.isfinite(vector).all():
                    raise ValueError(f"{name} is not {length} numbers")
                vectors[name] = tuple(vector.tolist())
        height = float(values.get("table_height", base.guard.table_height_m))
        if not np.isfinite(height):
            raise ValueError("table_height is no number")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RobotError(f"The scene in {file} cannot be read ({error}). Mend the file, or remove it.") from error
    start_q = vectors.pop("start_q", base.start_q)
    return replace(base, start_q=start_q, guard=replace(base.guard, table_height_m=height, **vectors))
