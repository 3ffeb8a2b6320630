"""Errors that a person can cause or mend.

The command line prints their text as one sentence and exits with 2; apps show it. So the text says what happened,
what was kept, and what to do. Everything else is a bug and keeps its stack trace.
"""


class UserError(Exception):
    """What happened, what was kept, what to do: in one or two sentences."""


class CameraError(UserError):
    """The camera is missing, stalled or unplugged."""


class GripperLinkError(UserError):
    """The handheld gripper's serial port is missing, silent or speaks another protocol."""


class SessionError(UserError):
    """A session folder cannot be read or written."""


class RobotError(UserError):
    """The arm or its gripper does not answer, refuses, or has stopped."""


class CheckpointError(UserError):
    """A policy checkpoint cannot be read."""


class CalibrationError(UserError):
    """A calibration cannot be made or read."""
