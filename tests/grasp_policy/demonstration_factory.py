"""Processed sessions of an analytic scene (boxes on a plane) with exact poses: small, quick, deterministic."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.geometry import PinholeCamera, interpolate, inverse, pose, so3_exp, to_vector
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA
from wildgrasp.sessions.session import Poses, Session
from wildgrasp.sessions.writer import SessionWriter

CAMERA = PinholeCamera.from_hfov(160, 90, np.deg2rad(65.0))
DOWN = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class BoxScene:
    """Boxes standing on the plane z = 0."""

    centers: np.ndarray = field(
        default_factory=lambda: np.array([[0.0, 0.0, 0.04], [0.18, 0.05, 0.03], [-0.12, 0.14, 0.05]])
    )
    halves: np.ndarray = field(
        default_factory=lambda: np.array([[0.02, 0.03, 0.04], [0.025, 0.025, 0.03], [0.015, 0.04, 0.05]])
    )

    def grasp(self, index: int) -> np.ndarray:
        """T_scene_fingertip: from above, closing along x, the pads reaching 2 cm below the top."""
        top = self.centers[index] + [0, 0, self.halves[index, 2] - 0.02]
        return pose(DOWN, top)

    def render(self, T_scene_camera: np.ndarray, t_ns: int) -> RGBDFrame:
        """What the camera sees: exact depth, a checkered plane, every box its colour."""
        rays = CAMERA.unproject(np.stack(np.meshgrid(np.arange(160), np.arange(90)), axis=-1), np.ones((90, 160)))
        directions = rays @ T_scene_camera[:3, :3].T
        origin = T_scene_camera[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.where(directions[..., 2] < 0, -origin[2] / directions[..., 2], np.inf)
            spot = origin + np.where(np.isfinite(depth), depth, 0)[..., None] * directions
            checker = (np.floor(spot[..., 0] / 0.05) + np.floor(spot[..., 1] / 0.05)) % 2
            color = np.repeat((100 + 60 * checker)[..., None], 3, axis=-1)
            for number, (center, half) in enumerate(zip(self.centers, self.halves, strict=True)):
                bounds = (np.stack([center - half, center + half])[:, None, None] - origin) / directions
                enter, leave = bounds.min(axis=0).max(axis=-1), bounds.max(axis=0).min(axis=-1)
                hit = (enter < leave) & (enter > 0) & (enter < depth)
                depth = np.where(hit, enter, depth)
                color = np.where(hit[..., None], [(40, 90, 200)[(number + c) % 3] for c in range(3)], color)
        depth_raw = np.where(np.isfinite(depth) & (depth < 3), np.rint(depth * 1e4), 0).astype(np.uint16)
        return RGBDFrame(color.astype(np.uint8), depth_raw, 1e-4, t_ns)


def make_session(path: Path, picks: tuple[int, ...] = (0, 1), frames: int = 24, seed: int = 0) -> Path:
    """A session in which the boxes ``picks`` are approached one after the other from about 45 cm above, and held."""
    rng = np.random.default_rng(seed)
    scene = BoxScene()
    poses, rows = [], []
    for number, pick in enumerate(picks):
        grasp = scene.grasp(pick)
        start = grasp @ pose(so3_exp(rng.normal(size=3) * 0.2), np.array([*rng.normal(size=2) * 0.08, -0.4]))
        first = len(poses)
        poses += [interpolate(start, grasp, u) for u in np.linspace(0, 1, frames)]
        poses += [pose(t=[0, 0, 0.01 * k]) @ grasp for k in range(4)]
        rows.append((number + 1, first, first + frames - 1, len(poses) - 1, grasp))
    T_scene_camera = np.stack(poses) @ NOMINAL_T_FINGERTIP_CAMERA
    T_world_scene = inverse(T_scene_camera[0])  # tracking calls the first camera the world
    meta = {"T_camera_fingertip": to_vector(NOMINAL_T_CAMERA_FINGERTIP).tolist()}
    info = CameraInfo("analytic", "0", "0", CAMERA, 1e-4, 30.0)
    with SessionWriter(path, info, meta) as writer:
        for index, T in enumerate(T_scene_camera):
            writer.add_frame(scene.render(T, 33_000_000 * index))
    ids = np.arange(len(poses))
    with Session(path) as session, session.edit() as edit:
        tracked = Poses(ids, T_world_scene @ T_scene_camera, ["ok"] * len(ids), np.zeros(len(ids)))
        edit.set_poses("tracking", tracked)
        for number, first, grasped, end, grasp in rows:
            add_attempt(edit, number, (first, grasped, end, end), "held", T_world_scene @ grasp)
    return path


def add_attempt(edit, number: int, frames: tuple[int, int, int, int], outcome: str, T_world_grasp: np.ndarray) -> None:
    """One row of the attempts table; frames: start, grasp, release, end."""
    values = (number, frames[1] * 33_000_000, frames[2] * 33_000_000, *frames, outcome, "", "ok")
    edit.execute(
        f"INSERT INTO attempts VALUES ({','.join('?' * 17)})", (*values, *map(float, to_vector(T_world_grasp)))
    )
