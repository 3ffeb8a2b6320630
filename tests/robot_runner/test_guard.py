"""The guard: what it must refuse it refuses with a reason, what it clips is safe, and one rule serves one and many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_runner.arm.kinematics import UR5, forward
from robot_runner.guard import GuardLimits, allowed, check, check_joints, hull_corners
from robot_runner.keep_out import KeepOutBox, gripper_enters, load_keep_out, save_keep_out
from wildgrasp.errors import RobotError
from wildgrasp.geometry import se3_exp, transform
from wildgrasp.rig import gripper_boxes

LIMITS = GuardLimits()
HOME = np.array([0.0, -1.57, 1.57, -1.57, -1.57, 0.0])
T_HOME = forward(UR5, HOME) @ LIMITS.T_tool_fingertip
TWISTS = st.lists(st.floats(-0.25, 0.25), min_size=6, max_size=6).map(np.array)


def moved(dx=0.0, dy=0.0, dz=0.0):
    T = T_HOME.copy()
    T[:3, 3] += [dx, dy, dz]
    return T


def test_a_small_step_is_allowed_as_it_is():
    verdict = check(moved(dz=-0.05), HOME, LIMITS)
    assert verdict.kind == "allow"
    np.testing.assert_allclose(verdict.T_base_fingertip, moved(dz=-0.05), atol=1e-12)
    np.testing.assert_allclose(forward(UR5, verdict.q) @ LIMITS.T_tool_fingertip, moved(dz=-0.05), atol=1e-6)


@given(row=st.integers(0, 3), column=st.integers(0, 3), value=st.sampled_from([np.nan, np.inf, -np.inf]))
@settings(max_examples=20, deadline=None)
def test_not_a_number_anywhere_is_refused(row, column, value):
    T = T_HOME.copy()
    T[row, column] = value
    assert check(T, HOME, LIMITS).kind == "refuse"
    assert check(T_HOME, np.where(np.arange(6) == row, value, HOME), LIMITS).kind == "refuse"


def test_a_matrix_that_is_no_rigid_motion_is_refused():
    mirrored = T_HOME.copy()
    mirrored[:3, 0] *= -1
    assert check(mirrored, HOME, LIMITS).kind == "refuse"
    assert check(2 * T_HOME, HOME, LIMITS).kind == "refuse"


def test_a_long_step_is_shortened_along_its_line():
    verdict = check(moved(dx=-0.2, dy=0.2), HOME, LIMITS)
    assert verdict.kind == "clip"
    step = verdict.T_base_fingertip[:3, 3] - T_HOME[:3, 3]
    assert np.linalg.norm(step) == pytest.approx(LIMITS.max_step_m)
    np.testing.assert_allclose(step / np.linalg.norm(step), np.array([-1, 1, 0]) / np.sqrt(2), atol=1e-9)


@given(twist=TWISTS, opening=st.floats(0, 0.11))
@settings(max_examples=80, deadline=None)
def test_whatever_is_not_refused_is_safe(twist, opening):
    low = GuardLimits(max_step_m=1.0, max_step_rad=3.0)
    verdict = check(T_HOME @ se3_exp(twist), HOME, low, opening)
    if verdict.kind == "refuse":
        assert verdict.reason
        return
    T = forward(UR5, verdict.q) @ low.T_tool_fingertip
    assert transform(T, hull_corners(opening))[:, 2].min() >= low.table_clearance_m - 1e-4
    assert (T[:3, 3] >= low.workspace_lower).all()
    assert (T[:3, 3] <= low.workspace_upper).all()


def test_a_little_too_low_is_raised_and_deep_in_the_table_is_refused():
    near = GuardLimits(max_step_m=0.5)
    a_little = moved(dz=-T_HOME[2, 3] - 0.004)
    verdict = check(a_little, HOME, near)
    assert verdict.kind == "clip"
    assert "above the table" in verdict.reason
    assert transform(verdict.T_base_fingertip, hull_corners(0.11))[:, 2].min() == pytest.approx(near.table_clearance_m)
    deep = check(moved(dz=-T_HOME[2, 3] - 0.1), HOME, near)
    assert deep.kind == "refuse"
    assert "into the table" in deep.reason


@pytest.mark.parametrize(
    ("T", "limits", "words"),
    [
        (moved(dx=-0.12), GuardLimits(workspace_lower=(-0.55, -0.8, 0)), "workspace (x"),
        (moved(dx=-0.9), GuardLimits(max_step_m=2, workspace_lower=(-2, -2, 0)), "reach"),
        (
            moved(dx=-0.1),
            GuardLimits(keep_out=(KeepOutBox((-0.7, -0.3, 0.0), (-0.56, 0.1, 0.4), "camera stand"),)),
            "camera stand",
        ),
    ],
)
def test_refusals_name_what_is_in_the_way(T, limits, words):
    verdict = check(T, HOME, limits)
    assert verdict.kind == "refuse"
    assert words in verdict.reason


def test_moving_into_the_pedestal_is_refused_as_self_collision_or_singular():
    free = GuardLimits(max_step_m=1.0, workspace_lower=(-2, -2, -2), table_height_m=-2)
    assert check(moved(dx=0.45, dy=0.1), HOME, free).kind == "refuse"


@given(twists=st.lists(TWISTS, min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_many_at_once_equals_one_by_one(twists):
    candidates = T_HOME @ se3_exp(np.array(twists))
    one_by_one = [check(T, HOME, LIMITS).kind != "refuse" for T in candidates]
    assert allowed(candidates, HOME, LIMITS).tolist() == one_by_one


def test_joint_moves_are_sampled_between_their_ends():
    through_table = HOME + np.array([0, 0.9, 0, 0, 0, 0])
    assert check_joints(through_table, HOME, LIMITS).kind == "refuse"
    assert check_joints(HOME + np.array([0.5, 0, 0, 0, 0, 0]), HOME, LIMITS).kind == "allow"
    assert check_joints(np.full(6, np.nan), HOME, LIMITS).kind == "refuse"
    assert check_joints(np.array([6.27, -1.57, 1.57, -1.57, -1.57, 0]), HOME, LIMITS).reason.startswith("a joint")


POINTS = st.lists(st.floats(-0.12, 0.12), min_size=3, max_size=3).map(np.array)
SIZES = st.lists(st.floats(0.004, 0.06), min_size=3, max_size=3).map(np.array)


@given(twist=TWISTS, at=POINTS, half=SIZES, opening=st.floats(0, 0.11))
@settings(max_examples=60, deadline=None)
def test_no_part_of_the_gripper_is_inside_a_box_that_it_is_said_not_to_enter(twist, at, half, opening):
    T = T_HOME @ se3_exp(twist)
    box = KeepOutBox(tuple(T_HOME[:3, 3] + at - half), tuple(T_HOME[:3, 3] + at + half))
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 7)] * 3), axis=-1).reshape(-1, 3)
    inside = False
    for part in gripper_boxes(opening).values():
        points = transform(T, part.center + grid * part.half)
        inside |= bool(((points >= box.lower) & (points <= box.upper)).all(axis=1).any())
    enters = bool(gripper_enters(T, box, opening, 0.0))
    assert enters or not inside
    clear = transform(T, hull_corners(opening))
    far = (clear.min(axis=0) > box.upper).any() or (clear.max(axis=0) < box.lower).any()
    assert not (enters and far)


@given(direction=POINTS, at=POINTS, half=SIZES)
@settings(max_examples=40, deadline=None)
def test_an_allowed_step_never_passes_through_a_thin_box(direction, at, half):
    box = KeepOutBox(tuple(T_HOME[:3, 3] + at - half), tuple(T_HOME[:3, 3] + at + half))
    verdict = check(moved(*direction), HOME, GuardLimits(keep_out=(box,)))
    if verdict.kind == "refuse":
        return
    for u in np.linspace(0, 1, 60):
        T = T_HOME.copy()
        T[:3, 3] += u * (verdict.T_base_fingertip[:3, 3] - T_HOME[:3, 3])
        if u > 0.25:  # the start is where the arm is; it may be led out of a box
            assert not gripper_enters(T, box, 0.11, 0.0)


def test_keep_out_files_are_read_back_and_anything_else_is_refused_whole(tmp_path):
    boxes = (KeepOutBox((0, 0, 0), (0.1, 0.2, 0.3), "shelf"), KeepOutBox((-1, -1, -1), (-0.5, 0, 0)))
    save_keep_out(tmp_path / "boxes.json", boxes)
    assert load_keep_out(tmp_path / "boxes.json") == boxes
    good = '{"lower": [0, 0, 0], "upper": [1, 1, 1]}'
    for text in (
        "",
        "[]",
        "{}",
        '{"keep_out": 3}',
        f'{{"keep_out": [{good}, {{"lower": [0, 0, 0], "upper": [0, 1, 1]}}]}}',
        f'{{"keep_out": [{good}, {{"lower": [0, 0, NaN], "upper": [1, 1, 1]}}]}}',
        f'{{"keep_out": [{", ".join([good] * 101)}]}}',
        "[" * 50_000,
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RobotError, match="not moved without them"):
            load_keep_out(tmp_path / "bad.json")
    with pytest.raises(RobotError, match="not moved without them"):
        load_keep_out(tmp_path / "missing.json")


def test_the_forearm_and_the_camera_stay_above_the_table_too():
    lying = np.array([0.0, -0.25, 0.35, -1.67, -1.57, 0.0])  # stretched forwards, low
    assert "table" in check_joints(lying, lying, GuardLimits(table_height_m=0.2)).reason
