"""From the text that arrives at a script port to the program that runs."""

from __future__ import annotations

from digital_twin.ur_controller.builtins import cyclic_functions, plain_functions
from digital_twin.ur_controller.machine import Machine, SafetyMode
from digital_twin.ur_controller.urscript import ScriptError, compile_program


def load(machine: Machine, source: str) -> None:
    """Replace the running program, as a script port does. A program that cannot run is refused with a message."""
    if machine.safety is not SafetyMode.NORMAL:
        machine.messages.append(f"program refused: {machine.safety.name}")
        return
    cyclic = cyclic_functions(machine)
    try:
        name, program = compile_program(source, {**plain_functions(machine), **cyclic}, cyclic)
    except ScriptError as error:
        machine.stop_program("replaced by another program")
        machine.messages.append(f"program refused: {error}")
        return
    machine.run_program(name, program)
