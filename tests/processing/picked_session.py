"""A rendered session with one pick, whose truth is known: the hand comes, grasps a box, lifts it, sets it down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rendered_clip import FRAME_NS, Clip, Rectangle, box, render, tabletop
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from wildgrasp.geometry import PinholeCamera, inverse, pose, so3_exp, to_vector, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA, gripper_boxes
from wildgrasp.sessions.events import GripperEvent, ServoSample
from wildgrasp.sessions.writer import SessionWriter

HALF = np.array([0.022, 0.03, 0.045])  # of the picked box, metres
PLACE = np.array([0.05, -0.05, HALF[2]])


@dataclass(frozen=True)
class Pick:
    """A rendered pick and its truth."""

    clip: Clip
    frame_press: int
    frame_grasp: int
    frame_release: int
    T_world_fingertip: NDArray[np.float64]  # [N, 4, 4]
    object_masks: list[NDArray[np.bool_]]  # [N][H, W] where the picked box is seen
    openings: NDArray[np.float64]  # [N], 0 … 1


def render_pick(seed: int, camera: PinholeCamera, frames: int = 100, noise: bool = True) -> Pick:
    """Frames at 30 fps: approach until 40 %, hold until 85 %, draw back."""
    rng = np.random.default_rng(seed)
    press, grasp, release = (int(f * frames) for f in (0.40, 0.46, 0.85))
    T_tip = _hand_path(rng, frames, press, grasp, release)
    T_camera = T_tip @ NOMINAL_T_FINGERTIP_CAMERA
    width = 2 * HALF[0] / MAX_OPENING_M
    openings = np.interp(np.arange(frames), [press, grasp, release, release + 6], [1.0, width, width, 1.0])

    world = tabletop(rng, 8)
    thing = box(rng, PLACE, HALF, 0.0)
    T_tip_thing_held = inverse(T_tip[grasp])
    skins = [_texture_of(rng) for _ in range(30)]
    scenes, alone = [], []
    for i in range(frames):
        T_world_thing = pose()
        if i >= grasp:
            T_world_thing = T_tip[min(i, release)] @ T_tip_thing_held
        moved = [r.moved(T_world_thing) for r in thing]
        scenes.append([*world, *moved, *_gripper(openings[i], skins)])
        alone.append(len(world))
    clip = render(rng, scenes, T_camera, camera, noise)
    masks = [_seen(scenes[i], alone[i], alone[i] + 6, camera, T_camera[i]) for i in range(frames)]
    return Pick(clip, press, grasp, release, T_tip, masks, openings)


def write_pick(path: Path, pick: Pick) -> Path:
    """The pick as a session, the way the recorder writes it."""
    with SessionWriter(path, pick.clip.info) as writer:
        writer.set_meta("T_camera_fingertip", to_vector(NOMINAL_T_CAMERA_FINGERTIP).tolist())
        times = [f.t_host_ns for f in pick.clip.frames]
        writer.add_event(GripperEvent(times[pick.frame_press], "press"))
        writer.add_event(GripperEvent(times[pick.frame_release], "release"))
        speed = np.gradient(pick.openings) / (FRAME_NS * 1e-9)
        for frame, opening, s in zip(pick.clip.frames, pick.openings, speed, strict=True):
            load = 0.3 if abs(opening - pick.openings[pick.frame_grasp]) < 1e-9 else 0.02
            writer.add_servo([ServoSample(frame.t_host_ns, float(opening), float(s), load)])
            writer.add_frame(frame)
    return path


def _hand_path(rng: np.random.Generator, frames: int, press: int, grasp: int, release: int) -> NDArray[np.float64]:
    """T_world_fingertip [N, 4, 4]: still while grasping and releasing, smooth and trembling in between."""
    down = np.diag([1.0, -1.0, -1.0])
    keys = {
        0: ([-0.18, -0.30, 0.34], [0.35, 0.25, 0.2]),
        press // 2: ([-0.05, -0.20, 0.24], [0.25, 0.1, 0.1]),
        press: (PLACE + np.array([0, 0, 0.01]), [0.0, 0.0, 0.0]),
        grasp: (PLACE + np.array([0, 0, 0.01]), [0.0, 0.0, 0.0]),
        (grasp + release) // 2: ([0.12, -0.02, 0.24], [0.2, -0.15, 0.15]),
        release: ([0.22, 0.02, HALF[2] + 0.02], [0.0, 0.0, 0.1]),
        frames - 1: ([0.10, -0.15, 0.28], [0.2, 0.0, 0.0]),
    }
    t, values = np.array(list(keys)), np.array([np.concatenate(v) for v in keys.values()])
    smooth = CubicSpline(t, values, bc_type="clamped")(np.arange(frames))
    still = np.minimum(1.0, np.abs(np.arange(frames) - (press + grasp) / 2) / 12)[:, None]
    smooth[:, :3] += still * 0.006 * gaussian_filter1d(rng.normal(size=(frames, 3)), 3, axis=0)
    smooth[:, 3:] += still * 0.03 * gaussian_filter1d(rng.normal(size=(frames, 3)), 3, axis=0)
    smooth[press : grasp + 1] = smooth[press]
    return pose(down @ so3_exp(smooth[:, 3:]), smooth[:, :3])


def _texture_of(rng: np.random.Generator) -> NDArray[np.uint8]:
    shade = rng.integers(40, 90)
    return np.clip(rng.normal(shade, 12, (40, 40, 3)), 0, 255).astype(np.uint8)


def _gripper(opening: float, skins: list[NDArray[np.uint8]]) -> list[Rectangle]:
    """The rig's boxes, fixed in the camera."""
    faces = []
    for n, part in enumerate(gripper_boxes(opening * MAX_OPENING_M).values()):
        low = part.center - part.half
        x, y, z = np.diag(2 * part.half)
        for m, (o, a, b) in enumerate(
            ((low, x, z), (low, y, z), (low + x, y, z), (low + y, x, z), (low, x, y), (low + z, x, y))
        ):
            face = Rectangle(o, a, b, skins[(6 * n + m) % 30], in_camera=True)
            faces.append(face.moved(NOMINAL_T_CAMERA_FINGERTIP))
    return faces


def _seen(scene, first: int, last: int, camera: PinholeCamera, T_world_camera: NDArray[np.float64]):
    """Where rectangles first … last of a scene are the front surface."""
    from rendered_clip import draw

    front = draw(scene, camera, T_world_camera)[1]
    own = draw(scene[first:last], camera, T_world_camera)[1]
    return (own > 0) & (np.abs(own - front) < 1e-6)


def truth_relative(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poses relative to the first one, as trackers report them."""
    return inverse(T[0]) @ T


def fingertip_path(T_world_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    return transform(T_world_camera, NOMINAL_T_CAMERA_FINGERTIP[None, :3, 3])[:, 0]
