"""One look at everything, a few times a second on a thread of its own: what the screens show is a snapshot."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from capture_app.app.computer import Network, Power, free_bytes, read_network, read_power
from capture_app.app.devices import Devices
from capture_app.app.picture import PictureLimits, Warn, find_warnings, visible_mask

PERIOD_S = 0.2
SLOW_EVERY = 10  # power, network and disk change slowly
UNKNOWN_POWER, NO_NETWORK = Power(None, True), Network(False, False)
DEFAULT_LIMITS = PictureLimits()


@dataclass(frozen=True)
class Snapshot:
    camera_problem: str = "it is being looked for"  # empty: it is there
    gripper_problem: str = "it is being looked for"
    clock_uncertainty_ns: int | None = None  # of the gripper's events; None: not known yet
    servo_volts: float | None = None
    servo_opening: float | None = None
    picks: int = 0
    power: Power = UNKNOWN_POWER
    network: Network = NO_NETWORK
    free_bytes: int = 0
    warnings: tuple[Warn, ...] = ()
    gripper: dict | None = None  # what the link says of the device

    @property
    def camera_ready(self) -> bool:
        return not self.camera_problem

    @property
    def gripper_ready(self) -> bool:
        return not self.gripper_problem


class Monitor:
    """Keeps ``snapshot`` up to date."""

    def __init__(self, devices: Devices, folder: Path, limits: PictureLimits = DEFAULT_LIMITS) -> None:
        self.snapshot = Snapshot()
        self._devices = devices
        self._folder = folder
        self._limits = limits
        self._visible = None
        self._turn = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(PERIOD_S)

    def look(self) -> None:
        """Take a new snapshot."""
        devices, counter = self._devices, self._devices.gripper
        problems = devices.problems
        values: dict = {
            "camera_problem": problems.camera,
            "gripper_problem": problems.gripper,
            "warnings": self._warnings() if not problems.camera else (),
        }
        if counter is not None:
            counter.rest()
            about = counter.describe()
            fit, servo = about["clock_fit"], counter.servo
            values |= {
                "gripper": about,
                "picks": counter.picks,
                "clock_uncertainty_ns": fit["uncertainty_ns"] if fit and not problems.gripper else None,
                "servo_volts": servo.voltage_v if servo else None,
                "servo_opening": servo.opening if servo else None,
            }
        if self._turn % SLOW_EVERY == 0:
            values |= {
                "power": read_power(),
                "network": read_network(),
                "free_bytes": free_bytes(self._folder),
            }
        self._turn += 1
        self.snapshot = replace(self.snapshot, **values)

    def _warnings(self) -> tuple[Warn, ...]:
        pair = self._devices.pair.frames
        if pair is None:
            return ()
        info = self._devices.feed.info
        if self._visible is None:
            self._visible = visible_mask(info.intrinsics)
        return find_warnings(*pair, round(1e9 / info.fps), self._visible, self._limits)
