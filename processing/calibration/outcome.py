"""What a calibration found, how sure it is, and a verdict that a person can act on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from wildgrasp.calibration import Calibration, Kind, Verdict
from wildgrasp.geometry import inverse, rotation_angle, se3_exp, se3_log

Array = NDArray[np.float64]

# One standard deviation. A grasp misses by about this much, and by the angle times the 25 cm to the fingertips.
GOOD_MM, GOOD_DEG = 1.0, 0.3
POOR_MM, POOR_DEG = 3.0, 1.0
OUTLIER = 4.0  # times the median deviation


@dataclass(frozen=True)
class ViewResidual:
    """How far one view is from what all of them together say."""

    frame: int
    place: str  # which footprint; the station's number on a robot
    mm: float
    deg: float
    px: float  # of the board's corners in the picture
    used: bool  # False: an outlier


@dataclass(frozen=True)
class Outcome:
    kind: Kind
    T: Array  # [4, 4]
    sigma_mm: float  # one standard deviation of the position, as a length
    sigma_deg: float
    views: tuple[ViewResidual, ...]
    coverage: dict[str, float]
    verdict: Verdict
    reasons: tuple[str, ...]  # what is wrong and what to do; empty when all is well
    notes: tuple[str, ...] = field(default=())  # what these numbers cannot show

    def calibration(self, details: dict[str, Any]) -> Calibration:
        found = {
            **details,
            "coverage": {k: round(v, 3) for k, v in self.coverage.items()},
            "views": [asdict(view) for view in self.views],
            "notes": list(self.notes),
        }
        made = datetime.now(UTC).isoformat(timespec="seconds")
        sigma_mm, sigma_deg = round(self.sigma_mm, 3), round(self.sigma_deg, 4)
        return Calibration(self.kind, self.T, self.verdict, sigma_mm, sigma_deg, made, self.reasons, found)


def verdict_of(sigma_mm: float, sigma_deg: float, unusable: Sequence[str], poor: Sequence[str]) -> tuple:
    """Verdict and its reasons, the grave ones first."""
    grave, slight = list(unusable), list(poor)
    told = f"one standard deviation is {sigma_mm:.1f} mm and {sigma_deg:.2f}°: take more views"
    if sigma_mm > POOR_MM or sigma_deg > POOR_DEG:
        grave.append(told)
    elif sigma_mm > GOOD_MM or sigma_deg > GOOD_DEG:
        slight.append(told)
    return ("unusable" if grave else "poor" if slight else "good"), (*grave, *slight)


def mean_pose(poses: Array) -> Array:
    """Mean [4, 4] of poses [N, 4, 4] that are near each other."""
    T = poses[0]
    for _ in range(10):
        step = se3_log(inverse(T) @ poses).mean(axis=0)
        T = T @ se3_exp(step)
        if np.linalg.norm(step) < 1e-12:
            break
    return T


def deviation(T: Array, mean: Array) -> tuple[float, float]:
    """Millimetres and degrees between two poses of the same thing."""
    apart = inverse(mean) @ T
    return 1e3 * float(np.linalg.norm(apart[:3, 3])), float(np.rad2deg(rotation_angle(apart[:3, :3])))


def outliers(mm: Array, deg: Array, floor_mm: float, floor_deg: float) -> NDArray[np.bool_]:
    """Which views [N] are too far from the rest; what is below the floors never is."""

    def far(values: Array, floor: float) -> NDArray[np.bool_]:
        return values > max(OUTLIER * float(np.median(values)), floor)

    return far(mm, floor_mm) | far(deg, floor_deg)


def jackknife(solve: Callable[[list[int]], Array], count: int, everything: Array) -> tuple[float, float]:
    """Standard deviation of a solved pose (mm, degrees), from leaving out one view after the other.

    Widened by Student's t, since a few views know their own scatter badly: 68 % lie within.
    """
    twists = np.array([se3_log(inverse(everything) @ solve([j for j in range(count) if j != i])) for i in range(count)])
    spread = twists - twists.mean(axis=0)
    variance = (count - 1) / count * np.sum(spread**2, axis=0)
    wider = float(student_t.ppf(0.8413, count - 1))
    return (
        1e3 * wider * float(np.sqrt(variance[:3].sum())),
        float(np.rad2deg(wider * np.sqrt(variance[3:].sum()))),
    )
