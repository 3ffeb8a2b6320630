"""Takes of simulated people with exact truth, recorded once and kept for the next run.

Each has its own kitchen. Depth has a D415's noise, pictures are blurred by motion, roll, and drift in exposure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray
from rich.console import Console

from digital_twin.demonstrator.simulate import SimulateConfig, record_takes, take_folder
from digital_twin.demonstrator.truth import load_truth
from wildgrasp.geometry import from_vector
from wildgrasp.sessions.session import Session

PLAIN_EVERY = 5  # one table in so many is plain: where trackers fail


@dataclass(frozen=True)
class Take:
    path: Path
    truth: dict[str, NDArray]

    def T_world_camera(self) -> NDArray:
        """Exact camera poses [N, 4, 4] of the session's frames."""
        return from_vector(self.truth["T_world_camera"])[: len(self)]

    @property
    def table(self) -> str:
        """patterned | plain"""
        return "plain" if int(self.path.name[-6:]) % PLAIN_EVERY == PLAIN_EVERY - 1 else "patterned"

    def __len__(self) -> int:
        with Session(self.path) as session:
            return len(session)


def takes(folder: Path, count: int, seed: int, picks: int = 1) -> Iterator[Take]:
    """``count`` takes of a seed, each in its own kitchen; recorded into ``folder`` where they are missing."""
    config = SimulateConfig(
        picks=picks, seed=seed, scenes=("table",), clumsiness=0.0, moving_shutter=True, plain_every=PLAIN_EVERY
    )
    for made in record_takes(folder, config, range(count)):
        Console(stderr=True).print(f"recorded {made.path.name}: {made.frames} frames")
    for number in range(count):
        path = take_folder(folder, seed, number)
        yield Take(path, load_truth(path.with_name(path.name + ".truth.npz")))
