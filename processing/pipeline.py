"""One session, processed: from what was recorded to trajectories, attempts, masks and a report page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from processing.accuracy import Accuracy
from processing.attempts import AttemptConfig
from processing.ignored import IgnoreConfig
from processing.mask_step import ClipConfig, MaskStepConfig, find_session_masks
from processing.masks import MaskConfig
from processing.report import REPORT_NAME, write_report
from processing.session_steps import (
    TrackingStepConfig,
    attempts_of,
    find_grasps,
    find_session_attempts,
    track_session,
)
from processing.steps import Done, Found, Progress, Step, run_steps
from processing.tracking.keyframe_tracker import TrackerConfig
from wildgrasp.errors import SessionError
from wildgrasp.sessions.session import Session

STEP_NAMES = ("attempts", "masks", "tracking", "grasps", "report")


@dataclass(frozen=True)
class ProcessConfig:
    """Everything that can be set about processing. Another value re-runs the steps that depend on it."""

    attempts: AttemptConfig = field(default_factory=AttemptConfig)
    clips: ClipConfig = field(default_factory=ClipConfig)
    ignore: IgnoreConfig = field(default_factory=IgnoreConfig)
    masks: MaskConfig = field(default_factory=MaskConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)


@dataclass(frozen=True)
class ProcessReport:
    """What processing a session found."""

    path: str
    frames: int
    attempts: dict[str, int]  # number of attempts by outcome
    tracking: str  # verdict
    lost_frames: int
    accuracy: Accuracy | None  # where the session has recorded poses
    seconds: dict[str, float]  # of the steps that were run; kept ones are not listed
    report: str  # path of the page

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def process_session(
    path: Path, config: ProcessConfig | None = None, on_progress: Progress | None = None
) -> ProcessReport:
    """Process one session in place. What was done before with the same versions and configuration is not done again.

    Raises SessionError when the session cannot be read or holds no frames. Each step is written whole or not at all,
    so an interrupted run goes on where it stopped.
    """
    config = config or ProcessConfig()
    cv2.setNumThreads(1)  # sessions are processed side by side: one core each
    with Session(Path(path)) as session:
        if len(session) == 0:
            raise SessionError(f"{path} holds no frames: there is nothing to process. It was left as it is.")
        done = run_steps(session, _steps(session, config), on_progress)
        return _report(session, done)


def _steps(session: Session, config: ProcessConfig) -> list[Step]:
    attempts = attempts_of(session, config.attempts)
    masks = MaskStepConfig(config.masks, config.clips, config.ignore, config.tracker)
    tracking = TrackingStepConfig(config.tracker, config.ignore)
    return [
        Step("attempts", "5", config.attempts, (), partial(find_session_attempts, session, config.attempts)),
        Step("masks", "7", masks, ("attempts",), partial(find_session_masks, session, attempts, masks)),
        Step(
            "tracking",
            "3",
            tracking,
            ("attempts", "masks"),
            partial(track_session, session, attempts, tracking),
        ),
        Step(
            "grasps",
            "2",
            config.masks,
            ("attempts", "masks", "tracking"),
            partial(find_grasps, session, attempts, config.masks),
        ),
        Step("report", "2", None, ("attempts", "masks", "tracking", "grasps"), lambda on_fraction: _page(session)),
    ]


def _page(session: Session) -> Found:
    """The report page; a file beside the index, so it is written before its marker is."""
    rows = session.db.query("SELECT name, report FROM steps")
    write_report(session, {row["name"]: json.loads(row["report"]) for row in rows})
    return Found(lambda edit: None)


def _report(session: Session, done: dict[str, Done]) -> ProcessReport:
    outcomes: dict[str, int] = {}
    for row in session.db.query("SELECT outcome, COUNT(*) AS n FROM attempts GROUP BY outcome ORDER BY outcome"):
        outcomes[row["outcome"]] = row["n"]
    tracking = done["tracking"].report
    return ProcessReport(
        path=str(session.path),
        frames=len(session),
        attempts=outcomes,
        tracking=tracking["verdict"],
        lost_frames=tracking["lost_frames"],
        accuracy=None if tracking["accuracy"] is None else Accuracy(**tracking["accuracy"]),
        seconds={name: d.seconds for name, d in done.items() if d.ran},
        report=str(session.path / REPORT_NAME),
    )
