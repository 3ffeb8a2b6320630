"""Import of a 7-Scenes recording: ``frame-NNNNNN.color.*``, ``.depth.png`` (millimetres), ``.pose.txt``.

Shotton et al., "Scene Coordinate Regression Forests for Camera Relocalization in RGB-D Images", CVPR 2013. The poses
are the *depth* camera's, from KinectFusion; their rotations are printed with few digits. Depth and colour are not
registered to each other, so depth is moved into the colour camera here, and so are the poses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from wildgrasp.cameras.base import CameraInfo
from wildgrasp.cameras.registration import DepthRegistration
from wildgrasp.geometry import PinholeCamera, inverse, orthonormalize, pose
from wildgrasp.importers.source import DatasetError, listed, new_session, read_color, read_depth, read_text
from wildgrasp.sessions.depth import DepthEncoder
from wildgrasp.sessions.frames import EncodedFrame

FPS = 30.0
DEPTH_SCALE = 0.001
_COLOR_NAME = re.compile(r"frame-(\d{6})\.color\.(jpg|jpeg|png)")
MAX_SKEW = 0.05  # how far a printed rotation's singular values may lie from 1


@dataclass(frozen=True)
class KinectRig:
    """The Kinect of 7-Scenes. Depth: the data set's own values; colour: fitted so that its edges meet those of
    depth."""

    depth: PinholeCamera = field(default_factory=lambda: PinholeCamera(640, 480, 585.0, 585.0, 320.0, 240.0))
    color: PinholeCamera = field(default_factory=lambda: PinholeCamera(640, 480, 526.2, 526.2, 323.08, 236.1))
    T_color_depth: NDArray[np.float64] = field(default_factory=lambda: pose(t=np.array([-0.0316, 0.0063, 0.0])))


def import_7scenes(folder: Path, out: Path, rig: KinectRig | None = None) -> Path:
    """Write a 7-Scenes folder as a session; returns its path.

    Colour images are kept byte for byte. Poses (where the folder has any) are stored as source ``recorded``.
    Raises DatasetError when files are missing or damaged, SessionError when ``out`` exists; then no session is left.
    """
    folder, rig = Path(folder), rig or KinectRig()
    frames = _find_frames(folder)
    with_poses = (folder / f"{frames[0][1]}.pose.txt").exists()
    registration = DepthRegistration(rig.depth, rig.color, rig.T_color_depth, DEPTH_SCALE)
    T_depth_color = inverse(rig.T_color_depth)
    size = (rig.color.height, rig.color.width)
    encoder = DepthEncoder()
    info = CameraInfo("Kinect (7-Scenes)", "", "", rig.color, DEPTH_SCALE, FPS)
    meta = {"source": {"format": "7-Scenes", "folder": folder.resolve().name}}
    with new_session(out, info, meta) as writer:
        for number, stem, color_name in track(frames, f"Importing {folder.name}"):
            color = read_color(folder / color_name, size)
            depth = read_depth(folder / f"{stem}.depth.png", (rig.depth.height, rig.depth.width))
            t_ns = round(number * 1e9 / FPS)
            frame = EncodedFrame(t_ns, t_ns, color, encoder.encode(registration.register(depth)))
            frame_id = writer.add_encoded_frame(frame)
            if with_poses:
                T_world_depth = _read_pose(folder / f"{stem}.pose.txt")
                writer.add_pose("recorded", frame_id, T_world_depth @ T_depth_color)
    return Path(out)


def _find_frames(folder: Path) -> list[tuple[int, str, str]]:
    """(number, stem, name of the colour image) of all frames; checks that none of their files is missing."""
    names = set(listed(folder))
    matches = [m for m in (_COLOR_NAME.fullmatch(name) for name in sorted(names)) if m]
    if not matches:
        raise DatasetError(
            f"{folder} holds no 7-Scenes recording (no frame-NNNNNN.color.jpg or .png in it). Give the folder that "
            "holds the frames, for example heads/seq-01."
        )
    frames = [(int(m[1]), f"frame-{m[1]}", m[0]) for m in matches]
    wanted = [f"{stem}.depth.png" for _, stem, _ in frames]
    if any(name.endswith(".pose.txt") for name in names):
        wanted += [f"{stem}.pose.txt" for _, stem, _ in frames]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise DatasetError(
            f"{folder} is incomplete: {len(missing)} files are missing, the first is {missing[0]}. No session was "
            "written; copy the whole recording."
        )
    return frames


def _read_pose(path: Path) -> NDArray[np.float64]:
    try:
        T = np.array(read_text(path).split(), dtype=np.float64).reshape(4, 4)
    except ValueError as error:
        raise DatasetError(f"{path} is no 4x4 pose ({error}). No session was written.") from error
    if not np.isfinite(T).all() or np.abs(np.linalg.svd(T[:3, :3], compute_uv=False) - 1).max() > MAX_SKEW:
        raise DatasetError(f"{path} holds no rotation. No session was written.")
    return pose(orthonormalize(T[:3, :3]), T[:3, 3])
