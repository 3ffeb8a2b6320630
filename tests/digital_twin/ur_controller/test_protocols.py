"""The simulated controller on its wires: RTDE read by an independent client, dashboard, script ports, addresses."""

import asyncio
import itertools
import socket
import subprocess
import sys

import numpy as np
import pytest
from rtde_client import RtdeClient

from digital_twin.ur_controller.launch import controller
from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.server import serve
from robot_runner.arm import dashboard
from robot_runner.arm.kinematics import UR5, UR5E, forward
from wildgrasp.errors import RobotError
from wildgrasp.geometry import so3_log

_hosts = itertools.count(150)


@pytest.fixture(scope="module", params=["ur5", "ur5e"])
def running(request):
    with controller(request.param, f"127.0.0.{next(_hosts)}") as process:
        yield process


@pytest.fixture
def client(running):
    client = RtdeClient(running.address)
    assert client.version(2)
    yield client
    client.close()


def test_state_at_the_asked_rate_in_controller_time(running, client):
    assert client.controller_version()[0] == (3 if running.model == "ur5" else 5)
    assert client.outputs(["timestamp", "actual_q", "actual_TCP_pose", "safety_status_bits"], 62.5) == [
        "DOUBLE",
        "VECTOR6D",
        "VECTOR6D",
        "UINT32",
    ]
    assert client.start()
    packages = [client.package() for _ in range(20)]
    np.testing.assert_allclose(np.diff([p[0] for p in packages]), 0.016, atol=1e-9)
    _, q, tcp, safety = packages[-1]
    T = forward(UR5 if running.model == "ur5" else UR5E, np.array(q))
    np.testing.assert_allclose(tcp, [*T[:3, 3], *so3_log(T[:3, :3])], atol=1e-9)
    assert safety == 1


def test_unknown_names_and_registers_in_use_are_told(running, client):
    assert client.outputs(["timestamp", "nonsense"], 125) == ["DOUBLE", "NOT_FOUND"]
    recipe, types = client.inputs(["input_int_register_24"])
    assert (recipe, types) == (1, ["INT32"])
    other = RtdeClient(running.address)
    assert other.inputs(["input_int_register_24"]) == (0, ["IN_USE"])
    other.close()


def test_registers_reach_a_program_and_come_back(running, client):
    body = "write_output_integer_register(3, 2 * read_input_integer_register(30))"
    program = f"def echo():\n  while True:\n    {body}\n    sync()\n  end\nend\n"
    with socket.create_connection((running.address, 30002)) as script:
        script.sendall(program.encode())
    recipe, _ = client.inputs(["input_int_register_30"])
    client.outputs(["output_int_register_3", "runtime_state"], 125)
    client.start()
    client.send(recipe, ">i", 21)
    found = next(p for p in (client.package() for _ in range(500)) if p[0] == 42)
    assert found[1] == 2
    assert dashboard.ask(running.address, "stop") == "Stopped"
    assert not running.report()["running"]


def test_garbage_closes_one_connection_only(running, client):
    for garbage in (b"\x00\x00\x00", b"\x00\x03X\xff\xff", b"\x00\x05U\x09\x09", b"GET / HTTP/1.0\r\n\r\n"):
        with socket.create_connection((running.address, 30004)) as connection:
            connection.sendall(garbage)
    assert client.controller_version()[0] in (3, 5)


def test_the_dashboard_speaks_the_dialect_of_its_controller(running):
    assert dashboard.ask(running.address, "PolyscopeVersion").startswith("URSoftware")
    local = dashboard.ask(running.address, "is in remote control")
    assert local == ("true" if running.model == "ur5e" else "could not understand: 'is in remote control'")
    assert not dashboard.in_local_control(running.address)
    running.say("protective-stop")
    assert "PROTECTIVE_STOP" in dashboard.ask(running.address, "safetymode")
    assert dashboard.ask(running.address, "unlock protective stop") == "Cannot unlock protective stop"  # too soon
    stopped_s = running.report()["time_s"]
    while running.report()["time_s"] < stopped_s + 0.6:
        pass
    assert dashboard.ask(running.address, "unlock protective stop") == "Protective stop releasing"
    assert "NORMAL" in dashboard.ask(running.address, "safetymode")


def test_two_controllers_side_by_side_and_one_address_once(running):
    with controller("ur5", f"127.0.0.{next(_hosts)}", running.rg2_port) as other:
        assert other.report()["safety"] == "NORMAL"
        command = [sys.executable, "-m", "digital_twin.ur_controller", "--address", other.address]
        second = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert second.returncode == 2
        assert "another loopback address" in second.stderr


def test_only_loopback_addresses_are_served():
    with pytest.raises(RobotError, match="loopback"):
        asyncio.run(serve(Machine(), None, "0.0.0.0"))
