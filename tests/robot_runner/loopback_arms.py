"""Addresses and patience for arms on simulated controllers."""

from __future__ import annotations

import itertools

from robot_runner.arm.link_messages import Patience

_hosts = itertools.count(10)
PATIENT = Patience(watchdog_hz=2.0, stale_s=0.4, lost_s=0.8)  # slack for a busy test machine


def next_host() -> str:
    """A loopback address that no other test uses: a controller's ports are fixed."""
    return f"127.0.0.{next(_hosts)}"
