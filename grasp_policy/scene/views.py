"""What a camera would see of the fused scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Views:
    """N rendered views of H × W pixels. Where ``valid`` is False the other images are 0."""

    color: NDArray[np.uint8]  # [N, H, W, 3]
    depth: NDArray[np.float32]  # [N, H, W] metres along the optical axis
    normal: NDArray[np.float32]  # [N, H, W, 3] unit, camera frame, towards the camera
    valid: NDArray[np.bool_]  # [N, H, W]

    @classmethod
    def nothing(cls, count: int, height: int, width: int) -> Self:
        """Views that show nothing, to be filled or returned as they are."""
        return cls(
            np.zeros((count, height, width, 3), np.uint8),
            np.zeros((count, height, width), np.float32),
            np.zeros((count, height, width, 3), np.float32),
            np.zeros((count, height, width), np.bool_),
        )

    def __len__(self) -> int:
        return len(self.depth)

    def __getitem__(self, index: slice | NDArray) -> Views:
        return Views(self.color[index], self.depth[index], self.normal[index], self.valid[index])
