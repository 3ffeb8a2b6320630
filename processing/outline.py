"""An outline that follows the picture: to where the colours of one side end and those of the other begin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.mask_config import OutlineConfig

Mask = NDArray[np.bool_]
_SQUARE = np.ones((3, 3), np.uint8)


def follow_edges(mask: Mask, color: NDArray[np.uint8], free: Mask, config: OutlineConfig) -> Mask:
    """A mask [H, W] whose outline has moved to where the colours [H, W, 3] change, by a pixel in each round.

    Each pixel beside the outline goes to the side whose mean colour nearby it is nearer to; where both sides look
    alike it stays (Lankton & Tannenbaum, "Localizing region-based active contours", 2008). Only ``free`` [H, W] pixels
    take part.
    """
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if len(rows) == 0:
        return mask
    margin = config.rounds + int(3 * config.nearby_px)
    window = (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )
    picture, free = color[window].astype(np.float32), free[window]
    moved = mask[window].astype(np.uint8)
    for _ in range(config.rounds):
        inner, outer = cv2.erode(moved, _SQUARE), cv2.dilate(moved, _SQUARE)
        inside, known_inside = _mean_nearby(picture, (inner > 0) & free, config.nearby_px)
        outside, known_outside = _mean_nearby(picture, (outer == 0) & free, config.nearby_px)
        distinct = np.sum((inside - outside) ** 2, axis=-1) > config.distinct**2
        decided = (outer > inner) & free & distinct & known_inside & known_outside
        nearer = np.sum((picture - inside) ** 2, axis=-1) < np.sum((picture - outside) ** 2, axis=-1)
        after = np.where(decided, nearer, moved).astype(np.uint8)
        if np.array_equal(after, moved):
            break
        moved = after
    result = mask.copy()
    result[window] = moved > 0
    return result


def _mean_nearby(picture: NDArray[np.float32], of: Mask, nearby_px: float) -> tuple[NDArray[np.float32], Mask]:
    """Mean colour [H, W, 3] of the chosen pixels near each pixel, and whether there are any."""
    weight = of.astype(np.float32)
    total = cv2.GaussianBlur(weight, (0, 0), nearby_px)
    mean = cv2.GaussianBlur(picture * weight[..., None], (0, 0), nearby_px) / np.maximum(total, 1e-4)[..., None]
    return mean, total > 0.02
