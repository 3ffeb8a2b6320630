"""What a network of GG-CNN's kind sees and says: depth in, grasp maps out, both 300 × 300 (Morrison et al. 2018).

Input: a square of the depth image, resampled to 300 × 300, holes filled, in metres, less its mean, clipped to ±1.
Output, four maps of the same pixels: quality; cos 2φ and sin 2φ; the opening in pixels of this image, divided by 150.
φ is the closing direction's angle in the image, anticlockwise as one looks at it: it runs along (cos φ, −sin φ) in
(column, row), which is the camera's (x, y). A grasp and the same one turned by half a turn have the same maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wildgrasp.geometry import Array, PinholeCamera

SIDE = 300  # pixels
WIDTH_SCALE = 150.0  # pixels of opening per unit of the width map


@dataclass(frozen=True)
class Maps:
    """A network's answer, as numbers with units: quality, angle in radians, opening in pixels; each [300, 300]."""

    quality: NDArray[np.float32]
    angle: NDArray[np.float32]
    width_px: NDArray[np.float32]


@dataclass(frozen=True)
class Crop:
    """A square window of a camera's image, seen at 300 × 300."""

    left: int
    top: int
    side: int

    @classmethod
    def beside(cls, gripper: NDArray[np.bool_]) -> Crop:
        """The largest square, in the middle of the columns, above the rows that the gripper [H, W] fills."""
        height, width = gripper.shape
        filled = np.flatnonzero(gripper.mean(axis=1) > _FILLED)
        side = min(int(filled[0]) if len(filled) else height, width)
        top = 0 if len(filled) else (height - side) // 2
        return cls((width - side) // 2, top, side)

    def camera(self, camera: PinholeCamera) -> PinholeCamera:
        """The camera whose image the network sees."""
        return camera.cropped(self.left, self.top, self.side, self.side).resized(SIDE, SIDE)

    def cut(self, image: NDArray) -> NDArray:
        """The window of an image [H, W], at 300 × 300. No pixel is a mixture: depth may have holes and edges."""
        window = image[self.top : self.top + self.side, self.left : self.left + self.side]
        return cv2.resize(window, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)


def fill_holes(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """A window's depth [300, 300] in metres with holes (0) filled from around them; unchanged without any depth."""
    farthest = float(depth.max())
    if not farthest > 0:
        return depth
    # Inpainting leaves a frame of its own, so it works on a picture that is a pixel larger; it wants values in ±1.
    framed = cv2.copyMakeBorder(depth / np.float32(farthest), 1, 1, 1, 1, cv2.BORDER_DEFAULT)
    return cv2.inpaint(framed, (framed == 0).astype(np.uint8), 1, cv2.INPAINT_NS)[1:-1, 1:-1] * np.float32(farthest)


def normalize(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's input of filled depth [300, 300]."""
    return np.clip(depth - depth.mean(), -1, 1).astype(np.float32)


def as_maps(quality: NDArray, cos: NDArray, sin: NDArray, width: NDArray) -> Maps:
    """Smooth a network's raw outputs, each [300, 300], and give them units.

    The parts of the double angle are smoothed before the arctangent, not the angle behind it, so that +90° and −90°,
    which are the same, do not average to 0.
    """
    blur = ndimage.gaussian_filter
    angle = np.arctan2(blur(sin, _BLUR_PX), blur(cos, _BLUR_PX)) / 2
    return Maps(blur(quality, _BLUR_PX), angle, blur(width, _BLUR_PX / 2) * WIDTH_SCALE)


def peaks(quality: NDArray[np.float32], least: float, count: int) -> NDArray[np.int64]:
    """(row, column) of the ``count`` best local maxima of quality above ``least``, best first: [N, 2]."""
    top = (quality == ndimage.maximum_filter(quality, size=2 * _APART_PX + 1)) & (quality > least)
    found = np.argwhere(top)
    return found[np.argsort(-quality[top], kind="stable")][:count]


def closing_direction(angle: float, T_base_camera: Array) -> Array:
    """The direction [3] in the base along which a grasp of this angle closes."""
    return T_base_camera[:3, :3] @ np.array([np.cos(angle), -np.sin(angle), 0.0])


def angle_of(direction: Array, T_base_camera: Array) -> Array:
    """The angle in (−π/2, π/2] whose closing direction is nearest to directions [..., 3] in the base."""
    x, y, _ = np.moveaxis(direction @ T_base_camera[:3, :3], -1, 0)
    return np.arctan2(np.sin(2 * np.arctan2(-y, x)), np.cos(2 * np.arctan2(-y, x))) / 2


_FILLED = 0.75  # of a row: from there on it shows the gripper
_BLUR_PX = 2.0
_APART_PX = 10  # between two local maxima
