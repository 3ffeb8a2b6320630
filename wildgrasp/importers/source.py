"""What the importers share: reading files of a data set, and a session that appears only when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo
from wildgrasp.errors import SessionError, UserError
from wildgrasp.sessions.codecs import color_size, decode_color
from wildgrasp.sessions.writer import SessionWriter


class DatasetError(UserError):
    """A data set's folder cannot be read as what it was said to be."""


@contextmanager
def new_session(out: Path, camera: CameraInfo, meta: dict[str, Any]) -> Iterator[SessionWriter]:
    """A writer whose session gets its name only when everything is in it; on an error or Ctrl-C nothing is left.

    Raises SessionError when ``out`` exists.
    """
    out = Path(out)
    if out.exists() or out.is_symlink():
        raise SessionError(f"{out} exists already. Choose another name; nothing was changed.")
    unfinished = out.with_name(f".{out.name}.unfinished-{os.getpid()}")
    try:
        with SessionWriter(unfinished, camera, meta) as writer:
            yield writer
        unfinished.rename(out)
    except OSError as error:
        raise SessionError(f"{out} could not be written ({error.strerror}). Nothing was left of it.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def listed(folder: Path) -> list[str]:
    """Names in a folder, sorted. Raises DatasetError where it cannot be read."""
    try:
        return sorted(path.name for path in Path(folder).iterdir())
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read ({error.strerror}). Give the folder of the recording.") from error


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}). No session was written.") from error


def read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text file ({error.reason}). No session was written.") from error


def read_color(path: Path, size: tuple[int, int]) -> bytes:
    """A JPEG or PNG of the given (height, width), as it stands in the file: it is not compressed a second time."""
    payload = read_bytes(path)
    try:
        found = color_size(payload)
        decode_color(payload)
    except SessionError as error:
        raise DatasetError(f"{path} is no whole JPEG or PNG image. No session was written.") from error
    _check_size(path, found, size)
    return payload


def read_depth(path: Path, size: tuple[int, int]) -> NDArray[np.uint16]:
    """A 16-bit PNG [H, W] of the given (height, width)."""
    payload = np.frombuffer(read_bytes(path), np.uint8)
    image = cv2.imdecode(payload, cv2.IMREAD_UNCHANGED) if payload.size else None
    if image is None or image.dtype != np.uint16 or image.ndim != 2:
        raise DatasetError(f"{path} is no whole 16-bit depth image. No session was written.")
    _check_size(path, image.shape, size)
    return image


def _check_size(path: Path, found: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if tuple(found) != wanted:
        raise DatasetError(
            f"{path} has {found[1]}x{found[0]} pixels; this kind of recording has {wanted[1]}x{wanted[0]}. No session "
            "was written."
        )
