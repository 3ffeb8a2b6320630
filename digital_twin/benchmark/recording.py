"""An evaluated scene as a robot's session, as `wildgrasp run` writes one: checked, viewed and learned from likewise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robot_runner.episode_types import EpisodeConfig
from robot_runner.runner import RunConfig, run_meta
from robot_runner.session_log import SessionLog
from wildgrasp.cameras.base import CameraInfo
from wildgrasp.errors import SessionError
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter


@contextmanager
def recorded(folder: Path, info: CameraInfo, episode: EpisodeConfig, trial: dict[str, Any]) -> Iterator[SessionLog]:
    """A log whose session appears as ``folder`` when it is complete; ``trial`` is what decides the scene, kept with it.

    What an interrupted evaluation left of it is begun anew. A session of the same trial that is there already stays as
    it is, since it says the same. Raises SessionError when there is anything else, or when the disk refuses.
    """
    trial = json.loads(json.dumps(trial, default=str))
    there = folder.exists()
    if there and not _is_of(folder, trial):
        raise SessionError(
            f"{folder} is there already, from something else. Save to another folder; it was not touched."
        )
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    config = RunConfig(episode=episode, meta={"simulated": True, "trial": trial})
    with SessionWriter(unfinished, info, meta=run_meta(config)) as writer:
        yield SessionLog(writer, config.keep_views)
    if there:
        shutil.rmtree(unfinished)
    else:
        unfinished.rename(folder)


def _is_of(folder: Path, trial: dict[str, Any]) -> bool:
    try:
        with Session(folder) as session:
            return session.meta.get("trial") == trial
    except SessionError:
        return False
