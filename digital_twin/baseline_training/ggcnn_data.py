"""Training pictures for the planar baseline: one file per scene, made once and used again."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from digital_twin.baseline_training.labelled_scenes import LabelledScene
from digital_twin.baseline_training.planar_labels import grasp_pixels, paint, planar_grasps
from digital_twin.world.d415 import CAMERA, DEPTH_SCALE
from grasp_policy.baselines.ggcnn_images import SIDE, Crop, fill_holes, normalize
from grasp_policy.baselines.ggcnn_network import GgCnn
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask


def pictures(scene: LabelledScene, rng: np.random.Generator) -> dict[str, NDArray]:
    """``depth`` [N, 300, 300] in 0.1 mm, holes filled, and ``grasps`` [M, 6]: the picture's number, then five."""
    gripper = gripper_mask(CAMERA, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    crop, grasps = Crop.beside(gripper), planar_grasps(scene, rng)
    depths, rows = [], [np.zeros((0, 6), np.float32)]
    for number, look in enumerate(scene.from_above):
        filled = fill_holes(crop.cut(np.where(gripper, 0, look.depth)))
        shown = grasp_pixels(grasps, look, filled, crop.camera(CAMERA))
        depths.append(np.round(filled / DEPTH_SCALE).astype(np.uint16))
        rows.append(np.column_stack([np.full(len(shown), number, np.float32), shown]))
    return {"depth": np.stack(depths), "grasps": np.concatenate(rows)}


def fresh_network() -> GgCnn:
    """A network to begin with. Its input is in metres, and what matters in it are centimetres: weights of the usual
    size would take thousands of steps to grow to that."""
    network = GgCnn()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("relu"))
            nn.init.zeros_(layer.bias)
    nn.init.xavier_uniform_(network.conv1.weight, _INPUT_GAIN)
    return network


class GgCnnBatches:
    """The loss of random patches. ``scenes`` are what :func:`pictures` gave."""

    def __init__(self, scenes: list[dict[str, NDArray]], batch: int = 8) -> None:
        self._batch = batch
        self._depth = [picture for scene in scenes for picture in scene["depth"]]
        self._grasps = [
            scene["grasps"][scene["grasps"][:, 0] == n, 1:] for scene in scenes for n in range(len(scene["depth"]))
        ]
        self._with_grasps = np.flatnonzero([len(rows) > 0 for rows in self._grasps])

    def __len__(self) -> int:
        return len(self._depth)

    def loss(self, network: nn.Module, rng: np.random.Generator) -> Tensor:
        """Squared errors: of quality everywhere, of angle and width where there is a grasp."""
        drawn = [self._patch(rng) for _ in range(self._batch)]
        depth, target = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        found = network(depth[:, None].to(memory_format=torch.channels_last))
        grasp = target[:, :1]
        quality = ((1 + _RARE * grasp) * (found[:, :1] - grasp) ** 2).mean()
        rest = (grasp * (found[:, 1:] - target[:, 1:]) ** 2).sum() / (3 * grasp.sum() + 1)
        return quality + _REST * rest

    def _patch(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A patch of the input and its target maps; most show a grasp, half are mirrored."""
        number = int(rng.choice(self._with_grasps) if rng.random() < 0.8 else rng.integers(len(self)))
        depth = normalize(self._depth[number] * np.float32(DEPTH_SCALE))
        rows = self._grasps[number]
        corner = rng.integers(0, SIDE - PATCH + 1, 2)  # row, column
        if len(rows) and rng.random() < 0.6:
            column, row = rows[rng.integers(len(rows)), :2]
            corner = np.clip(np.array([row, column]) - rng.uniform(0, PATCH, 2), 0, SIDE - PATCH).astype(int)
        window = (slice(corner[0], corner[0] + PATCH), slice(corner[1], corner[1] + PATCH))
        depth, target = depth[window], paint(rows - np.array([*corner[::-1], 0, 0, 0], np.float32), PATCH)
        if rng.random() < 0.5:
            depth, target = depth[:, ::-1], target[:, :, ::-1] * _MIRRORED
        return np.ascontiguousarray(depth), np.ascontiguousarray(target)


PATCH = 156  # a multiple of the network's stride, large against its field of view
_MIRRORED = np.array([1, 1, -1, 1], np.float32)[:, None, None]  # sin 2φ changes its sign
_REST = 0.2
_RARE = 4.0  # pixels with a grasp are few: each counts this much more
_INPUT_GAIN = 20.0
