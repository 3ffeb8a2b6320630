"""The device's clock in terms of the host's: offset, drift and how far to trust them.

A ping leaves the host at s, reaches the device at d, its answer leaves at e and is back at r. With H the host's time
of a device time, ``H(d) - s`` is the delay there and ``r - H(e)`` the delay back, both at least some smallest delay. In
each short window the smallest of either kind is kept (queueing only ever adds), half their difference is how far H is
off there, and a line through the windows corrects H. Like the minimum filter of NTP (RFC 5905, section 10), but with
either direction's minimum taken alone, which under independent jitter is far sharper than the ping with the smallest
round trip.

What no exchange of messages can see is a constant difference between the two smallest delays: half of their sum is part
of the uncertainty.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WRAP_US = 1 << 32
NS_PER_US = 1_000


@dataclass(frozen=True)
class Ping:
    """One exchange. Host times in ns, device times in unwrapped µs."""

    sent_ns: int
    device_received_us: int
    device_sent_us: int
    received_ns: int


@dataclass(frozen=True)
class ClockFitConfig:
    span_s: float = 30.0  # the fit forgets what is older: the resonator drifts with temperature
    window_s: float = 2.0
    windows: int = 8  # shorter windows while the fit is young
    min_span_s: float = 2.0
    min_pings: int = 24
    refit_every: int = 4  # pings


@dataclass(frozen=True)
class ClockState:
    """host_ns = host_ns_at_reference + (device_us - reference_us) · 1000 · (1 + drift_ppm · 1e-6)"""

    reference_us: float
    host_ns_at_reference: float
    drift_ppm: float  # positive: the device's clock is slow
    uncertainty_ns: float  # bound of the unobservable asymmetry plus two standard deviations of the line
    min_round_trip_ns: float  # without the time that the bytes take on the wire
    pings: int

    def to_host_ns(self, device_us: float) -> int:
        """Host time of an unwrapped device time."""
        since_ns = (device_us - self.reference_us) * NS_PER_US
        return round(self.host_ns_at_reference + since_ns * (1 + self.drift_ppm * 1e-6))


class ClockFit:
    """Collects pings of one boot of the device and keeps :attr:`state` up to date."""

    def __init__(self, config: ClockFitConfig | None = None, wire_ns: float = 0.0) -> None:
        """``wire_ns``: time that a ping and its answer together take on the wire; equal both ways, so it cancels."""
        self.config = config if config is not None else ClockFitConfig()
        self._wire_ns = wire_ns
        self._pings: deque[Ping] = deque()
        self._since_fit = 0
        self.state: ClockState | None = None

    @property
    def good(self) -> bool:
        return self.state is not None

    def add(self, ping: Ping) -> None:
        self._pings.append(ping)
        oldest_ns = ping.sent_ns - self.config.span_s * 1e9
        while self._pings[0].sent_ns < oldest_ns:
            self._pings.popleft()
        self._since_fit += 1
        span_s = (ping.sent_ns - self._pings[0].sent_ns) * 1e-9
        enough = span_s >= self.config.min_span_s and len(self._pings) >= self.config.min_pings
        if enough and (self.state is None or self._since_fit >= self.config.refit_every):
            self._since_fit = 0
            self.state = fit(list(self._pings), self.config, self._wire_ns)


def fit(pings: list[Ping], config: ClockFitConfig, wire_ns: float = 0.0) -> ClockState:
    """The clock's line through pings that span at least two windows."""
    table = np.array(
        [(p.sent_ns, p.device_received_us, p.device_sent_us, p.received_ns) for p in pings], dtype=np.int64
    )
    reference = table[-1]  # differences to the last ping are small enough for exact floats
    sent, received = ((table[:, i] - reference[0]).astype(float) for i in (0, 3))
    there, back = ((table[:, i] - reference[1]).astype(float) * NS_PER_US for i in (1, 2))
    window_ns = 1e9 * float(np.clip((sent[-1] - sent[0]) * 1e-9 / config.windows, 0.05, config.window_s))
    index = ((sent - sent[0]) // window_ns).astype(int)

    offset, slope = _first_guess(sent, there, back, received)
    for _ in range(2):
        delay_there = offset + slope * there - sent
        delay_back = received - (offset + slope * back)
        centers, errors, round_trips = _window_minima(index, there, delay_there, delay_back)
        line = np.polyfit(centers, errors, 1)
        slope, offset = slope + line[0], offset + line[1]

    # The typical window's, not the very smallest: one lucky exchange does not make the others' asymmetry smaller.
    round_trip = max(0.0, float(np.median(round_trips)) - wire_ns)
    residual = errors - np.polyval(line, centers)
    uncertainty = round_trip / 2 + 2 * _line_sigma(centers, residual)
    return ClockState(
        reference_us=float(reference[1]),
        host_ns_at_reference=float(reference[0] + offset),
        drift_ppm=float(slope - 1) * 1e6,
        uncertainty_ns=uncertainty,
        min_round_trip_ns=round_trip,
        pings=len(pings),
    )


def _first_guess(sent: NDArray, there: NDArray, back: NDArray, received: NDArray) -> tuple[float, float]:
    slope, offset = np.polyfit((there + back) / 2, (sent + received) / 2, 1)
    return float(offset), float(slope)


def _window_minima(
    index: NDArray[np.intp], device_ns: NDArray, delay_there: NDArray, delay_back: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Per window that has pings: device time, how much the line is too early there, smallest round trip; [W] each."""
    centers, errors, round_trips = [], [], []
    for window in np.unique(index):
        members = np.flatnonzero(index == window)
        i, j = members[np.argmin(delay_there[members])], members[np.argmin(delay_back[members])]
        centers.append((device_ns[i] + device_ns[j]) / 2)
        errors.append((delay_back[j] - delay_there[i]) / 2)
        round_trips.append(delay_back[j] + delay_there[i])
    return np.array(centers), np.array(errors), np.array(round_trips)


def _line_sigma(centers: NDArray, residual: NDArray) -> float:
    """Standard deviation of a fitted line at its newest end."""
    count = len(centers)
    if count < 3:
        return 0.0
    spread = centers - centers.mean()
    variance = float(residual @ residual) / (count - 2)
    leverage = 1 / count + spread[-1] ** 2 / float(spread @ spread)
    return float(np.sqrt(variance * leverage))


class DeviceTime:
    """Unwraps the device's 32-bit microseconds; the host's clock tells how many wraps a silence took."""

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._last_host_ns = 0

    def unwrap(self, t_us: int, host_ns: int) -> int:
        """Device time without wraps, for a stamp that arrived at ``host_ns``."""
        if self._last_us is None:
            self._last_us, self._last_host_ns = t_us, host_ns
            return t_us
        expected = self._last_us + (host_ns - self._last_host_ns) // NS_PER_US
        ahead = (t_us - expected + WRAP_US // 2) % WRAP_US - WRAP_US // 2
        unwrapped = expected + ahead
        if unwrapped > self._last_us:
            self._last_us, self._last_host_ns = unwrapped, host_ns
        return unwrapped

    @property
    def last_us(self) -> int:
        """The latest stamp so far."""
        return self._last_us if self._last_us is not None else 0
