"""What each state is called, what it means for the person beside the arm, and how to get out of it."""

from __future__ import annotations

from dataclasses import dataclass

from robot_runner.console.messages import Cause, Phase


@dataclass(frozen=True)
class Words:
    """``title``: a few words to be read from three metres. ``steps``: what the operator confirms, in order."""

    title: str
    meaning: str
    steps: tuple[str, ...] = ()


PHASES: dict[Phase, Words] = {
    Phase.CONNECTING: Words("Connecting", "Arm, gripper and camera are being connected. Nothing moves."),
    Phase.READY: Words("Ready", "The arm stands still. It moves when you press Start."),
    Phase.RUNNING: Words("Running", "The arm moves. Stay beside the emergency stop."),
    Phase.PAUSED: Words("Paused", "The arm finishes the move under way, then stands still until you go on."),
    Phase.STOPPING: Words("Stopping", "The arm is being brought to rest."),
}

_LOOK = "I have looked at the arm and its surroundings. Nobody is within its reach."
_CLEAR = "What the arm touched or holds is taken away, or may stay."

CAUSES: dict[Cause, Words] = {
    Cause.PROTECTIVE_STOP: Words(
        "Protective stop",
        "The arm met something, or was asked for too much, and stopped by itself. It stands still until recovered.",
        (
            _LOOK,
            _CLEAR,
            "At least 5 seconds have passed since the stop: the controller insists.",
        ),
    ),
    Cause.EMERGENCY_STOP: Words(
        "Emergency stop",
        "An emergency stop button is pressed. The arm has no power and its brakes are closed.",
        (
            "The reason for the emergency is gone.",
            _LOOK,
            "The button is turned back, and the arm is switched on again at its pendant.",
        ),
    ),
    Cause.LINK_LOST: Words(
        "Link lost",
        "The controller no longer answers, or what it sends is old. Its watchdog stops the arm within a moment.",
        (
            _LOOK,
            "The network cable is plugged in at both ends, and the controller is switched on.",
        ),
    ),
    Cause.PROGRAM_STOPPED: Words(
        "Program stopped",
        "The control program on the arm's controller has ended. The arm stands still.",
        (
            _LOOK,
            "The pendant shows no message any more, and nobody drives the arm from there.",
        ),
    ),
    Cause.UNREACHABLE: Words(
        "Not connected",
        "Arm, gripper or camera could not be connected. Nothing moves.",
        ("What the message names is mended.",),
    ),
    Cause.FAULT: Words(
        "Run ended",
        "Something failed, and the arm was brought to rest. What was recorded is kept.",
        (_LOOK, "What the message names is mended."),
    ),
}

STATES = {  # of an episode
    "loading": "loading the policy",
    "start": "going to the start pose",
    "observe": "looking",
    "decide": "choosing a view",
    "move": "moving",
    "finish": "last move",
    "close": "closing the fingers",
    "lift": "lifting",
    "check": "checking the width",
    "drop": "putting down",
    "paused": "standing still",
    "end": "finished",
}
EMERGENCY_NOTE = "The space bar and Stop bring the arm to rest. They are no emergency stop: that is the red button."
