"""The places at home: things rest where a hand gets at them, and something there can be grasped the way it must be."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import trimesh

from digital_twin.demonstrator.grasps import GraspPlanner
from digital_twin.demonstrator.handheld import STEP_NS, HandheldConfig, HandheldWorld
from digital_twin.world.homes import HOMES
from digital_twin.world.workplace import Workplace
from wildgrasp.geometry import pose, so3_exp


@pytest.fixture(scope="module", params=HOMES)
def world(request):
    return HandheldWorld(6, HandheldConfig(home=request.param, n_objects=5))


def test_most_things_are_within_reach_and_nothing_has_sunk_in(world):
    assert world.workplace.reachable(world.object_poses()[:, :3, 3]).sum() >= 4
    mujoco.mj_forward(world.model, world.data)
    assert world.data.contact.dist.min(initial=0.0) > -2e-3


def test_the_hand_begins_in_free_air_with_the_camera_above_it(world):
    workplace = world.workplace
    assert workplace.T_parked[:3, 2] == pytest.approx(workplace.inward)
    hand = world.model.body("hand").id
    bodies = world.model.body_rootid[world.model.geom_bodyid[world.data.contact.geom]]
    assert not (bodies == hand).any()
    if abs(workplace.inward[2]) < 0.5:
        assert world.T_world_camera[2, 3] > world.T_world_fingertip[2, 3]


def test_something_can_be_grasped_from_where_the_hand_comes(world):
    planner = GraspPlanner(world, 0)
    before = world.data.qpos.copy()
    for index in planner.within_reach():
        for grasp in planner.find(index):
            T = world.object_poses()[index] @ grasp.T_object_fingertip
            assert T[:3, 2] @ np.array(world.workplace.inward) > np.cos(np.deg2rad(world.workplace.steepest_deg))
            assert np.array_equal(world.data.qpos, before)
            return
    pytest.fail("nothing in this scene can be grasped")


def test_the_same_seed_gives_the_same_place(world):
    again = HandheldWorld(6, world.config)
    assert np.array_equal(again.data.qpos, world.data.qpos)
    assert np.array_equal(again.model.tex_data, world.model.tex_data)


def test_what_hangs_keeps_hanging_until_it_is_pulled():
    world = HandheldWorld(6, HandheldConfig(home="wall", n_objects=3))
    start = world.object_poses()[:, :3, 3]
    for k in range(400):
        world.update((k + 1) * STEP_NS, 0.0, 0.0, 0.0, enabled=False)
    assert world.object_poses()[:, :3, 3] == pytest.approx(start, abs=2e-3)
    body = world.model.body(world.object_names[0]).id
    world.data.xfrc_applied[body, 1] = -25.0
    for k in range(400, 500):
        world.update((k + 1) * STEP_NS, 0.0, 0.0, 0.0, enabled=False)
    fallen = np.linalg.norm(world.object_poses()[:, :3, 3] - start, axis=1) > 0.05
    assert fallen[0] and not fallen[1:].any()


def test_a_folder_of_meshes_replaces_the_family(tmp_path):
    trimesh.creation.box((0.04, 0.05, 0.06)).export(tmp_path / "tea.stl")
    world = HandheldWorld(1, HandheldConfig(home="shelf", n_objects=3, meshes=tmp_path))
    assert [thing.kind for thing in world.objects] == ["tea"] * 3
    planner = GraspPlanner(world, 0)
    assert any(planner.find(index) for index in planner.within_reach())
    again = HandheldWorld(1, HandheldConfig(home="shelf", n_objects=3, meshes=tmp_path, mesh_scale=0.5))
    assert again.objects[0].half_m == pytest.approx(world.objects[0].half_m / 2)


@pytest.mark.parametrize("inward", [(0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (0.0, 0.8, -0.6)])
def test_looking_is_a_rotation_whose_approach_is_the_way_in(inward):
    R = Workplace(inward=inward).R_looking
    assert pytest.approx(np.eye(3), abs=1e-12) == R @ R.T
    assert np.linalg.det(R) == pytest.approx(1.0)
    assert R[:, 2] == pytest.approx(inward)


def test_the_open_needs_both_hand_and_camera_to_be_free():
    table = Workplace()
    above = pose(so3_exp(np.array([np.pi, 0.0, 0.0])), np.array([0.0, 0.0, 0.3]))
    camera = pose(t=np.array([0.0, 0.1, 0.55]))
    assert table.in_the_open(above, camera)
    assert not table.in_the_open(pose(t=np.array([0.0, 0.0, 0.05])), camera)
    assert not table.in_the_open(above, pose(t=np.array([0.0, 2.0, 0.55])))
