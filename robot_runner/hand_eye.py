"""The hand–eye calibration on disk: where the camera sits on the robot's tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildgrasp.calibration import load_calibration
from wildgrasp.errors import CalibrationError, RobotError

KEY = "T_tool_camera"


def load_hand_eye(path: Path) -> NDArray[np.float64]:
    """T_tool_camera [4, 4] from a file that `wildgrasp calibrate camera-to-gripper` wrote. Raises RobotError."""
    try:
        return load_calibration(path, KEY).T
    except CalibrationError as error:
        text = f"The hand–eye calibration is missing: {error} Without it the robot would grasp beside what it sees."
        raise RobotError(text) from error
