"""Takes of simulated people with exact truth, recorded once and kept for the next run.

Each has its own home: the six of ``wildgrasp simulate`` in turn, and then a kitchen with a plain table, where trackers
fail. Depth has a D415's noise, pictures are blurred by motion, roll, and drift in exposure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from digital_twin.demonstrator.handheld import CAMERA, build_handheld_scene, place_hand
from digital_twin.demonstrator.simulate import SimulateConfig, record_takes, take_config, take_folder
from digital_twin.demonstrator.truth import load_truth
from digital_twin.world.d415 import D415
from digital_twin.world.gripper_model import GRIPPER_GROUP
from digital_twin.world.homes import HOMES
from digital_twin.world.objects import quaternion
from processing.pipeline import ProcessConfig, pipeline_steps
from processing.steps import Done, run_steps
from wildgrasp.geometry import from_vector, inverse
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA
from wildgrasp.sessions.session import Session

SCENES = (*HOMES, "table")  # of each round of takes, the last one plain


@dataclass(frozen=True)
class Take:
    path: Path
    truth: dict[str, NDArray]
    config: SimulateConfig

    def T_world_camera(self) -> NDArray:
        """Exact camera poses [N, 4, 4] of the session's frames."""
        return from_vector(self.truth["T_world_camera"])[: len(self)]

    @property
    def number(self) -> int:
        return int(self.path.name[-6:])

    @property
    def scene(self) -> str:
        """The home's name, or "plain table"."""
        place = self.number % len(SCENES)
        return "plain table" if place == len(SCENES) - 1 else SCENES[place]

    def __len__(self) -> int:
        with Session(self.path) as session:
            return len(session)


def takes(folder: Path, count: int, seed: int, picks: int = 1) -> Iterator[Take]:
    """``count`` takes of a seed, each in its own home; recorded into ``folder`` where they are missing."""
    config = SimulateConfig(
        picks=picks, seed=seed, scenes=SCENES, clumsiness=0.0, moving_shutter=True, plain_every=len(SCENES)
    )
    for made in record_takes(folder, config, range(count)):
        Console(stderr=True).print(f"recorded {made.path.name}: {made.frames} frames")
    for number in range(count):
        path = take_folder(folder, seed, number)
        yield Take(path, load_truth(path.with_name(path.name + ".truth.npz")), config)


def find_masks(session: Session) -> Done:
    """The pipeline up to the masks; what became of that step."""
    steps = pipeline_steps(ProcessConfig())
    return run_steps(session, [s for s in steps if s.name in ("attempts", "masks")])["masks"]


class TakeScene:
    """A take's home built again, to look at any of its frames with exact eyes."""

    def __init__(self, take: Take) -> None:
        performance = take_config(take.config, take.number).performance
        scene = build_handheld_scene(performance.seed, performance.handheld)
        self._names = scene.object_names
        self._model, self._data = scene.model, mujoco.MjData(scene.model)
        self._camera = D415(scene.model, CAMERA, noise=False)
        self._T_world_tip = take.T_world_camera() @ inverse(NOMINAL_T_FINGERTIP_CAMERA)
        self._T_world_object = from_vector(take.truth["T_world_object"])
        self._opening_m = take.truth["opening_m"]

    def object_mask(self, frame: int, number: int) -> NDArray[np.bool_]:
        """Pixels [H, W] of an object that a frame shows."""
        self._go_to(frame)
        return self._camera.body_mask(self._data, self._names[number])

    def gripper_mask(self, frame: int) -> NDArray[np.bool_]:
        """Pixels [H, W] of the gripper that a frame shows."""
        self._go_to(frame)
        ids = self._camera.geom_ids(self._data)
        return (ids >= 0) & (self._model.geom_group[np.maximum(ids, 0)] == GRIPPER_GROUP)

    def __enter__(self) -> TakeScene:
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.close()

    def _go_to(self, frame: int) -> None:
        place_hand(self._model, self._data, self._T_world_tip[frame], float(self._opening_m[frame]))
        for name, T in zip(self._names, self._T_world_object[frame], strict=True):
            joint = self._data.joint(name)
            joint.qpos[:3], joint.qpos[3:] = T[:3, 3], quaternion(T)
        mujoco.mj_forward(self._model, self._data)
