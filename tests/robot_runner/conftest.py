"""Simulated controllers as processes of their own, one per test that asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from digital_twin.ur_controller.launch import ControllerProcess, controller
from robot_runner.arm.link_messages import Patience
from robot_runner.arm.ur_arm import UrArm

_hosts = itertools.count(10)
PATIENT = Patience(watchdog_hz=2.0, stale_s=0.4, lost_s=0.8)  # slack for a busy test machine


def next_host() -> str:
    return f"127.0.0.{next(_hosts)}"


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
