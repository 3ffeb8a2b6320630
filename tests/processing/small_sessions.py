"""Recordings of a few frames: enough for every step to run, and quick to process."""

from __future__ import annotations

from pathlib import Path

from rendered_clip import Clip

from wildgrasp.sessions.writer import SessionWriter


def write_sessions(folder: Path, clip: Clip, frames: dict[str, int]) -> list[Path]:
    """Sessions by name with so many frames each, without a gripper."""
    paths = [folder / name for name in frames]
    for path, count in zip(paths, frames.values(), strict=True):
        with SessionWriter(path, clip.info) as writer:
            for frame in clip.frames[:count]:
                writer.add_frame(frame)
    return paths


def cut_in_half(path: Path) -> None:
    """Damage that no step survives."""
    import os

    blob = path / "blobs" / "000000.wgb"
    os.truncate(blob, blob.stat().st_size // 2)
