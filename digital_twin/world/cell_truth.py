"""What really hangs between the fingers: the simulation's own measure of success, beside the paper's finger width."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

MIN_RISE_M = 0.07


class LiftJudge:
    """Watches the objects of a compiled cell and says which are held.

    Held means: both pads touch it, it touches neither the robot's arm nor anything that stands fixed (so it neither
    leans on the table nor lies on the arm), and it is at least ``MIN_RISE_M`` above the lowest it has been since
    :meth:`reset`. It may touch other objects (some come up with what hangs on them) and an upright wall, which carries
    nothing.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        objects: dict[str, int],
        pads: tuple[int, int],
        gripper: set[int],
        upright: frozenset[int] = frozenset(),
    ) -> None:
        """``objects``: body ids by name; ``pads``, ``upright`` (walls): geom ids; ``gripper``: body ids of palm and
        fingers."""
        self._model = model
        self._names = tuple(objects)
        self._bodies = np.array([objects[name] for name in self._names], dtype=np.int64)
        self._free = set(objects.values())
        self._pads = pads
        self._gripper = gripper
        self._upright = upright
        self.reset()

    def reset(self) -> None:
        self._lowest = np.full(len(self._names), np.inf)

    def watch(self, data: mujoco.MjData) -> None:
        """Call once per control cycle."""
        self._lowest = np.minimum(self._lowest, data.xipos[self._bodies, 2])

    def rise(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """Height [n] in metres of each object above its lowest since the reset."""
        return data.xipos[self._bodies, 2] - self._lowest

    def lifted(self, data: mujoco.MjData) -> list[str]:
        """Names of the objects that are held, as defined above."""
        risen = self.rise(data) >= MIN_RISE_M
        candidates = {int(body): name for body, name, up in zip(self._bodies, self._names, risen, strict=True) if up}
        touched: dict[int, set[int]] = {body: set() for body in candidates}
        supported: set[int] = set()
        for a, b in data.contact.geom[: data.ncon]:
            for geom, other in ((int(a), int(b)), (int(b), int(a))):
                body = int(self._model.geom_bodyid[geom])
                if body not in candidates:
                    continue
                if other in self._pads:
                    touched[body].add(other)
                elif self._is_fixed(other) and other not in self._upright:
                    supported.add(body)
        return [name for body, name in candidates.items() if len(touched[body]) == 2 and body not in supported]

    def grips_fixed(self, data: mujoco.MjData) -> bool:
        """Whether a pad presses, across the fingers, against something that stands fixed, such as a bin's wall."""
        left, right = data.geom_xpos[list(self._pads)]
        closing = (right - left) / np.linalg.norm(right - left)
        across = np.abs(data.contact.frame[: data.ncon, :3] @ closing) > _ACROSS
        for pair in data.contact.geom[: data.ncon][across]:
            for geom, other in (pair, pair[::-1]):
                if geom in self._pads and self._is_fixed(other):
                    return True
        return False

    def _is_fixed(self, geom: int) -> bool:
        """Whether a geom belongs neither to an object nor to the gripper: furniture, or the robot's arm."""
        return int(self._model.geom_bodyid[geom]) not in self._gripper | self._free


_ACROSS = 0.7  # cosine: pads that scrape along a table press against it the other way
