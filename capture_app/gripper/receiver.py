"""What the device's messages mean: events and readings in host time, and everything that should be remembered of it."""

from __future__ import annotations

from dataclasses import asdict
from enum import IntEnum
from typing import Any

from capture_app.gripper.clock_fit import ClockState
from capture_app.gripper.frames import FrameStream
from capture_app.gripper.protocol import (
    PROTOCOL_VERSION,
    AckMessage,
    ButtonMessage,
    Fault,
    FaultMessage,
    Frame,
    HelloMessage,
    Message,
    PongMessage,
    ResetCause,
    Result,
    ServoMessage,
    State,
    StateMessage,
    StatsMessage,
)
from capture_app.gripper.stops import ServoStops
from capture_app.gripper.timeline import Timeline
from wildgrasp.sessions.events import GripperEvent, ServoSample

TICKS_S_PER_SPEED_UNIT = 0.111 * 360 / 60 / (300 / 1023)  # AX-12A: 0.111 rpm

Item = GripperEvent | ServoSample


class Receiver:
    """Turns received bytes into dated items. Not thread-safe."""

    def __init__(self, stops: ServoStops | None) -> None:
        self._given_stops = stops
        self.stops = stops if stops is not None else ServoStops()
        self.stream = FrameStream()
        self.timeline = Timeline()
        self.acks: dict[int, Result] = {}
        self.hello: HelloMessage | None = None
        self.wants_hello = True  # the device is unknown, or is no longer the one it was
        self._stats: StatsMessage | None = None
        self._items: list[Item] = []
        self._button_count: int | None = None
        self._lost_button_events = 0
        self._restarts = 0
        self._restart_noticed = False

    def feed(self, data: bytes, now_ns: int) -> int:
        """Take bytes that arrived by ``now_ns``; how many frames they completed."""
        frames = self.stream.feed(data)
        for frame in frames:
            self._handle(frame, now_ns)
        return len(frames)

    def dated(self, now_ns: int) -> list[Item]:
        """What can be dated and was not handed out yet."""
        items, self._items = self._items + self.timeline.dated(now_ns), []
        return items

    def rest(self, now_ns: int) -> list[Item]:
        """What was not handed out yet, also what cannot be dated: that by its arrival."""
        return self.dated(now_ns) + self.timeline.undated()

    def interrupted(self) -> None:
        """The cable was lost."""
        self.stream.restart()
        self.wants_hello = True

    def add_host_event(self, now_ns: int, kind: str, detail: str = "") -> None:
        self.timeline.add_host(now_ns, lambda t_ns, sigma: GripperEvent(t_ns, kind, sigma, detail))

    def meet(self, hello: HelloMessage, now_ns: int) -> None:
        """The device said who it is."""
        known, self.hello = self.hello, hello
        self.wants_hello = False
        if self._given_stops is None and hello.open_stop != hello.closed_stop:
            self.stops = ServoStops(hello.open_stop, hello.closed_stop)
        if hello.protocol != PROTOCOL_VERSION:
            detail = f"the gripper speaks protocol {hello.protocol}, not {PROTOCOL_VERSION}"
            self.add_host_event(now_ns, "fault", detail)
        if known is None or known.boot_id == hello.boot_id:
            return
        self._restarts += 1
        if not self._restart_noticed:
            self._restart_clock()
        self._restart_noticed = False
        self.add_host_event(now_ns, "fault", f"the gripper restarted ({_name(ResetCause, hello.reset_cause)})")

    def describe(self) -> dict[str, Any]:
        """JSON types only."""
        hello, state = self.hello, self.timeline.state
        return {
            "protocol": hello.protocol if hello else None,
            "firmware": f"{hello.firmware:08x}" if hello else None,
            "boot_id": hello.boot_id if hello else None,
            "reset_cause": _name(ResetCause, hello.reset_cause) if hello else None,
            "stops": asdict(self.stops),
            "clock_fit": _clock_to_json(state) if state else None,
            "restarts": self._restarts,
            "lost_button_events": self._lost_button_events,
            "received": asdict(self.stream.counts),
            "device_counters": asdict(self._stats) if self._stats else None,
        }

    def _handle(self, frame: Frame, now_ns: int) -> None:
        message = frame.message
        if isinstance(message, HelloMessage):
            self.meet(message, now_ns)
            return
        if self.timeline.went_back(frame.t_us, now_ns):
            self._restart_clock()
            self._restart_noticed = self.wants_hello = True
        match message:
            case StatsMessage():
                self._stats = message
            case AckMessage():
                self.acks[message.command_seq] = Result(message.result)
            case PongMessage():
                self.timeline.pong(message, frame.t_us, now_ns)
            case _:
                self._add(message, frame.t_us, now_ns)

    def _add(self, message: Message, t_us: int, now_ns: int) -> None:
        match message:
            case ButtonMessage():
                if self._is_new(message):
                    self._add_event(t_us, now_ns, "press" if message.pressed else "release")
            case StateMessage(state=State.HOLDING, contact=1):
                self._add_event(t_us, now_ns, "contact")
            case FaultMessage():
                became = "began" if message.active else "ended"
                self._add_event(t_us, now_ns, "fault", f"{_name(Fault, message.fault)} {became} ({message.detail})")
            case ServoMessage():
                stops = self.stops
                self.timeline.add(t_us, now_ns, lambda t_ns, _: servo_sample(message, stops, t_ns))

    def _is_new(self, button: ButtonMessage) -> bool:
        """Every change is sent twice; a number that was skipped is a change that was lost."""
        if self._button_count is not None:
            ahead = (button.count - self._button_count) % 0x10000
            if ahead == 0:
                return False
            self._lost_button_events += ahead - 1
        self._button_count = button.count
        return True

    def _restart_clock(self) -> None:
        self._items += self.timeline.restart()
        self._button_count = 0

    def _add_event(self, t_us: int, now_ns: int, kind: str, detail: str = "") -> None:
        self.timeline.add(t_us, now_ns, lambda t_ns, sigma: GripperEvent(t_ns, kind, sigma, detail))


def servo_sample(message: ServoMessage, stops: ServoStops, t_ns: int) -> ServoSample:
    """A reading in the session's units. Load is positive when the servo pulls the fingers closed."""
    return ServoSample(
        t_ns=t_ns,
        opening=stops.opening(message.position),
        speed=stops.opening_per_s(message.speed * TICKS_S_PER_SPEED_UNIT),
        load=stops.closing_sign * message.load / 1023,
        temperature_c=float(message.temperature),
        voltage_v=message.voltage / 10,
        moving=bool(message.moving),
        error=message.error,
    )


def _clock_to_json(state: ClockState) -> dict[str, float]:
    return {
        "offset_ns": state.to_host_ns(0.0),  # host time of the device's zero
        "drift_ppm": round(state.drift_ppm, 3),
        "uncertainty_ns": round(state.uncertainty_ns),
        "min_round_trip_ns": round(state.min_round_trip_ns),
        "pings": state.pings,
    }


def _name(enum: type[IntEnum], value: int) -> str:
    """A value that only newer firmware knows keeps its number."""
    try:
        return enum(value).name.lower()
    except ValueError:
        return str(value)
