"""A person with the device: hand, thumb, electronics and world advance together, 2 ms at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.board import Board
from digital_twin.demonstrator.handheld import STEP_NS, HandheldConfig, HandheldWorld
from digital_twin.demonstrator.person import HandCommand, Person, PersonConfig


@dataclass(frozen=True)
class PerformanceConfig:
    """Who does what where. Everything random follows from ``seed``."""

    seed: int = 0
    picks: int = 3
    handheld: HandheldConfig = field(default_factory=HandheldConfig)
    person: PersonConfig = field(default_factory=PersonConfig)
    resonator_ppm: float = 1500.0  # error of the device's clock, ± this
    bounce_ms: float = 2.0  # how long the button's contact bounces


class Performance:
    """One performance. Time is true time in ns, starting when the device gets power at ``start_ns``.

    ``live``: the person does not stop to think (real time waits for nobody).
    Raises BoardNotBuiltError when the firmware or its simulator is not built.
    """

    def __init__(self, config: PerformanceConfig, start_ns: int, live: bool = False) -> None:
        self._rng = np.random.default_rng([config.seed, 1])
        self.world = HandheldWorld(config.seed, config.handheld)
        self.person = Person(self.world, config.seed, config.person, try_again=not live)
        self.person.plan(config.picks)
        self.phase = "look"
        ppm = self._rng.uniform(-1, 1) * config.resonator_ppm
        self.board = Board(start_ns=start_ns, servo=VirtualAX12(self.world), resonator_ppm=ppm)
        self._config = config
        self._commands: Iterator[HandCommand] = self.person.perform(config.picks)
        self._button = False
        self._t_ns = start_ns

    @property
    def t_ns(self) -> int:
        return self._t_ns

    def wait(self) -> None:
        """2 ms in which the person does nothing yet."""
        self._pass_time()

    def step(self) -> bool:
        """2 ms of the performance; False when it is over (nothing happened then)."""
        command = next(self._commands, None)
        if command is None:
            return False
        self.phase = command.phase
        self.world.command_hand(command.T_world_fingertip)
        if command.button != self._button:
            self._button = command.button
            self.board.set_button(command.button, bounce_ns=self._bounce())
        self._pass_time()
        return True

    def close(self) -> None:
        """Switch the device off."""
        self.board.close()

    def _pass_time(self) -> None:
        self._t_ns += STEP_NS
        self.board.run_until(self._t_ns)

    def _bounce(self) -> tuple[int, ...]:
        flips = 2 * int(self._rng.integers(0, 4))
        return tuple(sorted(int(t) for t in self._rng.uniform(0.05, self._config.bounce_ms, flips) * 1e6))
