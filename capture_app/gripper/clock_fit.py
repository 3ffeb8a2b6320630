"""The device's clock in terms of the host's: offset, drift and how far to trust them.

A ping leaves the host at s, reaches the device at d, its answer leaves at e and is back at r. With H the host's time
of a device time, a straight line, ``H(d) - s`` is the delay there and ``r - H(e)`` the delay back. Queueing only ever
adds to either, so what counts are the smallest ones, as in the skew estimation of Moon, Skelly and Towsley (1999) and
Zhang, Liu and Xia (2002), here with both directions at once.

- Slope: a wrong one makes some delays look too short, so the right one has the largest sum of the two smallest delays.
- Offset: the two smallest delays are taken to be equal.
- Uncertainty: no delay is negative. So H is early by no more than the shortest recent delay there, and late by no more
  than the shortest recent delay back, whatever the jitter and however unequal the ways: no statistics, a bound.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

WRAP_US = 1 << 32
NS_PER_US = 1_000
# Stamps in whole microseconds, and the device's guess of when its answer leaves.
RESOLUTION_NS = 50_000
STEP_NS = 5_000_000  # less than this beyond the bound is no reason to start anew


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
    recent_s: float = 2.0  # what bounds the error now
    min_span_s: float = 2.0
    min_pings: int = 24
    refit_every: int = 4  # pings


@dataclass(frozen=True)
class ClockState:
    """host_ns = host_ns_at_reference + (device_us - reference_us) · 1000 · (1 + drift_ppm · 1e-6)"""

    reference_us: float  # the newest ping's
    host_ns_at_reference: float
    drift_ppm: float  # positive: the device's clock is slow
    drift_bound_ppm: float  # how wrong the drift may be
    span_us: float  # before the reference, where pings were
    uncertainty_ns: float  # bound of the error there
    min_round_trip_ns: float  # without the time that the bytes take on the wire
    pings: int

    def to_host_ns(self, device_us: float) -> int:
        """Host time of an unwrapped device time."""
        since_ns = (device_us - self.reference_us) * NS_PER_US
        return round(self.host_ns_at_reference + since_ns * (1 + self.drift_ppm * 1e-6))

    def uncertainty_at(self, device_us: float) -> int:
        """Bound of the error of :meth:`to_host_ns` [ns]; it grows where there are no pings."""
        since_us = device_us - self.reference_us
        beyond_ns = max(0.0, since_us, -since_us - self.span_us) * NS_PER_US
        return round(self.uncertainty_ns + beyond_ns * self.drift_bound_ppm * 1e-6)

    def contradicts(self, ping: Ping) -> bool:
        """Whether it would have arrived before it was sent: then one of the clocks was set, or stood still."""
        early_ns = self.to_host_ns(ping.device_received_us) - ping.sent_ns
        late_ns = ping.received_ns - self.to_host_ns(ping.device_sent_us)
        return min(early_ns, late_ns) < -self.uncertainty_at(ping.device_sent_us) - STEP_NS


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
        """Take one more exchange. What contradicts all before it (the computer slept) starts the fit anew."""
        if self.state is not None and self.state.contradicts(ping):
            self._pings.clear()
            self.state = None
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
    """The line through at least two pings, the newest last."""
    table = np.array(
        [(p.sent_ns, p.device_received_us, p.device_sent_us, p.received_ns) for p in pings], dtype=np.int64
    )
    reference = table[-1]  # differences to the last ping are small enough for exact floats
    sent, received = ((table[:, i] - reference[0]).astype(float) for i in (0, 3))
    there, back = ((table[:, i] - reference[1]).astype(float) * NS_PER_US for i in (1, 2))

    slope = np.polyfit((there + back) / 2, (sent + received) / 2, 1)[0]
    slope += _slope_correction(there, back, slope * there - sent, received - slope * back)
    delay_there, delay_back = slope * there - sent, received - slope * back
    offset = (delay_back.min() - delay_there.min()) / 2
    delay_there, delay_back = delay_there + offset, delay_back - offset

    recent = sent >= -config.recent_s * 1e9
    bound = max(delay_there[recent].min(), delay_back[recent].min()) - wire_ns / 2
    uncertainty = max(0.0, float(bound)) + RESOLUTION_NS
    span_ns = float(there[-1] - there[0])
    return ClockState(
        reference_us=float(reference[1]),
        host_ns_at_reference=float(reference[0] + offset),
        drift_ppm=float(slope - 1) * 1e6,
        drift_bound_ppm=2e6 * uncertainty / span_ns,
        span_us=span_ns / NS_PER_US,
        uncertainty_ns=uncertainty,
        min_round_trip_ns=max(0.0, float(delay_there.min() + delay_back.min()) - wire_ns),
        pings=len(pings),
    )


def _slope_correction(there: NDArray, back: NDArray, delay_there: NDArray, delay_back: NDArray) -> float:
    """What to add to the slope for the largest sum of the smallest delays: a concave function of it."""

    def loss(change: float) -> float:
        return -float((delay_there + change * there).min() + (delay_back - change * back).min())

    # More than this would tilt the line by more than all delays differ.
    reach = float(np.ptp(delay_there) + np.ptp(delay_back) + NS_PER_US) / float(there[-1] - there[0])
    return float(minimize_scalar(loss, bounds=(-reach, reach), method="bounded", options={"xatol": 1e-9}).x)


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
