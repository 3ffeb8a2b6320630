"""Named numpy arrays as bytes and back (.npz, never pickled)."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import SessionError


def pack_arrays(arrays: dict[str, NDArray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack_arrays(payload: bytes) -> dict[str, NDArray]:
    """Inverse of :func:`pack_arrays`. Raises SessionError when the bytes are damaged or hold objects."""
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (ValueError, OSError, zipfile.BadZipFile, KeyError) as error:
        raise SessionError(f"A data record in the session is damaged ({error}).") from error
