"""Device time to host time over reboots: what cannot be dated yet waits, and keeps its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from capture_app.gripper.clock_fit import ClockFit, ClockState, DeviceTime, Ping
from capture_app.gripper.protocol import PingMessage, PongMessage, encode

# Worst age of a message that could not be dated: its time on the wire, debouncing, and a few turns of the reader.
UNDATED_UNCERTAINTY_NS = 50_000_000
# A fit takes two seconds. Where none comes (a computer that stalls again and again), nothing may wait for it in memory:
# a crash would take it along, and the person would wait to see their press.
PATIENCE_NS = 5_000_000_000
# A Mega's 115200 baud are 117647, and its resonator may be fast: the time on the wire is no less than at this speed.
FASTEST_BAUD = 120_000
PING_PERIOD_S = 0.05
FAST_PING_PERIOD_S = 0.02  # until the fit is good
REBOOT_BACKSTEP_US = 1_000_000

Deliver = Callable[[int, int], Any]  # (host time ns, uncertainty ns) → what to hand out


@dataclass(frozen=True)
class _Waiting:
    device_us: int | None  # None: dated on the host already
    arrived_ns: int
    deliver: Deliver


class Timeline:
    """Owns the clock fit of the device's present boot. Not thread-safe."""

    def __init__(self) -> None:
        self._wire_ns = 2 * len(encode(PingMessage(1, 1), 1, 0x01010101)) * 10e9 / FASTEST_BAUD
        self._waiting: deque[_Waiting] = deque()
        self._sent: dict[int, int] = {}  # token → host time
        self._token = 0
        self._next_ping_ns = 0
        self._fit, self._time = ClockFit(wire_ns=self._wire_ns), DeviceTime()

    def restart(self) -> list[Any]:
        """The device started anew, and its clock with it. What still waits is handed out, dated by its arrival."""
        rest = self.undated()
        self._sent.clear()
        self._fit, self._time = ClockFit(wire_ns=self._wire_ns), DeviceTime()
        return rest

    def undated(self) -> list[Any]:
        """Everything that waits, dated by its arrival."""
        rest = [_by_arrival(waiting) for waiting in self._waiting]
        self._waiting.clear()
        return rest

    @property
    def state(self) -> ClockState | None:
        return self._fit.state

    def ping_due(self, now_ns: int) -> bytes | None:
        """The ping to send now, if it is time."""
        if now_ns < self._next_ping_ns:
            return None
        self._token = (self._token + 1) % 0x10000
        period_s = PING_PERIOD_S if self._fit.good else FAST_PING_PERIOD_S
        # Spread from ¾ to 1¼ of the period (golden ratio), so that pings do not keep step with anything else.
        spread = 0.75 + 0.5 * (self._token * 0.6180339887 % 1)
        self._next_ping_ns = now_ns + round(period_s * spread * 1e9)
        self._sent = {t: s for t, s in self._sent.items() if now_ns - s < 1_000_000_000}
        self._sent[self._token] = now_ns
        return encode(PingMessage(self._token, 0), self._token & 0xFF)

    def pong(self, message: PongMessage, t_us: int, now_ns: int) -> None:
        sent_ns = self._sent.pop(message.token, None)
        if sent_ns is None or message.wait == 0xFFFF:
            return
        received_us = self._time.unwrap(t_us, now_ns)
        self._fit.add(Ping(sent_ns, received_us, received_us + message.wait, now_ns))

    def went_back(self, t_us: int, now_ns: int) -> bool:
        """Whether a stamp is so far in the past that the device must have started anew."""
        last = self._time.last_us
        return last > 0 and self._time.unwrap(t_us, now_ns) < last - REBOOT_BACKSTEP_US

    def add(self, t_us: int, now_ns: int, deliver: Deliver) -> None:
        """Something of the device's, stamped ``t_us``."""
        self._waiting.append(_Waiting(self._time.unwrap(t_us, now_ns), now_ns, deliver))

    def add_host(self, now_ns: int, deliver: Deliver) -> None:
        """Something of the host's; keeps its place among what waits."""
        self._waiting.append(_Waiting(None, now_ns, deliver))

    def dated(self, now_ns: int) -> list[Any]:
        """Everything that can be dated now, in the order it came; what has waited too long, by its arrival."""
        state = self._fit.state
        out = []
        while self._waiting:
            waiting = self._waiting[0]
            if waiting.device_us is not None and state is not None:
                item = waiting.deliver(state.to_host_ns(waiting.device_us), state.uncertainty_at(waiting.device_us))
            elif waiting.device_us is None or now_ns - waiting.arrived_ns > PATIENCE_NS:
                item = _by_arrival(waiting)
            else:
                break
            self._waiting.popleft()
            out.append(item)
        return out


def _by_arrival(waiting: _Waiting) -> Any:
    return waiting.deliver(waiting.arrived_ns, UNDATED_UNCERTAINTY_NS if waiting.device_us is not None else 0)
