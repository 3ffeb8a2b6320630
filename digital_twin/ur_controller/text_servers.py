"""The controller's two line-oriented interfaces: script ports (TCP 30001–30003) and dashboard (TCP 29999)."""

from __future__ import annotations

import asyncio

from digital_twin.ur_controller.interpreter import load
from digital_twin.ur_controller.machine import Machine, SafetyMode
from digital_twin.ur_controller.urscript import split_programs

_MAX_PROGRAM = 4 * 1024 * 1024


class ScriptServer:
    """Runs each program that arrives, replacing the one before. Sends nothing: clients use RTDE for state."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = ""
        try:
            while data := await reader.read(65536):
                programs, buffer = split_programs(buffer + data.decode("utf-8", "replace"))
                for program in programs:
                    load(self._machine, program)
                if len(buffer) > _MAX_PROGRAM:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()


class DashboardServer:
    """Answers the dashboard's commands, one line each."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Connected: Universal Robots Dashboard Server\n")
        try:
            while line := await reader.readline():
                command = line.decode("utf-8", "replace").strip()
                writer.write((self._answer(command) + "\n").encode())
                if command.lower() == "quit":
                    break
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    def _answer(self, command: str) -> str:
        m = self._machine
        word = command.lower()
        major, minor, fix, build = m.model.version
        if word in ("unlock protective stop", "stop", "close safety popup", "close popup") or word.startswith("popup"):
            return self._act(word)
        answers = {
            "polyscopeversion": f"URSoftware {major}.{minor}.{fix}.{build} (Jan 01 2024)",
            "get robot model": m.model.arm.name.upper().rstrip("E"),
            "get serial number": m.model.serial,
            "robotmode": "Robotmode: RUNNING",
            "running": f"Program running: {str(m.running).lower()}",
            "programstate": "PLAYING program" if m.running else "STOPPED program",
            "safetymode": f"Safetymode: {self._safety_word()}",
            "quit": "Disconnected",
        }
        if m.model.e_series:  # not known to a CB3
            answers["is in remote control"] = str(m.remote_control).lower()
            answers["safetystatus"] = f"Safetystatus: {self._safety_word()}"
        return answers.get(word, f"could not understand: '{command}'")

    def _act(self, word: str) -> str:
        m = self._machine
        if m.model.e_series and not m.remote_control:
            return f"Command is not allowed due to safety reasons. {word} needs remote control mode"
        if word == "stop":
            m.stop_program("dashboard")
            return "Stopped"
        if word == "unlock protective stop":
            return "Protective stop releasing" if m.release_protective_stop() else "Cannot unlock protective stop"
        return "closing popup" if word.startswith("close popup") else word

    def _safety_word(self) -> str:
        return (
            "ROBOT_EMERGENCY_STOP" if self._machine.safety is SafetyMode.EMERGENCY_STOP else self._machine.safety.name
        )
