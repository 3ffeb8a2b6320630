"""One session, processed: from what was recorded to trajectories, attempts, masks and a report page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2

from processing.accuracy import Accuracy
from processing.attempts import AttemptConfig
from processing.ignored import IgnoreConfig
from processing.mask_config import MaskConfig
from processing.mask_step import ClipConfig, MaskStepConfig, find_session_masks
from processing.quality import Verdict, judge
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
    duration_s: float
    attempts: dict[str, int]  # number of attempts by outcome
    tracking: str  # verdict of tracking
    lost_frames: int
    accuracy: Accuracy | None  # where the session has recorded poses
    verdict: Verdict  # of the whole session
    reasons: tuple[str, ...]  # for a verdict that is not good
    seconds: dict[str, float]  # of the steps that were run; kept ones are not listed
    report: str  # path of the page

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ProcessReport:
        """Inverse of :meth:`as_json`. Raises TypeError or KeyError where it is none."""
        accuracy = value["accuracy"]
        known = {"reasons": tuple(value["reasons"]), "accuracy": None if accuracy is None else Accuracy(**accuracy)}
        return cls(**{**value, **known})


def process_session(
    path: Path, config: ProcessConfig | None = None, on_progress: Progress | None = None
) -> ProcessReport:
    """Process one session in place. What was done before with the same versions and configuration is not done again.

    Raises SessionError when the session cannot be read or holds no frames. Each step is written whole or not at all,
    so an interrupted run goes on where it stopped.
    """
    cv2.setNumThreads(1)  # sessions are processed side by side: one core each
    with Session(Path(path)) as session:
        if len(session) == 0:
            raise SessionError(f"{path} holds no frames: there is nothing to process. It was left as it is.")
        done = run_steps(session, pipeline_steps(config or ProcessConfig()), on_progress)
        return _report(session, done)


def pipeline_steps(config: ProcessConfig) -> list[Step]:
    """The steps in order, with what each needs. A step whose result changes gets a new version."""
    masks = MaskStepConfig(config.masks, config.clips, config.ignore, config.tracker)
    tracking = TrackingStepConfig(config.tracker, config.ignore)

    def run_attempts(session: Session, tell) -> Found:
        return find_session_attempts(session, config.attempts, tell)

    def run_masks(session: Session, tell) -> Found:
        return find_session_masks(session, attempts_of(session, config.attempts), masks, tell)

    def run_tracking(session: Session, tell) -> Found:
        return track_session(session, attempts_of(session, config.attempts), tracking, tell)

    def run_grasps(session: Session, tell) -> Found:
        return find_grasps(session, attempts_of(session, config.attempts), config.masks, tell)

    return [
        Step("attempts", "5", config.attempts, (), run_attempts),
        Step("masks", "10", masks, ("attempts",), run_masks),
        Step("tracking", "6", tracking, ("attempts", "masks"), run_tracking),
        Step("grasps", "3", config.masks, ("attempts", "masks", "tracking"), run_grasps),
        Step("report", "3", None, ("attempts", "masks", "tracking", "grasps"), lambda session, tell: _page(session)),
    ]


def _page(session: Session) -> Found:
    """The report page and the session's verdict; a page is a file beside the index, written before its marker is."""
    rows = session.db.query("SELECT name, report FROM steps")
    steps = {row["name"]: json.loads(row["report"]) for row in rows}
    quality = judge(session, steps, list(session.db.query("SELECT * FROM attempts ORDER BY id")))
    write_report(session, steps, quality)
    return Found(lambda edit: None, asdict(quality))


def _report(session: Session, done: dict[str, Done]) -> ProcessReport:
    outcomes: dict[str, int] = {}
    for row in session.db.query("SELECT outcome, COUNT(*) AS n FROM attempts GROUP BY outcome ORDER BY outcome"):
        outcomes[row["outcome"]] = row["n"]
    tracking, quality = done["tracking"].report, done["report"].report
    return ProcessReport(
        path=str(session.path),
        frames=len(session),
        duration_s=float(session.times_ns[-1] - session.times_ns[0]) * 1e-9,
        attempts=outcomes,
        tracking=tracking["verdict"],
        lost_frames=tracking["lost_frames"],
        accuracy=None if tracking["accuracy"] is None else Accuracy(**tracking["accuracy"]),
        verdict=quality["verdict"],
        reasons=tuple(quality["reasons"]),
        seconds={name: d.seconds for name, d in done.items() if d.ran},
        report=str(session.path / REPORT_NAME),
    )
