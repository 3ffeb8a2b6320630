"""Named numpy arrays as bytes and back (.npz, never pickled), with sizes bounded before anything is allocated."""

from __future__ import annotations

import io
import math
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from wildgrasp.errors import SessionError

MAX_BYTES = 256 * 1024 * 1024  # of all arrays of one record, unpacked
MAX_HEADER = 1024


def pack_arrays(arrays: dict[str, NDArray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack_arrays(payload: bytes) -> dict[str, NDArray]:
    """Inverse of :func:`pack_arrays`. Raises SessionError when the bytes are damaged, too large or hold objects."""
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise ValueError("larger than a session may hold")
            return {m.filename.removesuffix(".npy"): _read_array(archive.read(m)) for m in members}
    except (ValueError, OSError, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise SessionError(f"A data record in the session is damaged ({error}).") from error
    except (zipfile.BadZipFile, zlib.error, SyntaxError, OverflowError, TypeError) as error:
        raise SessionError(f"A data record in the session is damaged ({error}).") from error


def _read_array(data: bytes) -> NDArray:
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f"array format {version}")
    shape, _, dtype = read_header(stream, max_header_size=MAX_HEADER)
    # The header's claim is checked against the bytes that are there, before numpy allocates what it claims.
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError("an array's shape does not fit its bytes")
    stream.seek(0)
    return npy.read_array(stream, allow_pickle=False, max_header_size=MAX_HEADER)
