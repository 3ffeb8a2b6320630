"""The RG2 drivers against the simulated Compute Box and URCap: widths, forces, objects, silence, the safety switch."""

import socket
import threading

import pytest

from robot_runner.gripper.rg2_modbus import Rg2Modbus
from robot_runner.gripper.rg2_xmlrpc import Rg2XmlRpc
from wildgrasp.errors import RobotError


@pytest.fixture(params=["modbus", "xmlrpc"])
def gripper(cb3, request):
    gripper = Rg2Modbus(cb3.address, cb3.rg2_port) if request.param == "modbus" else Rg2XmlRpc(cb3.address)
    gripper.connect()
    yield gripper
    gripper.close()


def test_it_goes_to_the_width_it_is_told(gripper, cb3):
    gripper.move_to(0.04, 20.0)
    reading = gripper.wait(5.0)
    assert reading.width_m == pytest.approx(0.04, abs=1e-4)
    assert not reading.grip_detected
    assert cb3.report()["gripper_width_m"] == pytest.approx(0.04, abs=1e-4)


def test_closing_ends_on_an_object_and_says_so(gripper, cb3):
    cb3.say("object 32")
    gripper.move_to(0.0, 20.0)
    reading = gripper.wait(5.0)
    assert reading.grip_detected
    assert reading.width_m == pytest.approx(0.032, abs=1e-4)


def test_a_command_during_a_motion_is_not_lost(gripper):
    gripper.move_to(0.02, 20.0)
    gripper.move_to(0.09, 20.0)
    assert gripper.wait(5.0).width_m == pytest.approx(0.09, abs=1e-4)


def test_silence_is_reported_in_time(gripper, cb3):
    cb3.say("gripper-silent")
    with pytest.raises(RobotError, match="does not answer"):
        gripper.state()


def test_a_triggered_safety_switch_is_named(gripper, cb3):
    cb3.say("gripper-trip")
    assert gripper.state().alarms == ("safety switch 1 was triggered",)
    with pytest.raises(RobotError, match="safety switch 1 was triggered"):
        gripper.wait(1.0)


@pytest.mark.parametrize(("width_m", "force_n"), [(-0.01, 20), (0.2, 20), (0.05, 0), (0.05, 400), (float("nan"), 20)])
def test_what_it_cannot_do_is_refused(gripper, width_m, force_n):
    with pytest.raises(RobotError, match="Nothing moved"):
        gripper.move_to(width_m, force_n)


def test_nobody_there():
    with pytest.raises(RobotError, match="No gripper answers"):
        Rg2Modbus("127.0.0.250", 1502).connect()
    with pytest.raises(RobotError, match="does not answer"):
        Rg2XmlRpc("127.0.0.250").connect()


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n"
_NUMBER = b"<methodResponse><params><param><value><%s></value></param></params></methodResponse>"


@pytest.mark.parametrize(
    "answer",
    [
        _HEAD + b"<methodResponse>" + b"<a>" * 100_000,
        _HEAD + _NUMBER % b"string>nan</string",
        _HEAD + _NUMBER % b"double>nan</double",
        _HEAD + b"no xml at all",
        b"HTTP/1.1 500 no\r\n\r\n",
        b"",
    ],
    ids=["endless", "text", "nan", "no xml", "error", "closed"],
)
def test_an_untrusted_server_gets_no_further_than_a_clear_error(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65536)
                        connection.sendall(answer)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(RobotError, match="does not answer"):
            Rg2XmlRpc("127.0.0.1", listener.getsockname()[1]).connect()
        listener.shutdown(socket.SHUT_RDWR)
