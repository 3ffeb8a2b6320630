"""A simulated UR controller and RG2 on their own: ``python -m digital_twin.ur_controller --help``."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Literal

import tyro

from digital_twin.ur_controller.machine import CONTROLLERS, Machine
from digital_twin.ur_controller.pendant import obey_stdin
from digital_twin.ur_controller.plant import IdealFingers
from digital_twin.ur_controller.rg2 import Rg2
from digital_twin.ur_controller.server import RG2_PORT, CycleTimes, run_cycles, serving
from robot_runner.arm.priority import go_first
from wildgrasp.clocks import MonotonicClock
from wildgrasp.errors import UserError


@dataclass(frozen=True)
class Options:
    """A UR controller and an RG2 without a robot; words on standard input work the pendant (see ``pendant``)."""

    model: Literal["ur5", "ur5e"] = "ur5"  # CB3 3.15 at 125 Hz, or e-Series 5.11 at 500 Hz
    address: str = "127.0.0.1"  # any loopback address; one controller each
    rg2_port: int = RG2_PORT
    stay: bool = False  # keep running when standard input ends


async def _run(options: Options) -> None:
    machine = Machine(CONTROLLERS[options.model])
    rg2 = Rg2(IdealFingers(MonotonicClock()))
    times = CycleTimes()
    async with serving(machine, rg2, options.address, options.rg2_port) as rtde:
        print("ready", flush=True)
        cycles = asyncio.create_task(run_cycles(machine, rtde, times))
        pendant = asyncio.create_task(obey_stdin(machine, rg2, rtde, times))
        waited_for = [cycles] if options.stay else [cycles, pendant]
        done, _ = await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        for task in (cycles, pendant):
            task.cancel()
        for task in done:
            task.result()


def main() -> int:
    go_first()  # a controller has a computer of its own
    try:
        asyncio.run(_run(tyro.cli(Options)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
