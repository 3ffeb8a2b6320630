"""The command line: one command, a verb for every job.

Verbs are loaded by name only when they are called, so that the ground floor imports no other package and the capture
computer needs no torch. A verb is a function; tyro turns its signature into flags.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass

from wildgrasp.errors import UserError


@dataclass(frozen=True)
class Verb:
    """Where a verb lives and which extra it needs."""

    target: str  # module:function
    extra: str  # of pyproject.toml; '' for none
    summary: str


VERBS: dict[str, Verb] = {
    "doctor": Verb("wildgrasp.commands:doctor", "", "What of devices, packages and permissions works here"),
    "doctor robot": Verb("robot_runner.commands:doctor_robot", "robot", "Is a robot ready? Each line says how to mend"),
    "capture": Verb("capture_app.app.commands:capture", "capture", "Open the touchscreen app of the handheld gripper"),
    "capture --twin": Verb("digital_twin.app_twin:capture", "capture,twin", "The same app, on the digital twin"),
    "record": Verb("capture_app.record:record", "capture", "Record a session with the handheld gripper in a terminal"),
    "servo setup": Verb(
        "capture_app.commands:servo_setup", "capture", "Set the gripper's servo up and measure its stops"
    ),
    "servo stops": Verb("capture_app.commands:servo_stops", "capture", "Give the measured stops to the gripper"),
    "import 7scenes": Verb("wildgrasp.commands:import_seven_scenes", "", "A 7-Scenes folder becomes a session"),
    "import tum": Verb("wildgrasp.commands:import_tum_rgbd", "", "A TUM RGB-D folder becomes a session"),
    "import realsense": Verb(
        "wildgrasp.commands:import_realsense_file", "capture", "A RealSense file becomes a session"
    ),
    "check": Verb("wildgrasp.commands:check", "", "Is a session whole? Exit code 0 good, 3 repairable, 1 broken"),
    "repair": Verb("wildgrasp.commands:repair", "", "Rebuild a session's index from its recordings"),
    "upload": Verb("wildgrasp.upload.commands:upload", "upload", "Sessions go to a lab's server"),
    "ingest-server start": Verb("wildgrasp.ingest.commands:start", "ingest", "Run a lab's server for uploads"),
    "ingest-server add-device": Verb("wildgrasp.ingest.commands:add_device", "upload", "Let a device upload"),
    "ingest-server remove-device": Verb("wildgrasp.ingest.commands:remove_device", "upload", "Take its key back"),
    "ingest-server receive": Verb("wildgrasp.ingest.commands:receive", "upload", "Uploads, compared, become sessions"),
    "process": Verb("processing.commands:process", "processing", "Sessions gain trajectories, attempts and masks"),
    "calibrate board": Verb("processing.calibration.commands:board", "processing", "The calibration sheet, to print"),
    "calibrate camera-to-gripper": Verb(
        "processing.calibration.commands:camera_to_gripper",
        "processing",
        "Where the camera sits on the handheld gripper or the robot's tool",
    ),
    "train": Verb("grasp_policy.commands:train", "policy", "Processed sessions become a policy checkpoint"),
    "card": Verb("grasp_policy.commands:card", "policy", "What a checkpoint is, and what runs it here"),
    "run": Verb("robot_runner.commands:run", "robot,policy", "A policy grasps with a UR5 and an RG2"),
    "view": Verb("robot_runner.commands:view", "robot", "A page of a robot's run: outcomes and what it saw"),
    "console": Verb("robot_runner.console.command:console", "robot,policy", "The operator's console"),
    "console --twin": Verb("digital_twin.console:console_twin", "twin", "The console on a simulated cell"),
    "simulate": Verb("digital_twin.commands:simulate", "twin", "Simulated people record sessions"),
    "evaluate": Verb("digital_twin.benchmark.commands:evaluate", "twin", "Success rate of a policy in simulation"),
    "demo": Verb("digital_twin.demo.commands:demo", "twin", "The main job end to end on the digital twin"),
}
GROUPS = {
    "import": "Recordings of other systems become sessions",
    "servo": "The gripper's servo",
    "ingest-server": "A lab's server",
    "calibrate": "Calibration",
}


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit codes: 0 done, 2 an error that a person can mend, 130 interrupted, or what the verb returns."""
    args = list(sys.argv[1:] if argv is None else argv)
    name = _verb_name(args)
    if name is None:
        print(_usage(args))
        return 0 if not args or args[-1] in ("-h", "--help") else 2
    words = len(name.split())
    try:
        return _call(name, VERBS[name], args[words:])
    except UserError as error:
        print(f"wildgrasp {name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would say so when it ends
        return 1
    except KeyboardInterrupt:
        print(f"\nwildgrasp {name}: interrupted. What was finished is kept; the same command goes on.", file=sys.stderr)
        return 130


def _verb_name(args: list[str]) -> str | None:
    for words in (2, 1):
        name = " ".join(args[:words])
        if len(args) >= words and name in VERBS:
            return name
    return None


def _call(name: str, verb: Verb, args: list[str]) -> int:
    import tyro

    module, function = verb.target.split(":")
    try:
        run = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        root = (error.name or "").split(".")[0]
        if not verb.extra or root in ("wildgrasp", *verb.target.split(".")[:1]):
            raise
        raise UserError(
            f"The Python package {root!r} is needed and not installed. Run: pip install 'wildgrasp[{verb.extra}]'"
        ) from error
    result = tyro.cli(run, prog=f"wildgrasp {name}", args=args)
    return result if isinstance(result, int) else 0


def _usage(args: list[str]) -> str:
    group = args[0] if args and args[0] in GROUPS else None
    if args and group is None and args[0] not in ("-h", "--help"):
        lines = [f"wildgrasp: there is no verb {args[0]!r}. The verbs are:"]
    elif group is not None:
        lines = [f"usage: wildgrasp {group} … — {GROUPS[group]}", ""]
    else:
        lines = ["usage: wildgrasp VERB … (each has --help)", ""]
    shown = {n: v for n, v in VERBS.items() if group is None or n.split()[0] == group}
    width = max(map(len, shown))
    return "\n".join(lines + [f"  {n:<{width}}  {v.summary}" for n, v in shown.items()])


if __name__ == "__main__":
    sys.exit(main())
