"""The synchronous core of recording: frames and gripper messages go in, a session comes out.

It has no threads and no clock of its own. :class:`wildgrasp.sessions.recorder.Recorder` drives it from threads in real
time; the digital twin calls it directly in virtual time. So both write the same session by the same rules.
"""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.geometry import to_vector
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, ServoSample
from wildgrasp.sessions.frames import EncodedFrame, FrameEncoder
from wildgrasp.sessions.writer import SYNC_EVERY, SessionWriter

# An interval between two frames that is longer than this many periods is a gap.
GAP_PERIODS = 1.7


class GripperSource(Protocol):
    """A gripper that talks while a session is recorded; its times lie on the host's monotonic clock.

    The source belongs to whoever made it: a recording starts it and takes from it, and never stops it.
    """

    def start(self) -> None:
        """Begin to deliver; does nothing when it was started already. Raises GripperLinkError."""
        ...

    def stop(self) -> None: ...

    def take(self, rest: bool = False) -> list[GripperEvent | ServoSample]:
        """What arrived since the last call, oldest first; with ``rest`` also what waits for its time to be known, with
        the best that is known. Never blocks and never raises: a lost link shows as the events ``link_lost`` and
        ``link_back``."""
        ...

    def describe(self) -> dict[str, Any]:
        """Device, firmware, calibrated stops and clock fit, as JSON values; kept in the session."""
        ...


@dataclass(frozen=True)
class RecordingSummary:
    """What a recording holds and what it misses."""

    path: Path
    frames: int
    lost_frames: int  # counted by time, by the queue or by the camera: never hidden
    events: int
    servo_samples: int
    gaps: tuple[Gap, ...]
    t_start_ns: int  # of the first frame; 0 without one
    t_end_ns: int  # of the last frame
    ended_early: str = ""  # why it ended before somebody ended it; empty when it did not

    @property
    def duration_s(self) -> float:
        return (self.t_end_ns - self.t_start_ns) * 1e-9


class Recording:
    """One session being recorded. One thread owns it.

    Args:
        target: a new session folder, or a writer of one.
        camera: who delivers the frames; needed with a folder.
        gripper: started here, and what it said before is dropped.
        meta: participant, task, labels, consent …; kept as given. ``T_camera_fingertip`` [7] defaults to the rig's
            nominal one.
        quality: JPEG quality of colour; 100 is lossless.
        sync_every: frames between two syncs; None where another thread calls ``writer.sync``.

    Raises SessionError when the folder exists, cannot be created, or the disk is full (with what is kept).
    """

    def __init__(
        self,
        target: SessionWriter | Path,
        camera: CameraInfo | None = None,
        gripper: GripperSource | None = None,
        meta: dict[str, Any] | None = None,
        quality: int = 90,
        sync_every: int | None = SYNC_EVERY,
    ) -> None:
        if gripper is not None:
            gripper.start()
            gripper.take()
        about = {**_provenance(), **(meta or {})}
        if gripper is not None:
            about.setdefault("T_camera_fingertip", to_vector(NOMINAL_T_CAMERA_FINGERTIP).tolist())
            about["gripper"] = gripper.describe()  # at once: a session that is cut off has a device too
        if isinstance(target, SessionWriter):
            self.writer = target
            for key, value in about.items():
                self.writer.set_meta(key, value)
        elif camera is None:
            raise ValueError("a recording into a new folder needs its camera")
        else:
            self.writer = SessionWriter(target, camera, about, sync_every=sync_every)
        self._encoder = FrameEncoder(quality)
        self._gripper = gripper
        self._period_ns = round(1e9 / self.writer.camera.fps)
        self._gaps: list[Gap] = []
        self._events = self._servo_samples = 0
        self._t_first_ns = self._t_last_ns = 0
        self._link_lost_ns: int | None = None
        self._summary: RecordingSummary | None = None

    # --- what comes in ---

    def accept(self, frame: RGBDFrame) -> int | None:
        """Encode and keep one frame; returns its id, or None where its time does not advance (counted as lost)."""
        return self.accept_encoded(self._encoder.encode(frame))

    def accept_encoded(self, frame: EncodedFrame) -> int | None:
        """Keep a frame that another thread encoded."""
        t_ns = frame.t_host_ns
        if self.writer.frame_count == 0:
            self._t_first_ns = t_ns
        elif t_ns <= self._t_last_ns:
            self.note_gap(Gap("camera", t_ns, t_ns, "a frame's time did not advance", 1))
            return None
        else:
            self._note_silence(t_ns)
        self._t_last_ns = t_ns
        return self.writer.add_encoded_frame(frame)

    def drain(self, rest: bool = False) -> None:
        """Keep what the gripper said since the last call; at the end also what waits for its time (``rest``)."""
        if self._gripper is None:
            return
        samples: list[ServoSample] = []
        for message in self._gripper.take(rest):
            if isinstance(message, ServoSample):
                samples.append(message)
            else:
                self.add_event(message)
        self.writer.add_servo(samples)
        self._servo_samples += len(samples)

    def add_event(self, event: GripperEvent) -> None:
        self.writer.add_event(event)
        self._events += 1
        if event.kind == "link_lost" and self._link_lost_ns is None:
            self._link_lost_ns = event.t_ns
        elif event.kind == "link_back" and self._link_lost_ns is not None:
            self.note_gap(Gap("gripper", self._link_lost_ns, event.t_ns, "the gripper's link was lost"))
            self._link_lost_ns = None
            self._describe_gripper()  # it may be another one, and its clock began anew

    def mark(self, t_ns: int | None = None, detail: str = "") -> None:
        """The person says "that one failed", at a time (default: that of the last frame)."""
        self.add_event(GripperEvent(self._t_last_ns if t_ns is None else t_ns, "mark", detail=detail))

    def note_gap(self, gap: Gap) -> None:
        """Keep a known loss: a queue that overflowed, a camera that was unplugged."""
        self._gaps.append(gap)
        self.writer.add_gap(gap)

    # --- how it stands ---

    @property
    def frames(self) -> int:
        return self.writer.frame_count

    @property
    def lost_frames(self) -> int:
        return sum(gap.lost_frames for gap in self._gaps)

    @property
    def events(self) -> int:
        return self._events

    def close(self, health: dict[str, Any] | None = None, ended_early: str = "") -> RecordingSummary:
        """Finish the session; calling it again returns the same summary.

        Args:
            health: what else a recorder knows of itself.
            ended_early: why it ends before somebody ended it.
        """
        if self._summary is not None:
            return self._summary
        self.drain(rest=True)
        self._describe_gripper()
        if self._link_lost_ns is not None:
            end_ns = max(self._t_last_ns, self._link_lost_ns)
            self.note_gap(Gap("gripper", self._link_lost_ns, end_ns, "the gripper's link was lost until the end"))
        summary = RecordingSummary(
            self.writer.path,
            self.frames,
            self.lost_frames,
            self._events,
            self._servo_samples,
            tuple(self._gaps),
            self._t_first_ns,
            self._t_last_ns,
            ended_early,
        )
        self.writer.set_meta("health", {**_health(summary), **(health or {})})
        self.writer.close()
        self._summary = summary
        return summary

    def abandon(self) -> None:
        """Let go of the session as it is, after the disk refused; ``wildgrasp repair`` completes it."""
        self.writer.abandon()

    def note_health(self, t_ns: int, most_queued: int, sync_ms: float, free_bytes: int) -> None:
        self.writer.add_health(HealthSample(t_ns, self.frames, self.lost_frames, most_queued, sync_ms, free_bytes))

    def _describe_gripper(self) -> None:
        if self._gripper is not None:
            self.writer.set_meta("gripper", self._gripper.describe())

    def _note_silence(self, t_ns: int) -> None:
        if t_ns - self._t_last_ns <= GAP_PERIODS * self._period_ns:
            return
        known = [g for g in self._gaps if g.source in ("queue", "camera") and g.t_end_ns > self._t_last_ns]
        missing = round((t_ns - self._t_last_ns) / self._period_ns) - 1 - sum(g.lost_frames for g in known)
        if missing > 0:
            self.note_gap(Gap("camera", self._t_last_ns, t_ns, "no frames arrived", missing))


def _health(summary: RecordingSummary) -> dict[str, Any]:
    fps = (summary.frames - 1) / summary.duration_s if summary.frames > 1 else 0.0
    return {
        "frames": summary.frames,
        "lost_frames": summary.lost_frames,
        "events": summary.events,
        "servo_samples": summary.servo_samples,
        "gaps": len(summary.gaps),
        "fps": round(fps, 3),
        "ended_early": summary.ended_early,
    }


def _provenance() -> dict[str, Any]:
    try:
        version = importlib.metadata.version("wildgrasp")
    except importlib.metadata.PackageNotFoundError:
        version = "source"
    software = {"wildgrasp": version, "python": platform.python_version(), "system": platform.platform()}
    return {"software": software, "started": datetime.now(UTC).isoformat(timespec="seconds")}
