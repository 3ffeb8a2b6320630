"""A console's runner as a process, on a simulated controller, a camera that shows a wall, and any pipe."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from virtual_rig import VirtualCamera

from digital_twin.ur_controller.launch import ControllerProcess
from digital_twin.ur_controller.machine import HOME_Q
from robot_runner.arm.link_messages import Patience
from robot_runner.arm.ur_arm import UrArm
from robot_runner.console import messages as m
from robot_runner.console.scene import Scene
from robot_runner.console.station import Equipment
from robot_runner.console.worker import run_worker
from robot_runner.episode_types import EpisodeConfig
from robot_runner.gripper.rg2_modbus import Rg2Modbus
from wildgrasp.clocks import MonotonicClock

START_Q = (HOME_Q[0] + 1.2, *HOME_Q[1:])  # twelve seconds away from where the arm stands
SILENCE_S = 5.0  # longer than a busy computer keeps this process waiting
VERY_PATIENT = Patience(watchdog_hz=0.5, stale_s=1.0, lost_s=2.0)  # nothing here is about the link's own speed


@dataclass(frozen=True)
class BenchStation:
    address: str
    rg2_port: int
    boxes: Path

    def open(self) -> Equipment:
        arm = UrArm(self.address, patience=VERY_PATIENT)
        config = EpisodeConfig(start_q=START_Q)
        slow = replace(config, travel=replace(config.travel, joint_speed_rad_s=0.1))
        return Equipment(
            arm,
            Rg2Modbus(self.address, self.rg2_port),
            VirtualCamera(MonotonicClock()),
            [Scene("table", slow, self.boxes)],
        )


class Bench:
    """The window's end of the pipe. Use as a context manager."""

    def __init__(self, controller: ControllerProcess, folder: Path) -> None:
        self.controller, self.folder = controller, folder
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        station = BenchStation(controller.address, controller.rg2_port, folder / "boxes.json")
        arguments = (theirs, station, folder / "runs", ("straight-down",), SILENCE_S)
        self.process = context.Process(target=run_worker, args=arguments)
        self.process.start()
        theirs.close()
        self.heard: list[object] = []

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.pipe.close()
        self.process.join(20.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def say(self, message: object) -> None:
        self.pipe.send(message)

    def until(self, done: Callable[[object], bool], alive: bool = True, timeout_s: float = 40.0) -> object:
        """The first message for which ``done`` holds; says now and then that the window is alive."""
        deadline, next_alive = time.monotonic() + timeout_s, 0.0
        while time.monotonic() < deadline:
            if alive and time.monotonic() > next_alive:
                self.say(m.Alive())
                next_alive = time.monotonic() + 0.2
            if self.pipe.poll(0.05):
                self.heard.append(self.pipe.recv())
                if done(self.heard[-1]):
                    return self.heard[-1]
        told = [x for x in self.heard if not isinstance(x, m.Picture | m.ViewsShown)]
        raise AssertionError(f"not told in time; last: {told[-3:]}")

    def until_phase(self, phase: m.Phase, alive: bool = True) -> m.Status:
        return self.until(lambda x: isinstance(x, m.Status) and x.phase is phase, alive)

    def start_and_be_in_motion(self) -> None:
        self.say(m.Start("straight-down", "table", 1))
        self.until_phase(m.Phase.RUNNING)
        self.until(lambda _: self.controller.report()["fastest_joint_rad_s"] > 0.03)
