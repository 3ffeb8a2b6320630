"""Starting a simulated controller as a process of its own, and standing beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from digital_twin.ur_controller.server import RG2_PORT
from wildgrasp.errors import RobotError


class ControllerProcess:
    """A running simulated controller. Its words are those of ``pendant``."""

    def __init__(self, model: str, address: str, rg2_port: int) -> None:
        self.model, self.address, self.rg2_port = model, address, rg2_port
        self._start()

    def say(self, words: str) -> dict:
        """Do something at the pendant; the machine's state afterwards."""
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def report(self) -> dict:
        return self.say("report")

    def restart(self) -> None:
        """Power off and on again: it comes up at its start pose without a program."""
        self.stop()
        self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _start(self) -> None:
        command = [sys.executable, "-m", "digital_twin.ur_controller", "--model", self.model]
        command += ["--address", self.address, "--rg2-port", str(self.rg2_port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline().strip() != "ready":
            self.stop()
            raise RobotError(f"The simulated controller did not start on {self.address}. Its message stands above.")


@contextmanager
def controller(model: str = "ur5", address: str = "127.0.0.1", rg2_port: int = RG2_PORT) -> Iterator[ControllerProcess]:
    """A simulated controller that answers when the block is entered and is gone when it is left."""
    process = ControllerProcess(model, address, rg2_port)
    try:
        yield process
    finally:
        process.stop()
