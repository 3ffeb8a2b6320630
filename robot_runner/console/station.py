"""What stands behind a console: an arm, a gripper, a camera, and the scenes to work in. Others plug in their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from grasp_policy.scene.tsdf import Volume
from robot_runner.arm.ur_arm import UrArm
from robot_runner.console.scene import Scene, load_scenes
from robot_runner.gripper.base import Gripper
from robot_runner.rig_options import RigOptions
from wildgrasp.cameras.base import Camera


@dataclass(frozen=True, eq=False)
class Equipment:
    """Not connected yet; ``close`` ends what the station itself started."""

    arm: UrArm
    gripper: Gripper
    camera: Camera
    scenes: Sequence[Scene]
    volume: Volume | None = None  # what policies fuse, in the base; None: around what the first picture shows
    close: Callable[[], None] = field(default=lambda: None)
    meta: dict[str, Any] = field(default_factory=dict)  # kept with every run


class Station(Protocol):
    """Handed to the process that runs the robot, so it has to be picklable."""

    def open(self) -> Equipment:
        """Raises UserError when it cannot be had."""
        ...


@dataclass(frozen=True)
class RigStation:
    """The robot that the command line describes."""

    rig: RigOptions
    scenes: Path | None = None  # folder of scene files

    def open(self) -> Equipment:
        base = self.rig.episode_config()
        scenes = [Scene("as given", base, self.rig.keep_out)]
        if self.scenes is not None:
            scenes = load_scenes(self.scenes, base) or scenes
        return Equipment(self.rig.make_arm(), self.rig.make_gripper(), self.rig.make_camera(), scenes)
