"""The stream to the arm: is its rate held, and how far does the arm travel after its client is killed?

``python -m benchmarks.controller [--json FILE]`` starts a simulated controller, moves the arm at 0.25 m/s through the
product's own class, and kills the process that streams. Distances and times are the controller's own, from the moment
of the kill; how long the braking took to begin is told too, since a loaded computer makes that late, not the arm. The
peer, measured in the same run, is what most programs do with ur_rtde: ``speedL`` from a script, with and without a
watchdog. Run it on an idle computer: the simulated controller needs its share, a real one does not.
"""

from __future__ import annotations

import json as json_module
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from digital_twin.ur_controller.launch import ControllerProcess, controller
from robot_runner.arm.base import MotionLimits
from robot_runner.arm.link_messages import Patience
from robot_runner.arm.ur_arm import UrArm

SPEED_M_S = 0.25

_OURS = """
import sys
from robot_runner.arm.base import MotionLimits
from robot_runner.arm.link_messages import Patience
from robot_runner.arm.ur_arm import UrArm
if __name__ == "__main__":
    arm = UrArm(sys.argv[1], sys.argv[2], Patience(2.0, 0.5, 1.0))
    arm.connect()
    T = arm.state().T_base_tool.copy()
    T[2, 3] -= 0.35
    arm.move_to(T, MotionLimits(speed_m_s=0.25, acceleration_m_s2=1.5))
    print(arm._process.pid, flush=True)
    sys.stdin.read()
"""
_PEER = """
import os, sys, time
import rtde_control
c = rtde_control.RTDEControlInterface(sys.argv[1])
if sys.argv[2] == "watchdog":
    c.setWatchdog(20.0)
print(os.getpid(), flush=True)
while True:
    c.speedL([0, 0, -0.25, 0, 0, 0], 1.5, 0.1)
    time.sleep(0.02)
"""


def stream_rate(address: str, model: str, seconds: float) -> tuple[float, float]:
    """Cycles per second of the stream while the arm moves, and the 99th percentile of a cycle's lateness in ms."""
    arm = UrArm(address, model, Patience(2.0, 0.5, 1.0))
    arm.connect()
    try:
        lower = arm.state().T_base_tool.copy()
        upper = lower.copy()
        lower[2, 3] -= 0.15
        start_s, start_count = time.monotonic(), arm.cycles
        while time.monotonic() - start_s < seconds:
            for goal in (lower, upper):
                arm.move_to(goal, MotionLimits())
                arm.wait(5.0, remaining_m=0.01)
        cycles = arm.cycles - start_count
        elapsed = time.monotonic() - start_s
        late_ms = np.percentile(arm.cycle_lateness_us()[-cycles:], 99) * 1e-3
        return cycles / elapsed, float(late_ms)
    finally:
        arm.close()


@dataclass(frozen=True)
class Travel:
    """From the kill to rest, or within 2 s where the arm does not come to rest."""

    mm: float
    reaction_ms: float | None  # until another program brakes the arm; None: none does


def travel_after_kill(process: ControllerProcess, script: str, *arguments: str) -> Travel | None:
    """None if the arm never got going."""
    start = _height(process.report())
    command = [sys.executable, "-c", script, process.address, *arguments]
    client = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        pid = int(client.stdout.readline())
        deadline_s = time.monotonic() + 10.0
        while start - _height(process.report()) < 0.1:
            if time.monotonic() > deadline_s:
                return None  # a watchdog too strict for this computer's load
            time.sleep(0.002)
        at_kill = process.say(f"kill {pid}")
        until_s = at_kill["time_s"] + 2.0
        report = process.report()
        while report["fastest_joint_rad_s"] > 1e-4 and report["time_s"] < until_s:
            report = process.report()
        braked = report["scripts_loaded"] > at_kill["scripts_loaded"]
        reaction_ms = 1e3 * (report["program_since_s"] - at_kill["time_s"]) if braked else None
        return Travel((_height(at_kill) - _height(report)) * 1e3, reaction_ms)
    finally:
        client.kill()
        client.wait()


def _height(report: dict) -> float:
    return report["flange"][2][3]


def measure(seconds: float = 5.0, kills: int = 3) -> dict[str, Any]:
    results: dict[str, Any] = {"models": {}, "peers": {}}
    for number, model in enumerate(("ur5", "ur5e")):
        address = f"127.0.0.{230 + number}"
        with controller(model, address) as process:
            hz, late_ms = stream_rate(address, model, seconds)
        travelled = []
        for _ in range(kills):
            with controller(model, address) as process:
                travel = travel_after_kill(process, _OURS, model)
                if travel is not None:
                    travelled.append(travel)
        results["models"][model] = {
            "cycle_hz": hz,
            "late_ms_p99": late_ms,
            "stop_distance_mm_after_client_kill": max((t.mm for t in travelled), default=None),
            "kills": [asdict(t) for t in travelled],
        }
    for name in ("watchdog", "bare"):
        with controller("ur5", "127.0.0.232") as process:
            travel = travel_after_kill(process, _PEER, name)
            results["peers"][f"speedL, {name}"] = {
                "stop_distance_mm_after_client_kill": None if travel is None else travel.mm
            }
    return {**results["models"]["ur5"], **results}


def main(seconds: float = 5.0, kills: int = 3, json: Path | None = None) -> None:
    """Rate of the stream and the arm's travel after its client is killed.

    Args:
        seconds: How long to watch the stream, for each controller.
        kills: How often to kill; the farthest travel counts.
        json: Write the figures here.
    """
    results = measure(seconds, kills)
    table = Table("", "cycles/s", "late p99 ms", f"travel after kill at {SPEED_M_S} m/s, mm (braking began after ms)")
    for name, row in results["models"].items():
        travels = ", ".join(
            f"{kill['mm']:.1f}" + (f" ({kill['reaction_ms']:.0f})" if kill["reaction_ms"] is not None else " (never)")
            for kill in row["kills"]
        )
        table.add_row(name, f"{row['cycle_hz']:.1f}", f"{row['late_ms_p99']:.2f}", travels)
    for name, row in results["peers"].items():
        travel = row["stop_distance_mm_after_client_kill"]
        table.add_row(name, "", "", "did not get going" if travel is None else f"{travel:.1f}")
    Console().print(table)
    Console().print(f"Load of this computer: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if json is not None:
        json.write_text(json_module.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
