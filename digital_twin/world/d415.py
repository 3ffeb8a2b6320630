"""The twin's D415: colour and depth pictures of a MuJoCo camera, with the sensor's noise, and exact truth beside them.

Depth is registered to colour. ``DEPTH_SCALE`` is 0.1 mm, a unit that a D415 can be set to; at 1 mm its rounding would
be the largest error below half a metre.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import mujoco
import numba
import numpy as np
from numpy.typing import NDArray

from digital_twin.world.drawing_order import DrawingOrder
from digital_twin.world.gripper_model import CAMERA
from digital_twin.world.shutter import ShutterConfig, combine
from digital_twin.world.stereo import StereoConfig, StereoNoise
from wildgrasp.cameras.base import CameraInfo
from wildgrasp.geometry import PinholeCamera

DEPTH_SCALE = 1e-4  # metres per unit of raw depth
FARTHEST_M = 6.5  # what fits into 16 bits
_UNITS_PER_M, _FARTHEST = np.float32(1 / DEPTH_SCALE), np.float32(FARTHEST_M)


@dataclass(frozen=True)
class PictureConfig:
    """How the pictures are taken."""

    shadows: bool = False  # cost as much again as the picture itself without a GPU
    blur_px: float = 0.55  # lens and demosaicing
    color_sigma: float = 2.5  # grey levels
    exposure_drift: float = 0.03  # slow change of brightness, as a fraction
    stereo: StereoConfig = field(default_factory=StereoConfig)
    shutter: ShutterConfig | None = None  # None: everything at one instant, at a fifth of the cost


def camera_info(fps: float = 30.0, serial: str = "twin-d415", readout_s: float = 0.0) -> CameraInfo:
    """What the twin's camera says of itself."""
    return CameraInfo("D415 (digital twin)", serial, "1", CAMERA, DEPTH_SCALE, fps, readout_s=readout_s)


class D415:
    """Renders one camera of a compiled model. Belongs to the thread that made it, as its OpenGL context does.

    Args:
        model: compiled, with an offscreen buffer of at least the camera's size and ``stat.extent`` 1.
        camera_name: a model camera with the field of view of ``camera``.
        seed: of all noise; the same seed and the same calls give the same pictures.
        noise: False for perfect pictures (colour as rendered, depth exact to the rounding of ``DEPTH_SCALE``).
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        camera_name: str,
        seed: int = 0,
        noise: bool = True,
        config: PictureConfig | None = None,
        camera: PinholeCamera = CAMERA,
    ) -> None:
        self.intrinsics = camera
        self._config = config or PictureConfig()
        self._model = model
        self._rng = np.random.default_rng(seed)
        self._stereo = StereoNoise(camera, seed + 1, self._config.stereo) if noise else None
        self._grain = self._make_grain() if noise else None
        self._phase = self._rng.uniform(0, 2 * np.pi, 2)
        self._pictures = 0
        self._gl = _offscreen_context(camera.width, camera.height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._gl_api = importlib.import_module("OpenGL.GL")  # which chooses its library by what is above
        _lighten(self._gl_api, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=2000)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._config.shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._order = DrawingOrder(model, camera_name, camera)
        self._rect = mujoco.MjrRect(0, 0, camera.width, camera.height)
        # As OpenGL gives them: the last row first.
        self._rgba = np.empty((camera.height, camera.width, 4), np.uint8)
        self._rgb = np.empty((camera.height, camera.width, 3), np.uint8)
        self._window_depth = np.empty((camera.height, camera.width), np.float32)
        planes = np.array([model.vis.map.znear, model.vis.map.zfar]) * model.stat.extent
        self._clipping = tuple(planes.astype(np.float32))

    def render(self, data: mujoco.MjData) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Colour [H, W, 3] RGB and raw depth [H, W] in units of ``DEPTH_SCALE`` (0 = none), as the sensor delivers
        them."""
        return self._sense(*self.exact(data))

    def render_moving(self, instants: Sequence[mujoco.MjData]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """As :meth:`render`, through the configured shutter: the world at each of its instants."""
        colors, depths = zip(*(self.exact(data) for data in instants), strict=True)
        return self._sense(*combine(colors, depths, self._config.shutter))

    def _sense(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """What the sensor makes of an exact picture."""
        if self._stereo is not None:
            color, depth = self._expose(color), self._stereo.apply(depth)
        raw = np.empty(depth.shape, np.uint16)
        _to_units(depth, raw)
        return color, raw

    def exact(self, data: mujoco.MjData) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colour as rendered [H, W, 3] and exact depth [H, W] in metres (0 where nothing is)."""
        self._update(data)
        color, depth = self._draw(), np.empty_like(self._window_depth)
        _metric(self._window_depth, *self._clipping, depth)
        return color, depth

    def geom_ids(self, data: mujoco.MjData) -> NDArray[np.int32]:
        """The geom that each pixel shows, [H, W]; -1 where none."""
        self._update(data)
        flags = self._scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = True
        segment = self._draw().astype(np.int32) @ np.array([1, 256, 65536], np.int32)
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = False
        table = np.full(self._scene.ngeom + 1, -1, np.int32)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = geom.objid
        return table[segment]

    def body_mask(self, data: mujoco.MjData, body_name: str) -> NDArray[np.bool_]:
        """Pixels [H, W] that show a body."""
        ids = self.geom_ids(data)
        body = self._model.body(body_name).id
        return (ids >= 0) & (self._model.geom_bodyid[np.maximum(ids, 0)] == body)

    def close(self) -> None:
        """Free the OpenGL context."""
        self._context.free()
        self._gl.free()

    def __enter__(self) -> D415:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _update(self, data: mujoco.MjData) -> None:
        self._gl.make_current()
        self._order.fill(self._scene, data)

    def _draw(self) -> NDArray[np.uint8]:
        """Colour [H, W, 3] of the scene; its depth is in ``_window_depth`` afterwards."""
        gl, rect = self._gl_api, self._rect
        mujoco.mjr_render(rect, self._scene, self._context)
        mujoco.mjr_readPixels(None, self._window_depth, rect, self._context)
        # MuJoCo reads three bytes per pixel, which OpenGL must pick from its four: slower than all that follows.
        gl.glReadPixels(0, 0, rect.width, rect.height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, self._rgba)
        return cv2.flip(cv2.cvtColor(self._rgba, cv2.COLOR_RGBA2RGB, dst=self._rgb), 0)

    def _expose(self, color: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._config.blur_px > 0:
            color = cv2.GaussianBlur(color, (3, 3), self._config.blur_px)
        self._pictures += 1
        slow = np.sin(self._phase + self._pictures * np.array([0.021, 0.0083]) * 2 * np.pi).mean()
        gain = 1.0 + self._config.exposure_drift * slow
        v, u = self._rng.integers(0, 64, 2)
        grain = self._grain[v : v + self.intrinsics.height, u : u + self.intrinsics.width]
        return cv2.addWeighted(color, gain, grain, 1.0, -128.0)

    def _make_grain(self) -> NDArray[np.uint8]:
        """Sensor noise around grey level 128, larger than a picture so that every picture can cut its own."""
        shape = (self.intrinsics.height + 64, self.intrinsics.width + 64, 3)
        noise = self._rng.standard_normal(shape, np.float32) * self._config.color_sigma
        return np.clip(np.rint(noise + 128.0), 0, 255).astype(np.uint8)


def _lighten(gl: Any, context: mujoco.MjrContext) -> None:
    """Takes out of a MuJoCo context what costs a quarter of a picture without a GPU and cannot be seen in it.

    Textures are read from the nearest of their mipmaps instead of a mixture of two, and the offscreen buffer loses its
    stencil, which only reflections use and which doubles the bytes of depth.
    """
    for name, kind in zip(context.texture[: context.ntexture], context.textureType, strict=False):
        target = gl.GL_TEXTURE_2D if kind == mujoco.mjtTexture.mjTEXTURE_2D else gl.GL_TEXTURE_CUBE_MAP
        gl.glBindTexture(target, int(name))
        gl.glTexParameteri(target, gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR_MIPMAP_NEAREST)
        gl.glBindTexture(target, 0)
    depth = (gl.GL_RENDERBUFFER, context.offDepthStencil)
    gl.glBindRenderbuffer(*depth)
    gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, gl.GL_DEPTH_STENCIL_ATTACHMENT, gl.GL_RENDERBUFFER, 0)
    gl.glRenderbufferStorage(gl.GL_RENDERBUFFER, gl.GL_DEPTH_COMPONENT32F, context.offWidth, context.offHeight)
    gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, gl.GL_DEPTH_ATTACHMENT, *depth)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _metric(window_depth, near, far, metric):
    """Into ``metric``: metres, the first row first, from the depth buffer (reversed: 1 at the near plane, 0 at the far
    one)."""
    h, w = window_depth.shape
    scale, shift = near * far / (far - near), near / (far - near)
    for v in range(h):
        row = window_depth[h - 1 - v]
        for u in range(w):
            metric[v, u] = scale / (row[u] + shift) if row[u] > np.float32(0) else np.float32(0)


@numba.njit(cache=True, fastmath=True)
def _to_units(depth, raw):
    """Into ``raw``: units of ``DEPTH_SCALE``, 0 where they do not fit into 16 bits."""
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            z = depth[v, u]
            raw[v, u] = np.uint16(np.int32(z * _UNITS_PER_M + np.float32(0.5))) if z < _FARTHEST else np.uint16(0)


def _offscreen_context(width: int, height: int) -> Any:
    """An OpenGL context that needs no screen: EGL, or OSMesa where ``MUJOCO_GL`` asks for it.

    MuJoCo's own choice is made at its first import, by whoever imports it first, and is a window system by default.
    """
    library = "osmesa" if os.environ.get("MUJOCO_GL", "").lower() == "osmesa" else "egl"
    return importlib.import_module(f"mujoco.{library}").GLContext(width, height)
