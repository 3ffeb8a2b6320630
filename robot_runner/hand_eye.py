"""The hand–eye calibration on disk: where the camera sits on the robot's tool."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import RobotError
from wildgrasp.geometry import from_vector, to_vector

KEY = "T_tool_camera"


def load_hand_eye(path: Path) -> NDArray[np.float64]:
    """T_tool_camera [4, 4] from a JSON file ``{"T_tool_camera": [x, y, z, qx, qy, qz, qw]}``. Raises RobotError."""
    try:
        vector = np.array(json.loads(path.read_text())[KEY], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RobotError(
            f"There is no hand–eye calibration in {path} ({error}). Without one the robot would grasp beside what it "
            "sees; calibrate, or give the right file."
        ) from error
    if vector.shape != (7,) or not np.isfinite(vector).all() or not 0.9 < np.linalg.norm(vector[3:]) < 1.1:
        raise RobotError(f"The hand–eye calibration in {path} is not a pose of seven numbers. Calibrate again.")
    return from_vector(vector)


def save_hand_eye(path: Path, T_tool_camera: NDArray[np.float64]) -> None:
    path.write_text(json.dumps({KEY: to_vector(T_tool_camera).tolist()}) + "\n")
