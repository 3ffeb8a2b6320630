"""How a voxel is stored, shared by the kernels of this folder.

A signed distance is an int16: FREE (+32766) is one truncation distance or more in front of a surface, 0 the surface,
-32766 one truncation distance behind it. UNSEEN is the largest int16, next to FREE: a marching ray passes through
unseen space as through free space without asking, and only a hit has to tell them apart. Half the bytes of a float, no
separate weight; one quantum is 0.6 µm at 20 mm truncation.
"""

from __future__ import annotations

import numpy as np

UNSEEN = np.int16(32767)
FREE = np.int16(32766)

BLOCK_BITS = 3
BLOCK = 1 << BLOCK_BITS  # voxels along the edge of a block, the unit of skipping

# What is known about a block as a whole
BLOCK_UNSEEN = np.uint8(0)  # every voxel UNSEEN
BLOCK_FREE = np.uint8(1)  # every voxel FREE
BLOCK_MIXED = np.uint8(2)  # anything else
