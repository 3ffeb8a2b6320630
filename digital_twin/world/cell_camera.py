"""The wrist camera of a running cell: a process that renders the shared state when a frame is asked for.

Rendering has a process of its own because it is the most expensive part of the cell and must not delay a control cycle.
It renders on demand, at most at the camera's frame rate, and stamps a frame with the time of the state that it shows.
"""

from __future__ import annotations

import contextlib
import time
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext

import mujoco
import numpy as np
from numpy.typing import NDArray

from digital_twin.world.cell_state import SharedState
from digital_twin.world.cell_view import HEIGHT as OUTSIDE_HEIGHT
from digital_twin.world.cell_view import WIDTH as OUTSIDE_WIDTH
from digital_twin.world.cell_view import OutsideView
from digital_twin.world.d415 import D415, DEPTH_SCALE, camera_info
from digital_twin.world.robot_cell import CAMERA_NAME, CellSettings, RobotCell
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import CameraError

_START_TIMEOUT_S = 30.0
_FRAME, _OUTSIDE = b"frame", b"outside"  # requests to the renderer


class CellCamera:
    """The :class:`~wildgrasp.cameras.base.Camera` of a running cell."""

    def __init__(self, context: BaseContext, settings: CellSettings, state: SharedState, fps: float = 15.0) -> None:
        self._context, self._settings, self._state = context, settings, state
        self._info = camera_info(fps, serial=f"twin-cell-{settings.seed}")
        self._connection: Connection | None = None
        self._pending: bytes | None = None  # a request that was not answered yet

    def open(self) -> CameraInfo:
        """Start rendering. Raises CameraError when the renderer does not come up."""
        if self._connection is not None:
            return self._info
        self._connection, theirs = self._context.Pipe()
        arguments = (theirs, self._settings, self._state, self._info.fps)
        self._process = self._context.Process(target=render_frames, args=arguments, name="cell-camera", daemon=True)
        self._process.start()
        theirs.close()
        self._pending = None
        self._receive(_START_TIMEOUT_S)  # the first message only says that it is ready
        return self._info

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        """The next frame; see :class:`~wildgrasp.cameras.base.Camera`."""
        payload = self._ask(_FRAME, timeout_s)
        h, w = self._info.intrinsics.height, self._info.intrinsics.width
        t_ns = int(np.frombuffer(payload, np.int64, 1)[0])
        color = np.frombuffer(payload, np.uint8, h * w * 3, 8).reshape(h, w, 3)
        depth = np.frombuffer(payload, np.uint16, h * w, 8 + h * w * 3).reshape(h, w)
        return RGBDFrame(color, depth, DEPTH_SCALE, t_ns, t_ns)

    def outside_view(self, timeout_s: float = 2.0) -> NDArray[np.uint8]:
        """A picture [H, W, 3] RGB of the whole cell at this moment, for reports. The camera has to be open."""
        return np.frombuffer(self._ask(_OUTSIDE, timeout_s), np.uint8).reshape(OUTSIDE_HEIGHT, OUTSIDE_WIDTH, 3)

    def close(self) -> None:
        """End the renderer."""
        if self._connection is None:
            return
        self._connection.close()
        self._connection = None
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.terminate()

    def _ask(self, request: bytes, timeout_s: float) -> bytes:
        """The renderer's answer. One that an earlier call gave up waiting for is used, or thrown away, first."""
        if self._connection is None:
            raise CameraError("The camera is not open. Open it before reading.")
        if self._pending not in (None, request):
            self._receive(timeout_s)
            self._pending = None
        if self._pending is None:
            try:
                self._connection.send_bytes(request)
            except OSError as error:
                raise _renderer_gone() from error
            self._pending = request
        answer = self._receive(timeout_s)
        self._pending = None
        return answer

    def _receive(self, timeout_s: float) -> bytes:
        try:
            if not self._connection.poll(timeout_s):
                raise CameraError(f"No picture came within {timeout_s:.1f} s. Nothing recorded is lost; start again.")
            return self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise _renderer_gone() from error


def _renderer_gone() -> CameraError:
    return CameraError(
        "The twin's camera ended: it could not open an offscreen display, or the cell was closed. Run `wildgrasp "
        "doctor` to see whether rendering works here."
    )


def render_frames(connection: Connection, settings: CellSettings, state: SharedState, fps: float) -> None:
    """Main function of the renderer's process: one picture per request, until the other side hangs up."""
    cell = RobotCell(settings)
    with D415(cell.model, CAMERA_NAME, settings.seed, settings.reality.noise) as camera:
        camera.render(cell.data)  # the first picture takes ten times as long: kernels and shaders are loaded
        connection.send_bytes(b"ready")
        outside: OutsideView | None = None
        next_ns = time.monotonic_ns()
        with contextlib.suppress(EOFError, OSError):
            while True:
                if connection.recv_bytes() == _OUTSIDE:
                    outside = outside or OutsideView(cell.model)
                    _take_state(cell, state)
                    connection.send_bytes(outside.render(cell.data).tobytes())
                    continue
                time.sleep(max(0.0, (next_ns - time.monotonic_ns()) * 1e-9))
                next_ns = max(next_ns, time.monotonic_ns()) + round(1e9 / fps)
                t_ns = _take_state(cell, state)
                color, depth = camera.render(cell.data)
                connection.send_bytes(np.int64(t_ns).tobytes() + color.tobytes() + depth.tobytes())


def _take_state(cell: RobotCell, state: SharedState) -> int:
    """Show the running cell's state in this process's copy of it; returns the state's time."""
    t_ns, qpos = state.read()
    cell.data.qpos[:] = qpos
    mujoco.mj_kinematics(cell.model, cell.data)
    mujoco.mj_camlight(cell.model, cell.data)
    return t_ns
