"""What the gripper tells a session, on the recording host's monotonic clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar


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

    source: str  # camera | gripper | queue | disk | person (cut out for privacy)
    t_start_ns: int
    t_end_ns: int
    reason: str
    lost_frames: int = 0


@dataclass(frozen=True)
class HealthSample:
    """How a recording stands, about once a second."""

    t_ns: int
    frames: int  # kept so far
    lost_frames: int  # so far
    most_queued: int  # frames between camera and disk, at most, since the sample before
    sync_ms: float  # how long the disk took to make the last data safe
    free_bytes: int  # on the disk


Message = GripperEvent | ServoSample | Gap | HealthSample
_Message = TypeVar("_Message", GripperEvent, ServoSample, Gap, HealthSample)
_ACCEPTED = {"int": int, "float": int | float, "str": str, "bool": int}


def from_values(kind: type[_Message], values: Mapping[str, Any]) -> _Message:
    """A message of named values that may come from anywhere. Raises KeyError or ValueError where one is missing or of
    the wrong type. A float that is None is NaN: SQLite knows no NaN."""
    found: dict[str, Any] = {}
    for f in fields(kind):
        value = values[f.name]
        if f.type == "float" and value is None:
            value = math.nan
        if not isinstance(value, _ACCEPTED[f.type]):
            raise ValueError(f"{f.name} of a {kind.__name__} is {value!r}")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"{f.name} of a {kind.__name__} is too large")
        found[f.name] = bool(value) if f.type == "bool" else value
    return kind(**found)
