"""The console's runner on the simulated cell, as ``wildgrasp console --twin`` starts it."""

from __future__ import annotations

import multiprocessing
import socket
import time

from digital_twin.console import TwinStation
from robot_runner.console import messages as m
from robot_runner.console.worker import run_worker

ADDRESS = "127.0.0.63"


def free_port():
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def test_the_cell_comes_up_behind_the_console_and_goes_with_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    station = TwinStation(7, ADDRESS, free_port(), tmp_path / "scenes")
    runner = context.Process(target=run_worker, args=(theirs, station, tmp_path / "runs", ("straight-down",)))
    runner.start()
    theirs.close()
    wanted, deadline = {m.Choices, m.Picture}, time.monotonic() + 300
    heard: dict[type, object] = {}
    while not wanted <= heard.keys() and time.monotonic() < deadline:
        if pipe.poll(0.1):
            message = pipe.recv()
            heard[type(message)] = message
    pipe.close()
    runner.join(60.0)
    assert wanted <= heard.keys()
    assert [s.name for s in heard[m.Choices].scenes] == ["whole table", "left half", "right half"]
    assert heard[m.Picture].color.std() > 5  # a scene, not a wall
    assert heard[m.Status].phase is m.Phase.READY
    assert runner.exitcode == 0
