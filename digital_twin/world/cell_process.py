"""The robot cell in real time: simulated UR controller and RG2 over MuJoCo in one process, the wrist camera in another.

The unmodified ``ur_rtde`` client and the product's RG2 class talk to it over loopback as they would to the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.rg2 import Rg2
from digital_twin.ur_controller.server import RG2_PORT, run_cycles, serving
from digital_twin.world.cell_camera import CellCamera
from digital_twin.world.cell_piles import PileSettings
from digital_twin.world.cell_reality import Difficulty, sample_reality
from digital_twin.world.cell_state import SharedState
from digital_twin.world.robot_cell import CellSettings, RobotCell
from wildgrasp.errors import RobotError
from wildgrasp.geometry import Array

_PRIORITY = -10
_START_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class CellTruth:
    """What the simulation knows at one moment; no product code sees it."""

    t_ns: int  # host monotonic clock
    T_base_fingertip: Array  # [4, 4]
    lifted: tuple[str, ...]  # names of objects that hang between the pads
    objects: dict[str, Array]  # T_base_object [4, 4] of what is still there
    finger_width_m: float


class RobotCellTwin:
    """A running cell, seen from outside. Made by :func:`start_robot_cell`; a context manager."""

    def __init__(self, settings: CellSettings, address: str, gripper_port: int) -> None:
        self.settings = settings
        self.host = self.gripper_host = address
        self.gripper_port = gripper_port
        context = get_context("spawn")
        cell = RobotCell(settings)  # for its size and its objects' names; the running one is built in the process
        self.object_kinds = cell.object_kinds
        state = SharedState(context, cell.model.nq)
        self.camera = CellCamera(context, settings, state)
        self._connection, theirs = context.Pipe()
        arguments = (theirs, settings, state, address, gripper_port)
        self._process = context.Process(target=run_cell, args=arguments, name="robot-cell", daemon=True)
        self._process.start()
        theirs.close()
        try:
            ready = self._receive(_START_TIMEOUT_S)
            if ready != "ready":
                raise RobotError(str(ready))
        except RobotError:
            self.close()
            raise

    def truth(self) -> CellTruth:
        return self._ask("truth")

    def controller_messages(self) -> list[str]:
        """What the controller's pendant would show: programs started, why they stopped, protective stops."""
        return self._ask("messages")

    def reset_objects(self) -> None:
        """Objects back to where they had come to rest; the robot stays as it is."""
        self._ask("reset")

    def remove_object(self, name: str) -> None:
        """Take an object away, as an operator would."""
        self._ask("remove", name)

    def close(self) -> None:
        """End both processes. Harmless when they have ended."""
        self.camera.close()
        with contextlib.suppress(OSError):
            self._connection.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def __enter__(self) -> RobotCellTwin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, verb: str, *arguments: str) -> Any:
        try:
            self._connection.send((verb, *arguments))
        except OSError as error:
            raise _cell_gone() from error
        return self._receive(_ANSWER_TIMEOUT_S)

    def _receive(self, timeout_s: float) -> Any:
        try:
            if self._connection.poll(timeout_s):
                return self._connection.recv()
        except (EOFError, OSError) as error:
            raise _cell_gone() from error
        raise RobotError(f"The simulated cell did not answer within {timeout_s:.0f} s. Close it and start it again.")


def start_robot_cell(
    seed: int = 0,
    address: str = "127.0.0.1",
    gripper_port: int = RG2_PORT,
    difficulty: Difficulty = "nominal",
    pile: PileSettings | None = None,
) -> RobotCellTwin:
    """Start a cell with a pile of objects in real time and wait until its controller answers.

    Raises RobotError when the address is not loopback or one of its ports is taken.
    """
    reality = sample_reality(np.random.default_rng([seed, 1]), difficulty)
    return RobotCellTwin(CellSettings(seed, pile=pile or PileSettings(), reality=reality), address, gripper_port)


def _cell_gone() -> RobotError:
    return RobotError("The simulated cell has ended. What was recorded is kept; start the cell again.")


# --- inside the cell's process ----------------------------------------------------------------------------------------


class CellPlant:
    """The controller's ``JointPlant`` and the RG2's ``FingerPlant`` over one cell; publishes every cycle's state."""

    def __init__(self, cell: RobotCell, state: SharedState) -> None:
        self.cell, self._state = cell, state

    def step(self, q_target: Array, dt: float) -> tuple[Array, Array]:
        reached = self.cell.step(q_target, dt)
        self._state.write(time.monotonic_ns(), self.cell.data.qpos)
        return reached

    def command(self, width_m: float, force_n: float) -> None:
        self.cell.command_fingers(width_m, force_n)

    def read(self) -> tuple[float, bool, bool]:
        fingers = self.cell.finger_state()
        return fingers.width_m, fingers.busy, fingers.grip_detected


def run_cell(
    connection: Connection, settings: CellSettings, state: SharedState, address: str, gripper_port: int
) -> None:
    """Main function of the cell's process; ends when the other side hangs up."""
    with contextlib.suppress(PermissionError):
        os.nice(_PRIORITY)  # a controller has a computer of its own; here it goes first, where that is permitted
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_cell(connection, settings, state, address, gripper_port))


async def _serve_cell(
    connection: Connection, settings: CellSettings, state: SharedState, address: str, gripper_port: int
) -> None:
    plant = CellPlant(RobotCell(settings), state)
    machine = Machine(plant=plant, q_start=settings.start_q)
    try:
        async with serving(machine, Rg2(plant), address, gripper_port) as rtde:
            cycles = asyncio.create_task(run_cycles(machine, rtde))
            hung_up = asyncio.create_task(_answer(connection, plant.cell, machine))
            connection.send("ready")
            await asyncio.wait((cycles, hung_up), return_when=asyncio.FIRST_COMPLETED)
            cycles.cancel()
    except RobotError as error:
        connection.send(str(error))


async def _answer(connection: Connection, cell: RobotCell, machine: Machine) -> None:
    """Answer questions between two control cycles, until the other side hangs up."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(connection.fileno(), arrived.set)
    with contextlib.suppress(EOFError, OSError):
        while True:
            await arrived.wait()
            arrived.clear()
            while connection.poll(0):
                connection.send(_reply(cell, machine, *connection.recv()))
    loop.remove_reader(connection.fileno())


def _reply(cell: RobotCell, machine: Machine, verb: str, *arguments: str) -> CellTruth | list[str] | None:
    if verb == "messages":
        return list(machine.messages)
    if verb == "truth":
        width = cell.finger_state().width_m
        lifted = tuple(cell.lifted_objects())
        return CellTruth(time.monotonic_ns(), cell.T_base_fingertip(), lifted, cell.objects(), width)
    if verb == "reset":
        cell.reset_objects()
    elif verb == "remove":
        cell.remove_object(*arguments)
    return None
