"""How a hand gets at things: a table asks for other movements than a shelf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digital_twin.world.furniture import Point
from wildgrasp.geometry import Array, pose


@dataclass(frozen=True)
class Workplace:
    """Where in a scene things are picked up, and how. Frame ``world``, metres; the defaults are a table's."""

    reach: tuple[Point, Point] = ((-0.42, -0.3, -0.01), (0.42, 0.3, 1.0))  # corners of the box that is worked in
    inward: Point = (0.0, 0.0, -1.0)  # unit: the way a hand naturally reaches
    free_m: float = 0.12  # so far from the origin against ``inward`` the hand is in free air
    way_out: tuple[Point, ...] = ((0.0, 0.0, 0.145),)  # movements that take a thing out, one after the other
    straight_m: float = 0.095  # the end of every reach goes straight along the approach
    steepest_deg: float = 88.0  # of an approach from ``inward``
    camera_room: tuple[Point, Point] = ((-0.8, -0.8, 0.25), (0.8, 0.8, 1.3))  # where the camera may be
    parked: Point = (0.0, -0.45, 0.55)  # the fingertips before anything begins
    middle: Point = (0.0, 0.0, 0.03)  # what one looks at who has just come in
    ledge: tuple[Point, Point] | None = None  # where things are put that cannot go back; its height is the first's

    @property
    def R_looking(self) -> Array:
        """Orientation [3, 3] of fingertips that point inward, with the camera above (or, looking down, beyond)."""
        z = np.array(self.inward)
        y = np.array([0.0, 0.0, -1.0]) if abs(z[2]) < 0.9 else np.array([0.0, -1.0, 0.0])
        y = y - (y @ z) * z
        y = y / np.linalg.norm(y)
        return np.stack([np.cross(y, z), y, z], axis=1)

    @property
    def T_parked(self) -> Array:
        """T_world_fingertip [4, 4] before anything begins."""
        return pose(self.R_looking, np.array(self.parked))

    def reachable(self, positions: Array) -> Array:
        """Which of points [N, 3] are within the box, [N] bool."""
        low, high = np.array(self.reach)
        return ((positions > low) & (positions < high)).all(axis=1)

    def in_the_open(self, T_world_fingertip: Array, T_world_camera: Array) -> bool:
        """Whether hand and camera are where nothing is in their way."""
        low, high = np.array(self.camera_room)
        camera = T_world_camera[:3, 3]
        away = -float(np.array(self.inward) @ T_world_fingertip[:3, 3])
        return away > self.free_m and bool((camera > low).all() and (camera < high).all())
