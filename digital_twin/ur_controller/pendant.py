"""The hands at the simulated controller: words on standard input do what an operator does at a teach pendant.

``protective-stop``, ``emergency-stop``, ``release-emergency-stop``, ``local``, ``remote``, ``freeze-link`` (the
cable), ``thaw-link``, ``cut-link`` and ``join-link`` (connections break), ``jitter MS``, ``nonsense`` and ``sense``
(joint angles that are no numbers), ``gripper-silent``, ``gripper-answers``, ``gripper-trip``, ``object MM``, ``no-
object``, ``kill PID`` (a client's process, by SIGKILL), and ``report``. Each is answered by one line of JSON on
standard output: the machine's state at that very moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable

import numpy as np

from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.plant import IdealFingers
from digital_twin.ur_controller.poses import tool_pose
from digital_twin.ur_controller.rg2 import Rg2
from digital_twin.ur_controller.rtde_server import RtdeServer
from digital_twin.ur_controller.server import CycleTimes


async def obey_stdin(machine: Machine, rg2: Rg2, rtde: RtdeServer, times: CycleTimes) -> None:
    """Obey until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        word, _, argument = line.decode().strip().partition(" ")
        known = obey(word, argument, machine, rg2, rtde)
        print(json.dumps(report(machine, rg2, times) if known else {"error": f"unknown word {word!r}"}), flush=True)


def obey(word: str, argument: str, machine: Machine, rg2: Rg2, rtde: RtdeServer) -> bool:
    """Do one thing; False when the word is not known."""
    actions: dict[str, Callable[[], object]] = {
        "report": lambda: None,
        "protective-stop": lambda: machine.protective_stop("pendant"),
        "emergency-stop": machine.emergency_stop,
        "release-emergency-stop": machine.release_emergency_stop,
        "local": lambda: setattr(machine, "remote_control", False),
        "remote": lambda: setattr(machine, "remote_control", True),
        "freeze-link": rtde.freeze_link,
        "thaw-link": rtde.thaw_link,
        "cut-link": rtde.cut_link,
        "join-link": rtde.join_link,
        "jitter": lambda: setattr(rtde, "jitter_s", float(argument) * 1e-3),
        "nonsense": lambda: setattr(rtde, "nonsense", True),
        "sense": lambda: setattr(rtde, "nonsense", False),
        "gripper-silent": lambda: setattr(rg2, "silent", True),
        "gripper-answers": lambda: setattr(rg2, "silent", False),
        "gripper-trip": lambda: setattr(rg2, "tripped", True),
        "object": lambda: _put_object(rg2, float(argument) * 1e-3),
        "no-object": lambda: _put_object(rg2, None),
        "kill": lambda: os.kill(int(argument), signal.SIGKILL),
    }
    action = actions.get(word)
    if action is None:
        return False
    action()
    return True


def report(machine: Machine, rg2: Rg2, times: CycleTimes) -> dict:
    """What can be seen from outside the machine, for whoever stands beside it."""
    width_m, busy, grip = rg2.fingers.read()
    return {
        "time_s": machine.time,
        "q": machine.q.tolist(),
        "fastest_joint_rad_s": float(np.abs(machine.qd).max()),
        "flange": tool_pose(machine, machine.q, [0.0] * 6).tolist(),
        "safety": machine.safety.name,
        "running": machine.running,
        "watchdog_armed": machine.watchdog is not None,
        "scripts_loaded": machine.scripts_loaded,
        "program_since_s": machine.program_since_s,
        "program_since_q": machine.program_since_q.tolist(),
        "messages": list(machine.messages)[-20:],
        "gripper_width_m": width_m,
        "gripper_busy": busy,
        "gripper_holds": grip,
        "late_ms_p99": times.p99_ms(),
    }


def _put_object(rg2: Rg2, width_m: float | None) -> None:
    if isinstance(rg2.fingers, IdealFingers):
        rg2.fingers.object_width_m = width_m
