"""``doctor robot``: a good robot passes, each thing that is wrong is named with how to mend it, and nothing moves."""

from __future__ import annotations

import os
import time

import pytest
from loopback_arms import PATIENT, next_host
from virtual_rig import VirtualCamera

from digital_twin.ur_controller.launch import controller
from robot_runner import doctor
from robot_runner.arm.ur_arm import UrArm
from robot_runner.rig_options import RigOptions
from wildgrasp.calibration import Calibration, save_calibration
from wildgrasp.clocks import MonotonicClock
from wildgrasp.doctor import Verdict, as_json, exit_code
from wildgrasp.geometry import pose


def examine(process, camera=None, **options):
    rig = RigOptions(process.address, gripper_port=process.rg2_port, model=process.model, **options)
    arm = UrArm(rig.host, rig.model, PATIENT, rig.payload)
    camera = camera or VirtualCamera(MonotonicClock())
    return {f.name: f for f in doctor.examine_robot(rig, arm, rig.make_gripper(), camera)}


def test_a_good_robot_has_nothing_to_mend_and_does_not_move(cb3, tmp_path):
    file = tmp_path / "hand_eye.json"
    save_calibration(file, Calibration("T_tool_camera", pose()))
    os.utime(file, (time.time() - 40 * 86400,) * 2)
    before = cb3.report()
    found = examine(cb3, hand_eye=file, payload=1.2)
    after = cb3.report()
    assert [f for f in found.values() if f.verdict is Verdict.BAD] == []
    assert exit_code(list(found.values())) == 0
    assert before["q"] == after["q"]
    assert not after["running"]
    assert "40 days old" in found["hand–eye"].found
    assert "3.15" in found["controller"].found
    assert found["payload"].found == "1.20 kg"
    assert found["TCP"].found == "(0, 0, 0) mm from the flange"
    assert "110 mm" in found["gripper"].found
    assert {"network", "stream", "camera and arm", "pose set", "way to the start"} <= found.keys()
    assert all(f.mend for f in found.values() if f.verdict is not Verdict.GOOD)
    assert as_json(list(found.values()))["good"]


def test_what_is_wrong_is_named(cb3, tmp_path):
    cb3.say("protective-stop")
    cb3.say("gripper-silent")
    (tmp_path / "hand_eye.json").write_text("{}")
    (tmp_path / "boxes.json").write_text("[]")
    camera = VirtualCamera(MonotonicClock())
    camera.color_level = camera.depth_level = 0
    found = examine(cb3, camera, hand_eye=tmp_path / "hand_eye.json", keep_out=tmp_path / "boxes.json")
    bad = {name for name, f in found.items() if f.verdict is Verdict.BAD}
    assert {"files", "hand–eye", "safety", "arm", "gripper", "camera and arm"} <= bad
    assert "recover" in found["safety"].mend
    assert all(found[name].mend for name in bad)
    assert exit_code(list(found.values())) == 1


def test_local_control_and_nobody_there():
    with controller("ur5e", next_host()) as process:
        process.say("local")
        assert "remote control" in examine(process)["control"].mend
        process.stop()
        found = examine(process)
        assert found["controller"].verdict is Verdict.BAD
        assert "arm" not in found


@pytest.mark.parametrize("gripper", ["modbus", "urcap"])
def test_options_reach_the_gripper_that_is_meant(cb3, gripper):
    rig = RigOptions(cb3.address, gripper=gripper, gripper_port=cb3.rg2_port if gripper == "modbus" else 0)
    driver = rig.make_gripper()
    driver.connect()
    assert driver.state().width_m == pytest.approx(0.11, abs=1e-3)
    driver.close()
