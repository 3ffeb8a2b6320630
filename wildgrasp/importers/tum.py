"""Import of a TUM RGB-D recording: ``rgb.txt``, ``depth.txt``, ``groundtruth.txt`` and the images that they name.

Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems", IROS 2012. Depth is registered to colour already,
in units of 1/5000 m; the three sources have clocks of their own lines and are paired by time here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from wildgrasp.cameras.base import CameraInfo
from wildgrasp.geometry import PinholeCamera, from_vector, interpolate
from wildgrasp.importers.source import DatasetError, listed, new_session, read_color, read_depth, read_text
from wildgrasp.sessions.depth import DepthEncoder
from wildgrasp.sessions.frames import EncodedFrame

DEPTH_SCALE = 1 / 5000
MAX_PAIR_NS = 20_000_000  # between a colour and a depth image (the benchmark's own tool uses the same)
MAX_POSE_GAP_NS = 100_000_000  # between two poses to interpolate
# The data set's own calibration (its distortion is not undone); ``ros`` is the factory default of the sensor.
CAMERAS = {
    "freiburg1": PinholeCamera(640, 480, 517.3, 516.5, 318.6, 255.3),
    "freiburg2": PinholeCamera(640, 480, 520.9, 521.0, 325.1, 249.7),
    "freiburg3": PinholeCamera(640, 480, 535.4, 539.2, 320.1, 247.6),
    "ros": PinholeCamera(640, 480, 525.0, 525.0, 319.5, 239.5),
}


@dataclass(frozen=True)
class Pair:
    """A colour and a depth image that belong together."""

    t_ns: int  # of the colour image, since the first one
    color: Path
    depth: Path


def import_tum(folder: Path, out: Path, camera: str = "") -> Path:
    """Write a TUM RGB-D folder as a session; returns its path.

    Args:
        camera: one of ``CAMERAS``; default: from the folder's name (``rgbd_dataset_freiburg1_…``), else ``ros``.

    Colour images are kept byte for byte; poses (where there are any) are stored as source ``recorded``.
    Raises DatasetError when files are missing or damaged, SessionError when ``out`` exists; then no session is left.
    """
    folder = Path(folder)
    lens = _camera(folder, camera)
    pairs, origin_ns = _pairs(folder)
    poses = _trajectory(folder, origin_ns)
    times_ns = [pair.t_ns for pair in pairs]
    fps = round(1e9 / float(np.median(np.diff(times_ns))), 1) if len(times_ns) > 1 else 30.0
    info = CameraInfo("Kinect (TUM RGB-D)", "", "", lens, DEPTH_SCALE, fps)
    meta = {"source": {"format": "TUM RGB-D", "folder": folder.resolve().name, "time_origin_ns": origin_ns}}
    size = (lens.height, lens.width)
    encoder = DepthEncoder()
    with new_session(out, info, meta) as writer:
        for pair in track(pairs, f"Importing {folder.name}"):
            color, depth = read_color(pair.color, size), read_depth(pair.depth, size)
            frame_id = writer.add_encoded_frame(EncodedFrame(pair.t_ns, pair.t_ns, color, encoder.encode(depth)))
            T_world_camera = _pose_at(poses, pair.t_ns)
            if T_world_camera is not None:
                writer.add_pose("recorded", frame_id, T_world_camera)
    return Path(out)


def _camera(folder: Path, name: str) -> PinholeCamera:
    if not name:
        name = next((key for key in CAMERAS if key in folder.resolve().name), "ros")
    if name not in CAMERAS:
        raise DatasetError(f"There is no camera {name!r} in the TUM data set. Choose one of {', '.join(CAMERAS)}.")
    return CAMERAS[name]


def _pairs(folder: Path) -> tuple[list[Pair], int]:
    """Colour images with the depth image nearest in time, each used once; and the time of the first in the data set."""
    missing = {"rgb.txt", "depth.txt"} - set(listed(folder))
    if missing:
        raise DatasetError(
            f"{folder} holds no TUM RGB-D recording ({' and '.join(sorted(missing))} missing). Give the folder that "
            "holds rgb.txt and depth.txt."
        )
    colors, depths = _image_list(folder, "rgb.txt"), _image_list(folder, "depth.txt")
    pairs: list[tuple[int, Path, Path]] = []
    at = 0
    for t_ns, path in colors:
        while at + 1 < len(depths) and abs(depths[at + 1][0] - t_ns) <= abs(depths[at][0] - t_ns):
            at += 1
        if at < len(depths) and abs(depths[at][0] - t_ns) <= MAX_PAIR_NS:
            pairs.append((t_ns, path, depths[at][1]))
            at += 1
    if not pairs:
        raise DatasetError(f"{folder} holds no colour and depth image within {MAX_PAIR_NS / 1e6:.0f} ms of each other.")
    origin_ns = pairs[0][0]
    return [Pair(t_ns - origin_ns, color, depth) for t_ns, color, depth in pairs], origin_ns


def _image_list(folder: Path, name: str) -> list[tuple[int, Path]]:
    images: dict[int, Path] = {}
    for t_ns, fields in _lines(folder / name):
        path = folder / (fields[0] if fields else "")
        if not path.resolve().is_relative_to(folder.resolve()) or not fields:
            raise DatasetError(f"{folder / name} names a file outside of its folder. No session was written.")
        images[t_ns] = path
    return sorted(images.items())


def _trajectory(folder: Path, origin_ns: int) -> list[tuple[int, NDArray[np.float64]]]:
    """(time since the first frame, T_world_camera [4, 4]); empty where the recording has no ground truth."""
    path = folder / "groundtruth.txt"
    if not path.exists():
        return []
    try:
        rows = {t - origin_ns: from_vector(np.array(fields, dtype=np.float64).reshape(7)) for t, fields in _lines(path)}
    except ValueError as error:
        raise DatasetError(f"{path} holds a line that is no pose ({error}). No session was written.") from error
    return sorted(rows.items(), key=lambda row: row[0])


def _pose_at(poses: list[tuple[int, NDArray[np.float64]]], t_ns: int) -> NDArray[np.float64] | None:
    after = int(np.searchsorted([t for t, _ in poses], t_ns))
    if after < len(poses) and poses[after][0] == t_ns:
        return poses[after][1]
    if not 0 < after < len(poses):
        return None
    (t0, T0), (t1, T1) = poses[after - 1], poses[after]
    return interpolate(T0, T1, (t_ns - t0) / (t1 - t0)) if t1 - t0 <= MAX_POSE_GAP_NS else None


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """(time in nanoseconds, the other fields) of every line that is no comment."""
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            rows.append((int(Decimal(fields[0]) * 1_000_000_000), fields[1:]))
        except (InvalidOperation, ValueError, OverflowError):
            raise DatasetError(f"{path}, line {number} does not begin with a time. No session was written.") from None
    return rows
