"""Collecting the truth of a take while it is recorded."""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.demonstrator.handheld import HandheldWorld
from digital_twin.demonstrator.truth import AttemptTruth, TakeTruth
from digital_twin.world.d415 import D415


class TruthKeeper:
    """Notes what is true at each frame, and the objects' masks at the frames of the grasps."""

    def __init__(self, world: HandheldWorld) -> None:
        kinds = tuple(thing.kind for thing in world.objects)
        self.truth = TakeTruth(world.object_names, kinds)
        self._world = world
        self._states: list[np.ndarray] = []  # qpos at each frame

    def note(self, t_ns: int, phase: str) -> None:
        truth, world = self.truth, self._world
        # A step of the physics leaves positions one step behind the configuration, which pictures are made from.
        mujoco.mj_kinematics(world.model, world.data)
        mujoco.mj_camlight(world.model, world.data)
        truth.t_ns.append(t_ns)
        truth.phases.append(phase)
        truth.T_world_camera.append(world.T_world_camera)
        truth.T_world_object.append(world.object_poses())
        truth.opening_m.append(world.opening)
        self._states.append(world.data.qpos.copy())

    def finish(self, attempts: list[AttemptTruth], camera: D415) -> TakeTruth:
        """The whole truth, with each attempt's object as it is seen in the first frame in which the fingers hold."""
        self.truth.attempts = attempts
        data = mujoco.MjData(self._world.model)
        times = np.array(self.truth.t_ns)
        for k, attempt in enumerate(self.truth.attempts):
            frame = int(np.searchsorted(times, attempt.t_hold_ns))
            if frame == len(times):
                continue
            data.qpos[:] = self._states[frame]
            mujoco.mj_forward(self._world.model, data)
            name = self._world.object_names[attempt.object_index]
            self.truth.masks[k], self.truth.mask_frames[k] = camera.body_mask(data, name), frame
        return self.truth
