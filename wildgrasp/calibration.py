"""A calibration on disk: one pose, and what is known of how good it is.

A JSON file that `wildgrasp calibrate` writes. The recorder takes ``T_camera_fingertip`` from one, the robot's runner
``T_tool_camera``. The pose alone suffices to be read; the rest is for people, and for `doctor`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import from_vector, to_vector

VERSION = 1
MAX_BYTES = 1_000_000

Kind = Literal["T_camera_fingertip", "T_tool_camera"]
Verdict = Literal["good", "poor", "unusable", "unknown"]


@dataclass(frozen=True)
class Calibration:
    """A pose with its uncertainty (one standard deviation) and where it comes from."""

    kind: Kind
    T: NDArray[np.float64]  # [4, 4]
    verdict: Verdict = "unknown"
    sigma_mm: float | None = None
    sigma_deg: float | None = None
    made: str = ""  # date and time, ISO 8601
    reasons: tuple[str, ...] = ()  # for a verdict that is not good
    details: dict[str, Any] = field(default_factory=dict)  # camera, board, coverage, residuals of the views


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write the file, whole or not at all. Raises CalibrationError when the disk refuses."""
    value = {
        "format": "wildgrasp calibration",
        "version": VERSION,
        "made": calibration.made,
        "verdict": calibration.verdict,
        "reasons": list(calibration.reasons),
        calibration.kind: to_vector(calibration.T).tolist(),
        "sigma_mm": calibration.sigma_mm,
        "sigma_deg": calibration.sigma_deg,
        **calibration.details,
    }
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(value, indent=1) + "\n")
        part.replace(path)
    except OSError as error:
        raise CalibrationError(
            f"{path} could not be written ({error.strerror}). Give another file by --out."
        ) from error


def load_calibration(path: Path, kind: Kind) -> Calibration:
    """A calibration of this kind. Raises CalibrationError where the file holds none, or one that is of no use."""
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(MAX_BYTES))
        vector = np.array(value[kind], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise CalibrationError(
            f"{path} holds no calibration {kind} ({reason}). Make one with `wildgrasp calibrate camera-to-gripper`, or "
            "give the right file."
        ) from error
    if value.get("version", VERSION) != VERSION:
        raise CalibrationError(f"{path} was written by another version of WildGrasp. Update, or calibrate again.")
    if vector.shape != (7,) or not np.isfinite(vector).all() or not 0.9 < np.linalg.norm(vector[3:]) < 1.1:
        raise CalibrationError(f"The calibration in {path} is not a pose of seven numbers. Calibrate again.")
    if value.get("verdict") == "unusable":
        raise CalibrationError(f"The calibration in {path} was found unusable when it was made. Calibrate again.")
    return Calibration(
        kind,
        from_vector(vector),
        value.get("verdict", "unknown"),
        value.get("sigma_mm"),
        value.get("sigma_deg"),
        str(value.get("made", "")),
        tuple(value.get("reasons", ())),
    )
