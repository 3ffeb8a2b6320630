"""The pictures of docs/proving-ground.md, made anew: the scenes, the shapes, and how the simulated people move.

    python -m digital_twin.demonstrator.gallery --takes sessions --out docs/images/proving-ground

The distributions are those of takes that ``wildgrasp simulate`` has recorded; without any, only scenes and shapes are
drawn.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import mujoco
import numpy as np
import tyro
from numpy.typing import NDArray

from digital_twin.demonstrator.distributions import distributions_png
from digital_twin.demonstrator.gaze import nearest_turn
from digital_twin.demonstrator.grasps import GraspPlanner
from digital_twin.demonstrator.handheld import CAMERA, HandheldConfig, HandheldWorld, place_hand
from digital_twin.demonstrator.truth import load_truth
from digital_twin.world.d415 import D415
from digital_twin.world.homes import HOMES, HomeName
from digital_twin.world.objects import FAMILIES, Family, HouseholdObject, add_object
from digital_twin.world.scene import empty_spec
from wildgrasp import rig
from wildgrasp.geometry import Array, pose

Image = NDArray[np.uint8]
SHAPE_SEED, SCENE_SEED = 8, 5
EACH = 5  # objects of every kind
TILE, COLUMNS = 76, 20
INK = (29, 39, 51)


def main(out: Path = Path("docs/images/proving-ground"), takes: Path | None = None) -> None:
    """Draw the pictures.

    Args:
        out: folder for the pictures.
        takes: folder of simulated sessions whose truth gives the distributions.
    """
    out.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        save(out / f"shapes-{family}.jpg", shapes_sheet(family))
    save(out / "scenes.jpg", np.vstack([scene_row(home) for home in HOMES]))
    if takes is not None:
        truths = [load_truth(path) for path in sorted(takes.glob("*.truth.npz"))]
        (out / "distributions.png").write_bytes(distributions_png(truths))


def save(path: Path, image: Image) -> None:
    cv2.imwrite(str(path), image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


# --- shapes -----------------------------------------------------------------------------------------------------------


def shapes_sheet(family: Family) -> Image:
    """``EACH`` objects of every kind of a family, kind after kind, as they stand."""
    rng = np.random.default_rng(SHAPE_SEED)
    things = [
        HouseholdObject(make(rng), 0.5, int(rng.integers(2**31))) for make in FAMILIES[family] for _ in range(EACH)
    ]
    tiles = [_portrait(thing) for thing in things]
    for k, tile in enumerate(tiles[::EACH]):
        cv2.putText(tile, things[k * EACH].shape.kind, (2, 9), cv2.FONT_HERSHEY_SIMPLEX, 0.29, INK, 1, cv2.LINE_AA)
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)])


def _portrait(thing: HouseholdObject) -> Image:
    """An object on white, as large as it goes."""
    spec = empty_spec()
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.5] * 3, [0.45] * 3
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=[1, 1, 1],
        rgb2=[1, 1, 1],
        width=8,
        height=48,
    )
    add_object(spec, thing, "thing", pose())
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    view = _view(azimuth=212, elevation=-30, distance=3.2 * float(np.linalg.norm(thing.shape.extent)))
    return cv2.resize(_outside(model, data, view, 2 * TILE, 2 * TILE), (TILE, TILE), interpolation=cv2.INTER_AREA)


# --- scenes -----------------------------------------------------------------------------------------------------------


def scene_row(home: HomeName, width: int = 320) -> Image:
    """A scene from outside, and as the gripper's camera sees it before a reach and at a grasp."""
    world, T_grasp = _scene_with_a_grasp(home)
    down = world.workplace.inward[2] < -0.5
    view = _view(azimuth=68, elevation=-30 if down else -14, distance=1.7, at=world.workplace.middle)
    pictures = []
    with D415(world.model, CAMERA, SCENE_SEED) as camera:
        for back in (0.28, 0.05):
            T = T_grasp @ pose(t=np.array([0.0, 0.0, -back]))
            place_hand(world.model, world.data, T, rig.MAX_OPENING_M)
            mujoco.mj_forward(world.model, world.data)
            pictures.append(camera.render(world.data)[0])
    pictures.insert(0, _outside(world.model, world.data, view, 640, 480))
    row = np.hstack([cv2.resize(p, (width, width * 3 // 4), interpolation=cv2.INTER_AREA) for p in pictures])
    cv2.putText(row, home, (7, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.putText(row, home, (7, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1, cv2.LINE_AA)
    return row


def _scene_with_a_grasp(home: HomeName) -> tuple[HandheldWorld, Array]:
    """The first scene of its kind in which something can be grasped, and a verified T_world_fingertip there."""
    for seed in itertools.count(SCENE_SEED):
        world = HandheldWorld(seed, HandheldConfig(home=home, n_objects=7))
        planner = GraspPlanner(world, seed)
        for index in planner.within_reach():
            for grasp in planner.find(index):
                T = world.object_poses()[index] @ grasp.T_object_fingertip
                return world, nearest_turn(T, world.workplace.R_looking)


def _view(
    azimuth: float, elevation: float, distance: float, at: tuple[float, float, float] = (0, 0, 0)
) -> mujoco.MjvCamera:
    view = mujoco.MjvCamera()
    view.lookat[:] = at
    view.azimuth, view.elevation, view.distance = azimuth, elevation, distance
    return view


def _outside(model: mujoco.MjModel, data: mujoco.MjData, view: mujoco.MjvCamera, width: int, height: int) -> Image:
    with mujoco.Renderer(model, height, width) as renderer:
        renderer.update_scene(data, view)
        return renderer.render().copy()


if __name__ == "__main__":
    tyro.cli(main)
