"""What a check finds, and the verdict that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path


class Status(IntEnum):
    """The verdict; the number is the exit code of ``wildgrasp check``."""

    GOOD = 0
    BROKEN = 1
    REPAIRABLE = 3


@dataclass(frozen=True)
class Finding:
    """Something that was found. GOOD: worth knowing, nothing is wrong with the data."""

    status: Status
    text: str


@dataclass
class CheckReport:
    path: Path
    frames: int = 0
    events: int = 0
    servo_samples: int = 0
    duration_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> Status:
        found = {finding.status for finding in self.findings}
        return next((s for s in (Status.BROKEN, Status.REPAIRABLE) if s in found), Status.GOOD)

    def repairable(self, text: str) -> None:
        self.findings.append(Finding(Status.REPAIRABLE, text))

    def broken(self, text: str) -> None:
        self.findings.append(Finding(Status.BROKEN, text))

    def note(self, text: str) -> None:
        self.findings.append(Finding(Status.GOOD, text))
