"""Command-line verbs of the handheld gripper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from capture_app.gripper.link import GripperLink
from capture_app.gripper.protocol import Command, Result
from capture_app.gripper.servo_setup import (
    Change,
    ServoSettings,
    StopSearch,
    configure,
    find_servo,
    load_stops,
    measure_stops,
    plan,
    save_stops,
)
from wildgrasp.clocks import MonotonicClock
from wildgrasp.errors import GripperLinkError

STOPS_FILE = Path("servo_stops.json")
ANSWER_TIMEOUT_NS = 2_000_000_000


def servo_setup(
    port: str,
    closing: Literal["increasing", "decreasing"] = "increasing",
    measure: bool = True,
    yes: bool = False,
    out: Path = STOPS_FILE,
) -> None:
    """Find the AX-12A on a USB adapter, set it up for the gripper, and measure where the fingers are closed.

    Only one servo may be on the bus, at any id and speed. It says what it would write, and asks. Before measuring, let
    the fingers be fully open with the cable just slack: the servo then closes them slowly and weakly until they stop,
    and opens them again.

    Args:
        port: The adapter's serial port.
        closing: Which way the servo's position goes when the fingers close.
        measure: Move the fingers and record their stops.
        yes: Do not ask.
        out: File for the stops; `wildgrasp servo stops` gives them to the gripper.
    """
    from capture_app.gripper.servo_bus import ServoBus

    settings = ServoSettings()
    bus = ServoBus(port)
    try:
        found = find_servo(bus)
        print(f"found: {found}")
        changes = plan(bus, found, settings)
        for change in changes:
            print(f"  {change}")
        if not changes:
            print("its settings are as they should be")
        if not (yes or _agreed(changes, measure)):
            print("nothing was changed")
            return
        configure(bus, found, changes)
        if measure:
            sign = 1 if closing == "increasing" else -1
            stops = measure_stops(bus, settings.servo_id, MonotonicClock(), sign, StopSearch())
            save_stops(stops, out)
            print(f"open {stops.open_ticks}, closed {stops.closed_ticks} → {out}")
    finally:
        bus.close()


def _agreed(changes: list[Change], measure: bool) -> bool:
    """Whether the person wants what is about to happen."""
    deeds = [f"write {len(changes)} settings"] if changes else []
    deeds += ["move the fingers"] if measure else []
    if not deeds:
        return True
    try:
        return input(f"{' and '.join(deeds).capitalize()}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise GripperLinkError("Nobody is there to be asked, so nothing was changed: add --yes.") from None


def servo_stops(port: str | None = None, file: Path = STOPS_FILE) -> None:
    """Give the measured stops to the gripper, which keeps them.

    Args:
        port: The gripper's serial port; without it, it is looked for.
        file: What `wildgrasp servo setup` wrote.
    """
    stops = load_stops(file)
    link = GripperLink.find(port, MonotonicClock())
    try:
        # The stops may not meet on the way to their new places: first the one that has room.
        current, order = link.stops, [Command.SET_OPEN_STOP, Command.SET_CLOSED_STOP]
        if (stops.open_ticks - current.closed_ticks) * (current.open_ticks - current.closed_ticks) <= 0:
            order.reverse()
        values = {Command.SET_OPEN_STOP: stops.open_ticks, Command.SET_CLOSED_STOP: stops.closed_ticks}
        for command in order:
            _ask(link, command, values[command])
    finally:
        link.close()
    print(f"the gripper now uses open {stops.open_ticks}, closed {stops.closed_ticks}")


def _ask(link: GripperLink, command: Command, value: int) -> None:
    clock = MonotonicClock()
    number = link.send(command, value)
    deadline = clock.now_ns() + ANSWER_TIMEOUT_NS
    while clock.now_ns() < deadline:
        link.poll()
        result = link.result(number)
        if result is Result.DONE:
            return
        if result is not None:
            raise GripperLinkError(
                f"The gripper refused a stop at {value} ticks ({result.name.lower()}). It keeps its old one."
            )
        clock.sleep_until_ns(clock.now_ns() + 5_000_000)
    raise GripperLinkError(
        "The gripper did not answer. Unplug it, plug it in, and try again; its stops may be half set."
    )
