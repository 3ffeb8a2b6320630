"""Simulated controllers as processes of their own, one per test that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loopback_arms import PATIENT, next_host

from digital_twin.ur_controller.launch import ControllerProcess, controller
from robot_runner.arm.ur_arm import UrArm


@pytest.fixture
def cb3() -> Iterator[ControllerProcess]:
    with controller("ur5", next_host()) as process:
        yield process


@pytest.fixture
def arm(cb3: ControllerProcess) -> Iterator[UrArm]:
    arm = UrArm(cb3.address, patience=PATIENT)
    arm.connect()
    yield arm
    arm.close()
