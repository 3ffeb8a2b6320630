"""What the gripper tells a session, on the recording host's monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GripperEvent:
    """One event of a gripper, a person, or the link between.

    kind: ``press`` / ``release`` (debounced button edges), ``contact`` (fingers met something), ``fault``, ``mark``
    (the person tapped "that one failed"), ``link_lost`` / ``link_back``.
    """

    t_ns: int
    kind: str
    uncertainty_ns: int = 0
    detail: str = ""


@dataclass(frozen=True)
class ServoSample:
    """One reading of the servo (or of a robot's gripper).

    ``opening``: 0 = fully closed, 1 = fully open, from the calibrated stops. ``load``: signed fraction of maximum
    torque.
    """

    t_ns: int
    opening: float
    speed: float  # opening per second
    load: float
    temperature_c: float = 0.0
    voltage_v: float = 0.0
    moving: bool = False
    error: int = 0


@dataclass(frozen=True)
class Gap:
    """A time in which a source delivered nothing, or less than it should."""

    source: str  # camera | gripper | queue | disk
    t_start_ns: int
    t_end_ns: int
    reason: str
    lost_frames: int = 0
