"""The ``dynamic`` scene's sheet: what the pile lies on, and what somebody pulls while the gripper comes near.

The sheet slides on the table; what lies on it comes along by friction, or topples, as it would.
"""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.world import textures
from digital_twin.world.objects import OBJECT_GROUP, add_material, add_texture
from wildgrasp.geometry import Array

SHEET_TOP_M = 0.004  # above the table
_HALF_M = (0.21, 0.19, 0.0015)
_JOINTS = ("sheet_x", "sheet_y", "sheet_turn")
_MASS_KG = 1.0
_STIFFNESS = (4e4, 4e4, 2e3)  # of the hands that move it: they do not give way
SHIFT_M = (0.10, 0.14)  # section VI: more than 0.1 m …
TURN_RAD = (float(np.deg2rad(25.0)), float(np.deg2rad(40.0)))  # … and more than 25°
SHIFT_S = 1.5
_FARTHEST_M = 0.12  # of the sheet's middle from the table's, so that the pile stays in reach


def add_sheet(spec: mujoco.MjSpec, rng: np.random.Generator) -> None:
    """Add the sheet just above the table."""
    surface = textures.SURFACES[rng.integers(len(textures.SURFACES))]
    add_texture(spec, "sheet", surface(rng, 512), mujoco.mjtTexture.mjTEXTURE_2D)
    add_material(spec, "sheet")
    body = spec.worldbody.add_body(name="sheet", pos=[0, 0, SHEET_TOP_M - _HALF_M[2]])
    for k, name in enumerate(_JOINTS[:2]):
        body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=np.eye(3)[k])
    body.add_joint(name=_JOINTS[2], type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1])
    geom = body.add_geom(
        name="sheet",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=_HALF_M,
        material="sheet",
        group=OBJECT_GROUP,
        friction=[0.8, 0.01, 0.002],
        condim=6,
    )
    geom.mass = _MASS_KG
    spec.add_exclude(name="sheet_on_table", bodyname1="sheet", bodyname2="world")  # its joints keep it on the table
    for name, stiffness in zip(_JOINTS, _STIFFNESS, strict=True):
        damping = 2.0 * np.sqrt(stiffness * _MASS_KG)
        spec.add_actuator(
            name=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            target=name,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=[stiffness, *[0.0] * 9],
            biasprm=[0.0, -stiffness, -damping, *[0.0] * 7],
        )


def draw_shift(rng: np.random.Generator, place: Array) -> Array:
    """Where it is pulled to from a place (x, y, turn): farther than 0.1 m and 25° away, near the table's middle."""
    place = np.asarray(place, dtype=np.float64)
    for _ in range(200):
        angle = rng.uniform(-np.pi, np.pi)
        goal = place[:2] + rng.uniform(*SHIFT_M) * np.array([np.cos(angle), np.sin(angle)])
        if np.linalg.norm(goal) < _FARTHEST_M:
            break
    turn = rng.uniform(*TURN_RAD) * (1 if place[2] <= 0 else -1)  # back and forth, so that nothing winds up
    return np.array([*goal, place[2] + turn])


class Sheet:
    """The sheet of a compiled cell, if it has one."""

    def __init__(self, model: mujoco.MjModel) -> None:
        present = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "sheet") >= 0
        self._actuators = np.array([model.actuator(name).id for name in _JOINTS] if present else [], dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        self._start = self._goal = np.zeros(3)
        self._elapsed_s = SHIFT_S

    @property
    def place(self) -> Array:
        """(x, y, turn) that the hands hold it at, m and rad."""
        u = min(self._elapsed_s / SHIFT_S, 1.0)
        return self._start + (self._goal - self._start) * (10 - 15 * u + 6 * u * u) * u**3  # least jerk

    def pull(self, goal: Array) -> None:
        """Begin to move it to (x, y, turn)."""
        self._start, self._goal, self._elapsed_s = self.place, np.asarray(goal, dtype=np.float64), 0.0

    def drive(self, data: mujoco.MjData, dt: float) -> None:
        """Command the hands for the next step."""
        if len(self._actuators):
            self._elapsed_s = min(self._elapsed_s + dt, SHIFT_S)
            data.ctrl[self._actuators] = self.place
