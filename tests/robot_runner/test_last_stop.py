"""What brakes the arm when the process that streams to it is gone: in the controller's time, and over real pipes."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from digital_twin.ur_controller import motion
from digital_twin.ur_controller.interpreter import load
from digital_twin.ur_controller.machine import CB3, E_SERIES, Machine
from robot_runner.arm import last_stop
from robot_runner.arm.base import MotionLimits
from robot_runner.arm.kinematics import forward
from robot_runner.arm.link_messages import LinkConfig, Patience
from robot_runner.arm.streamer import Streamer

REACTION_S = 0.010  # from the kill to the program's arrival
CONFIG = LinkConfig("", "ur5", Patience())


def height(machine):
    return forward(machine.model.arm, machine.q)[2, 3]


def streaming_at_full_speed(model):
    """A machine that is servoed downwards at 0.25 m/s, whose stream ends when this returns."""
    machine = Machine(model)
    streamer = Streamer(model.arm, machine.dt, machine.q)
    goal = forward(model.arm, machine.q)
    goal[2, 3] -= 0.35
    streamer.move_to(goal, MotionLimits(speed_m_s=0.25, acceleration_m_s2=1.5))
    target = [machine.q.tolist()]

    def program():
        while True:
            yield from motion.servoj(
                machine, target[0], t=machine.dt, lookahead_time=CONFIG.lookahead_s, gain=CONFIG.gain
            )

    machine.run_program("stream", program)
    start = height(machine)
    while start - height(machine) < 0.15:
        target[0] = streamer.next().tolist()
        machine.tick()
    assert np.linalg.norm(motion.tool_speed(machine)[:3]) == pytest.approx(0.25, abs=0.002)
    return machine


@pytest.mark.parametrize("model", [CB3, E_SERIES], ids=["cb3", "e-series"])
def test_the_arm_stops_within_five_millimetres_where_holding_the_last_target_takes_more(model):
    travelled = {}
    for braked in (True, False):
        machine = streaming_at_full_speed(model)
        at_kill, path = height(machine), []
        for cycle in range(round(0.5 / machine.dt)):
            if braked and cycle == np.ceil(REACTION_S / machine.dt):
                load(machine, last_stop._STOP.decode())
            machine.tick()
            path.append(at_kill - height(machine))
        assert np.abs(machine.qd).max() < 1e-3
        travelled[braked] = max(path)
    assert travelled[True] <= 0.005
    assert travelled[True] < travelled[False] < 0.0085


class ScriptPort:
    """Takes one connection on a free port and keeps what arrives."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(ConnectionResetError):
            connection.sendall(b"state " * 1000)
            while data := connection.recv(4096):
                self.received += data

    def until_closed(self):
        self._thread.join(20.0)
        self._listener.close()
        return self.received


@pytest.mark.parametrize(("farewell", "sent"), [(b"", last_stop._STOP), (last_stop.FAREWELL, b"")])
def test_the_end_of_the_pipe_sends_the_stop_and_a_farewell_does_not(farewell, sent):
    port = ScriptPort()
    code = f"import sys; from robot_runner.arm import last_stop as s; s.SCRIPT_PORT = {port.port}; "
    code += "sys.exit(s.main('127.0.0.1'))"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"r"
    process.stdin.write(farewell)
    process.stdin.close()
    assert process.wait(20.0) == (0 if farewell else 1)
    process.stdout.close()
    assert port.until_closed() == sent
