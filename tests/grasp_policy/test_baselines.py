"""Baselines on analytic scenes, free-flying: they end where a grasp is."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import AnalyticScene, Box, Plane, Sphere, look_at

from grasp_policy.actions import SENSOR_CAMERA
from grasp_policy.baselines.antipodal import (
    AntipodalSearch,
    antipodal_grasps,
    clear_of,
    still_there,
    tips_above,
)
from grasp_policy.baselines.steps import MAX_STEP_M, MAX_STEP_RAD, gripper_pose, step_toward, table_height
from grasp_policy.baselines.support import support_frame
from grasp_policy.registry import BASELINES, make_policy
from grasp_policy.scene.surface import SurfacePoints
from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import inverse, pose, rotation_angle, so3_exp, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_FINGERTIP_CAMERA, gripper_boxes

START = look_at((0.0, -0.05, 0.42), (0.0, 0.0, 0.0))
TABLE_M = 0.1  # not zero: nobody may take the base's plane for the table


def above_table(poses):
    return poses[:, 2, 3] > TABLE_M + 0.003


def run(name: str, scene: AnalyticScene, seed: int = 0, start=START, allowed=above_table, steps: int = 40):
    policy = make_policy(name, (0.0, 0.0, TABLE_M), seed)
    policy.reset()
    T, decisions = start @ pose(t=np.array([0.0, 0.0, -TABLE_M])), []
    for _ in range(steps):
        T_camera = T @ NOMINAL_T_FINGERTIP_CAMERA
        color, depth, _ = scene.render(SENSOR_CAMERA, T_camera)
        policy.observe(color, depth, SENSOR_CAMERA, T_camera)
        decision = policy.decide(T, allowed)
        decisions.append(decision)
        T = decision.T_base_fingertip
        if decision.kind != "move":
            break
    return decisions


def on_table(*shapes) -> AnalyticScene:
    return AnalyticScene((Plane(offset=TABLE_M), *shapes))


BLOCK = Box((-0.025, -0.05, TABLE_M), (0.025, 0.05, TABLE_M + 0.07))


def holds(T: np.ndarray, box: Box) -> None:
    """The open fingers stand on either side of the box, reach past its top, and touch nothing."""
    low, high = np.array(box.low), np.array(box.high)
    line = T[:3, 3] + np.linspace(-MAX_OPENING_M / 2, MAX_OPENING_M / 2, 111)[:, None] * T[:3, 0]
    inside = np.all((line > low) & (line < high), axis=1)
    assert inside.sum() * 0.001 > 0.03
    assert not inside[0]
    assert not inside[-1]
    for part in gripper_boxes(MAX_OPENING_M).values():
        grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        points = (part.center + grid * part.half) @ T[:3, :3].T + T[:3, 3]
        assert not np.all((points > low) & (points < high), axis=1).any()
        assert (points[:, 2] > TABLE_M).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_heuristic_grasps_a_block_across_its_narrow_side(seed):
    decisions = run("heuristic", on_table(BLOCK), seed)
    assert decisions[-1].kind == "close"
    assert len(decisions) < 20
    T = decisions[-1].T_base_fingertip
    assert abs(T[:3, 0] @ [1.0, 0.0, 0.0]) > 0.9
    holds(T, BLOCK)


def test_heuristic_grasps_a_ball():
    ball = Sphere((0.05, 0.03, TABLE_M + 0.03), 0.03)
    decisions = run("heuristic", on_table(ball))
    assert decisions[-1].kind == "close"
    T = decisions[-1].T_base_fingertip
    offset = np.array(ball.center) - T[:3, 3]
    assert np.linalg.norm(offset - (offset @ T[:3, 2]) * T[:3, 2]) < 0.012  # the ball is on the approach's line
    assert abs(offset @ T[:3, 2]) < 0.025


def test_heuristic_leaves_what_has_no_room_for_fingers():
    walled_in = (
        Box((-0.02, -0.02, TABLE_M), (0.02, 0.02, TABLE_M + 0.04)),
        Box((-0.10, -0.15, TABLE_M), (-0.03, 0.15, TABLE_M + 0.06)),
        Box((0.03, -0.15, TABLE_M), (0.10, 0.15, TABLE_M + 0.06)),
        Box((-0.03, 0.03, TABLE_M), (0.03, 0.15, TABLE_M + 0.06)),
        Box((-0.03, -0.15, TABLE_M), (0.03, -0.03, TABLE_M + 0.06)),
    )
    last = run("heuristic", on_table(*walled_in))[-1]
    if last.kind == "close":  # then it holds a wall, not the block
        assert np.abs(last.T_base_fingertip[:2, 3]).max() > 0.02
    else:
        assert last.kind == "stuck"


def test_straight_down_closes_past_the_highest_point():
    lower = Box((-0.15, -0.02, TABLE_M), (-0.10, 0.02, TABLE_M + 0.04))
    decisions = run("straight-down", on_table(BLOCK, lower))
    assert decisions[-1].kind == "close"
    T = decisions[-1].T_base_fingertip
    assert np.all(np.abs(T[:2, 3]) < [0.03, 0.055])
    assert T[2, 3] == pytest.approx(TABLE_M + 0.04, abs=0.005)
    np.testing.assert_allclose(T[:3, 2], [0, 0, -1], atol=1e-3)


def test_heuristic_grasps_what_is_in_a_bin_and_not_the_bin():
    walls = [Box((-0.20, y, TABLE_M), (0.20, y + 0.004, TABLE_M + 0.05)) for y in (-0.154, 0.15)] + [
        Box((x, -0.15, TABLE_M), (x + 0.004, 0.15, TABLE_M + 0.05)) for x in (-0.204, 0.2)
    ]
    low = Box((-0.02, -0.05, TABLE_M), (0.02, 0.05, TABLE_M + 0.035))
    last = run("heuristic", on_table(*walls, low))[-1]
    assert last.kind == "close"
    assert np.all(np.abs(last.T_base_fingertip[:2, 3]) < [0.03, 0.055])


# A wall that faces −x, and a block that sticks out of it; lying on its back, it is BLOCK on its table.
WALL = AnalyticScene((Plane((-1.0, 0.0, 0.0), 0.0), Box((-0.07, -0.05, -0.025), (0.0, 0.05, 0.025))))


@pytest.mark.parametrize(
    ("name", "farthest_m"), [("heuristic", -0.003), ("straight-down", -0.003), ("straight-down", -0.05)]
)
def test_on_a_wall_they_approach_along_its_normal_as_far_as_they_may(name, farthest_m):
    policy = make_policy(name, Volume.around((-0.25, 0.0, 0.0), (0.6, 0.8, 0.8)))
    policy.reset()
    T = look_at((-0.42, 0.0, 0.05), (0.0, 0.0, 0.0), up=(0.0, 0.0, 1.0))
    for _ in range(40):
        T_camera = T @ NOMINAL_T_FINGERTIP_CAMERA
        color, depth, _ = WALL.render(SENSOR_CAMERA, T_camera)
        policy.observe(color, depth, SENSOR_CAMERA, T_camera)
        decision = policy.decide(T, lambda poses: poses[:, 0, 3] < farthest_m)
        T = decision.T_base_fingertip
        if decision.kind != "move":
            break
    assert decision.kind == "close"
    assert T[0, 2] > 0.9  # into the wall
    assert -0.06 < T[0, 3] < farthest_m
    assert np.all(np.abs(T[1:3, 3]) < [0.05, 0.025])
    if name == "heuristic":
        assert abs(T[2, 0]) > 0.9  # across the block's narrow side


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_deterministic_for_a_seed(name):
    first, second = (run(name, on_table(BLOCK), seed=3, steps=6) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.T_base_fingertip, b.T_base_fingertip)


def test_random_takes_allowed_candidates_only():
    def left_only(poses):
        return (poses[:, 0, 3] <= 1e-6) & above_table(poses)

    decisions = run("random", on_table(BLOCK), allowed=left_only, steps=12)
    assert len({d.chosen for d in decisions}) > 3
    for decision in decisions:
        if decision.kind == "move":
            assert left_only(decision.T_base_fingertip[None])[0]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_without_sight_or_room_are_stuck(name):
    assert run(name, AnalyticScene(()))[-1].kind == "stuck"
    nowhere = run(name, on_table(BLOCK), allowed=lambda poses: np.zeros(len(poses), bool))
    assert len(nowhere) == 1
    assert nowhere[0].kind == "stuck"


@pytest.mark.parametrize("name", ["straight-down", "heuristic"])
def test_a_bare_table_has_nothing_to_grasp(name):
    last = run(name, on_table())[-1]
    assert last.kind == "stuck"
    assert "nothing" in last.reason


# --- Their parts ---


def two_walls(width: float) -> SurfacePoints:
    """Two facing walls, ``width`` apart along x, 2 cm high, around the origin."""
    y, z = (a.ravel() for a in np.meshgrid(np.linspace(-0.02, 0.02, 9), np.linspace(0.02, 0.04, 5)))
    left = np.stack([np.full_like(y, -width / 2), y, z], axis=1)
    right = left * [-1, 1, 1]
    normals = np.repeat([[-1.0, 0, 0], [1.0, 0, 0]], len(y), axis=0)
    return SurfacePoints(np.concatenate([left, right]), normals, np.zeros((2 * len(y), 3), np.uint8))


def test_antipodal_pairs_close_across_the_gap():
    search = AntipodalSearch()
    grasps = antipodal_grasps(two_walls(0.04), 0.0, np.random.default_rng(0), search)
    assert len(grasps) > 50
    assert (np.diff(grasps.score) <= 0).all()
    np.testing.assert_allclose(np.abs(grasps.T_world_fingertip[:, 0, 0]), 1, atol=0.03)
    assert (grasps.T_world_fingertip[:, 2, 2] < -0.6).all()  # from above
    width = np.linalg.norm(grasps.contacts[:, 0] - grasps.contacts[:, 1], axis=1)
    np.testing.assert_allclose(width, 0.04, atol=0.002)
    R = grasps.T_world_fingertip[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-9)
    assert not len(antipodal_grasps(two_walls(0.12), 0.0, np.random.default_rng(0), search))


def test_a_grasp_whose_object_has_moved_is_noticed():
    search, surface = AntipodalSearch(), two_walls(0.04)
    grasps = antipodal_grasps(surface, 0.0, np.random.default_rng(0), search)
    assert still_there(surface, 0.0, grasps, search).all()
    moved = SurfacePoints(surface.points + np.array([0.0, 0.08, 0.0]), surface.normals, surface.colors)
    assert not still_there(moved, 0.0, grasps, search).any()


def test_room_for_the_gripper():
    search = AntipodalSearch()
    T = pose()[None]
    assert clear_of(np.zeros((0, 3)), T, search).all()
    assert clear_of(np.tile([0.0, 0.0, 0.01], (5, 1)), T, search).all()  # between and beyond the fingers
    assert not clear_of(np.tile([0.06, 0.0, -0.01], (5, 1)), T, search).any()  # in a finger
    assert not clear_of(np.tile([0.0, 0.0, -0.16], (5, 1)), T, search).any()  # in the palm
    assert not clear_of(np.tile([0.06, 0.0, -0.2], (5, 1)), T, search).any()  # in a finger's way
    down = gripper_pose(np.array([0.0, 0.0, 0.01]), np.array([0.0, 0.0, -1.0]), np.array([1.0, 0, 0]))
    assert tips_above(0.0, down[None], search).all()
    assert not tips_above(0.008, down[None], search).any()
    tilted = down @ pose(so3_exp(np.array([0.0, 0.5, 0.0])))
    assert not tips_above(0.0, tilted[None], search).any()


def test_steps_are_bounded_and_end_at_the_goal():
    goal = pose(so3_exp(np.array([0.3, -0.8, 0.6])), np.array([0.3, -0.2, 0.1]))
    T = pose()
    for _ in range(10):
        following = step_toward(T, goal)
        assert np.linalg.norm(following[:3, 3] - T[:3, 3]) <= MAX_STEP_M + 1e-9
        assert rotation_angle(T[:3, :3].T @ following[:3, :3]) <= MAX_STEP_RAD + 1e-9
        T = following
    np.testing.assert_allclose(T, goal, atol=1e-9)


def test_table_height_is_that_of_the_largest_level_surface():
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform(-0.3, 0.3, (2000, 2)), rng.normal(0.1, 0.001, 2000)])
    lid = np.column_stack([rng.uniform(-0.05, 0.05, (300, 2)), np.full(300, 0.18)])
    points = np.concatenate([table, lid])
    up = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    surface = SurfacePoints(points, up, np.zeros((len(points), 3), np.uint8))
    assert table_height(surface) == pytest.approx(0.1, abs=0.001)
    assert table_height(SurfacePoints.none()) is None


@pytest.mark.parametrize("turn", [[0, 0, 0], [0.5, 0, 0.3], [0, -np.pi / 2, 0], [0.2, 2.0, -1.0]])
def test_the_support_is_the_largest_plane_whichever_way_it_faces(turn):
    rng = np.random.default_rng(0)
    ground = np.column_stack([rng.uniform(-0.3, 0.3, (3000, 2)), rng.normal(0.0, 0.001, 3000)])
    side = np.column_stack([rng.uniform(-0.1, 0.1, (900, 2)), np.full(900, 0.06)])[:, [2, 0, 1]]
    points = np.concatenate([ground, side])
    normals = np.repeat([[0.0, 0, 1], [1, 0, 0]], [3000, 900], axis=0) + rng.normal(0, 0.05, points.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    T = pose(so3_exp(np.array(turn, float)), np.array([0.4, 0.1, -0.2]))
    found = support_frame(SurfacePoints(transform(T, points), normals @ T[:3, :3].T, np.zeros(points.shape, np.uint8)))
    T_true_found = inverse(T) @ found
    np.testing.assert_allclose(T_true_found[:3, 2], [0, 0, 1], atol=2e-3)
    assert (np.abs(T_true_found[:3, 3]) < [0.02, 0.02, 1e-3]).all()
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-9)
    assert support_frame(SurfacePoints.none()) is None
