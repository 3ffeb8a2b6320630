"""The dashboard of a UR controller (TCP 29999): one line asked, one line answered."""

from __future__ import annotations

import socket

from wildgrasp.errors import RobotError

PORT = 29999


def ask(host: str, command: str, timeout_s: float = 3.0) -> str:
    """The dashboard's answer to a command. Raises RobotError when it does not answer."""
    try:
        with socket.create_connection((host, PORT), timeout_s) as connection, connection.makefile("rw") as lines:
            lines.readline()  # its welcome
            lines.write(command + "\n")
            lines.flush()
            return lines.readline().strip()
    except OSError as error:
        raise RobotError(f"The dashboard of the controller at {host}:{PORT} does not answer ({error}).") from error


def in_local_control(host: str) -> bool:
    """Whether an e-Series controller refuses remote commands. A CB3 does not know the question and never does."""
    return ask(host, "is in remote control").strip().lower() == "false"
