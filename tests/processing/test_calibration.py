"""Calibration of the camera's place on gripper and tool, on rendered pictures of the sheet with known truth."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from sheet_views import CAMERA, look, page, photograph, stand, write_session

from processing.calibration.board import DPI, PAPER_MM, Board, write_sheet
from processing.calibration.commands import board as board_verb
from processing.calibration.commands import camera_to_gripper, read_poses
from processing.calibration.hand_eye import Station, calibrate_hand_eye
from processing.calibration.outcome import deviation, jackknife, mean_pose
from processing.calibration.stances import calibrate_stances
from processing.calibration.views import BoardView, board_view, find_board, scale_by_depth, still_views
from wildgrasp.calibration import load_calibration
from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import inverse, pose, se3_exp, so3_exp, to_vector
from wildgrasp.rig import (
    MAX_OPENING_M,
    NOMINAL_T_CAMERA_FINGERTIP,
    NOMINAL_T_FINGERTIP_CAMERA,
    T_TOOL_FINGERTIP,
    gripper_mask,
)
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

# The camera as it was really mounted: beside the drawing's place by millimetres and degrees.
T_TRUE = NOMINAL_T_CAMERA_FINGERTIP @ se3_exp(np.array([0.004, -0.003, 0.005, 0.02, -0.015, 0.03]))
T_TOOL_CAMERA = T_TOOL_FINGERTIP @ inverse(T_TRUE)
T_BASE_BOARD = pose(so3_exp(np.array([np.pi, 0, 0])) @ so3_exp(np.array([0, 0, 0.4])), np.array([0.45, 0.1, 0.02]))
CORNERS = np.array(Board().charuco().getChessboardCorners(), dtype=np.float64)
GRIPPER = gripper_mask(CAMERA, T_TRUE, MAX_OPENING_M)


@pytest.fixture(scope="module")
def sheet():
    return page()


# --- the sheet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_the_printed_sheet_has_its_true_size(tmp_path, paper):
    write_sheet(tmp_path / "sheet.png", paper)
    write_sheet(tmp_path / "sheet.pdf", paper)
    image = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_GRAYSCALE)
    mm = 25.4 / DPI
    np.testing.assert_allclose(np.array(image.shape[::-1]) * mm, PAPER_MM[paper], atol=0.1)
    pixels, ids, _, _ = cv2.aruco.CharucoDetector(Board().charuco()).detectBoard(image)
    assert len(ids) == 9 * 6
    measured = (pixels.reshape(-1, 2) + 0.5) * mm - np.array(PAPER_MM[paper]) / 2
    np.testing.assert_allclose(measured, 1e3 * (CORNERS[ids.ravel(), :2] - Board().size_m / 2), atol=0.1)
    middle = image[:, image.shape[1] // 2 - int(49 / mm) : image.shape[1] // 2 + int(49 / mm)]
    assert (middle < 100).all(axis=1).any()  # the bar: 100 mm without a hole
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")


def test_everything_fits_on_both_papers():
    half = np.min([PAPER_MM["a4"], PAPER_MM["letter"]], axis=0) / 2 - 4.5
    for T in Board().stances().values():
        pads = np.array([[x, y, 0, 1] for x in (-0.068, 0.068) for y in (-0.011, 0.011)])
        on_paper = 1e3 * ((pads @ T.T)[:, :2] - Board().size_m / 2)
        assert (np.abs(on_paper) <= half).all()


def test_standing_on_any_footprint_the_camera_sees_enough_of_the_board(sheet):
    rng = np.random.default_rng(0)
    detector = cv2.aruco.CharucoDetector(Board().charuco())
    for footprint in (1, 2, 3, 4):
        color, _ = photograph(sheet, stand(T_TRUE, footprint, rng), rng)
        color[GRIPPER] = 60
        _, ids, _, _ = detector.detectBoard(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY))
        assert len(ids) >= 20


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CalibrationError, match="neither"):
        board_verb(tmp_path / "sheet.docx")


# --- the handheld gripper ---------------------------------------------------------------------------------------------


def standing(rng, footprints, T=T_TRUE, board=None, rest=6):
    """Frames of a hand that stands on footprints in turn, and moves from one to the next high above the sheet."""
    poses = []
    for footprint in footprints:
        rests = stand(T, footprint, rng, board)
        away = [rests @ se3_exp(np.array([0.03 * n, 0.02 * n, -0.07 * n, 0.02 * n, 0.0, 0.03 * n])) for n in (2, 1)]
        poses += [*away, *[rests] * rest]
    return poses


def behind_gripper(index, color):
    color = color.copy()
    color[GRIPPER] = 60
    return color


@pytest.fixture(scope="module")
def stood(sheet, tmp_path_factory):
    rng = np.random.default_rng(1)
    frames = standing(rng, [1, 2, 3, 4, 1, 2, 3, 4])
    return write_session(tmp_path_factory.mktemp("stood") / "s", sheet, frames, rng, change=behind_gripper)


def test_standing_on_the_footprints_finds_where_the_camera_is(stood, tmp_path, capsys):
    assert camera_to_gripper(stood, out=tmp_path / "c.json", json=tmp_path / "all.json") == 0
    found = load_calibration(tmp_path / "c.json", "T_camera_fingertip")
    mm, deg = deviation(found.T, T_TRUE)
    assert found.verdict == "good"
    assert mm < 2.5 * found.sigma_mm < 2.5
    assert deg < 2.5 * found.sigma_deg < 0.75
    told = json.loads((tmp_path / "c.json").read_text())
    assert told["camera"]["serial"] == "77"
    assert len(told["views"]) == 8
    assert {v["place"] for v in told["views"]} == {f"footprint {n}" for n in (1, 2, 3, 4)}
    assert told["coverage"]["scale"] == pytest.approx(1, abs=0.01)
    assert "Verdict: good" in capsys.readouterr().out


def test_its_uncertainty_is_honest():
    """Over many made-up calibrations the truth is within two standard deviations nearly always, and they are small."""
    rng = np.random.default_rng(2)
    within, sigmas = [], []
    for _ in range(60):
        views = [exact_view(stand(T_TRUE, 1 + n % 4, rng), n, rng) for n in range(8)]
        found = calibrate_stances(views, Board(), 1.0)
        mm, deg = deviation(found.T, T_TRUE)
        within.append(mm < 2 * found.sigma_mm and deg < 2 * found.sigma_deg)
        sigmas.append((found.sigma_mm, found.sigma_deg))
    assert np.mean(within) > 0.9
    assert np.median(sigmas, axis=0)[0] < 1.0
    assert np.median(sigmas, axis=0)[1] < 0.3


def exact_view(T_camera_board, frame, rng, noise_px=0.1, board=None) -> BoardView:
    """What the detector would find in a picture taken from there, without rendering one."""
    corners = CORNERS if board is None else np.array(board.charuco().getChessboardCorners(), dtype=np.float64)
    pixels = CAMERA.project(corners @ T_camera_board[:3, :3].T + T_camera_board[:3, 3])
    inside = (pixels > 5).all(axis=1) & (pixels < (CAMERA.width - 5, CAMERA.height - 5)).all(axis=1)
    seen = np.flatnonzero(inside)
    return board_view(frame, frame, seen, pixels[seen] + rng.normal(0, noise_px, (len(seen), 2)), CORNERS, CAMERA)


def test_a_stand_beside_the_footprint_is_an_outlier():
    rng = np.random.default_rng(3)
    poses = [stand(T_TRUE, 1 + n % 4, rng) for n in range(9)]
    poses[4] = poses[4] @ se3_exp(np.array([0.015, 0.0, 0.0, 0.0, 0.0, 0.0]))
    found = calibrate_stances([exact_view(T, n, rng) for n, T in enumerate(poses)], Board(), 1.0)
    assert [v.frame for v in found.views if not v.used] == [4]
    assert deviation(found.T, T_TRUE)[0] < 2.5 * found.sigma_mm


def test_too_few_stands_and_stands_on_one_side_are_of_no_use():
    rng = np.random.default_rng(4)

    def after(footprints):
        return calibrate_stances(
            [exact_view(stand(T_TRUE, f, rng), n, rng) for n, f in enumerate(footprints)], Board(), 1.0
        )

    one_side = after([1] * 8)
    assert one_side.verdict == "unusable"
    assert "one direction" in one_side.reasons[0]
    few = after([1, 3])
    assert few.verdict == "unusable"
    assert any("are needed" in reason for reason in few.reasons)
    assert after([1, 2, 3, 1, 2, 3]).verdict == "poor"  # one side is missing
    with pytest.raises(CalibrationError, match="on a footprint"):
        after([1])


def test_a_sheet_of_another_size_is_noticed_by_its_depth_and_mended_by_the_bar(sheet, tmp_path):
    """Printed 'fit to page' at 94 %: the picture is that of a full-sized sheet further away, depth says otherwise."""
    rng = np.random.default_rng(5)
    small = Board().printed_as(0.94 * Board().square_m)
    frames = [T.copy() for T in standing(rng, [1, 2, 3, 4], board=small)]
    for T in frames:
        T[:3, 3] /= 0.94
    path = write_session(tmp_path / "s", sheet, frames, rng, change=behind_gripper, depth_scale=0.94)
    assert camera_to_gripper(path, out=tmp_path / "c.json", json=tmp_path / "all.json") == 2
    assert not (tmp_path / "c.json").exists()
    assert "0.94 times as large" in json.loads((tmp_path / "all.json").read_text())["reasons"][0]
    assert camera_to_gripper(path, out=tmp_path / "c.json", bar_mm=94.0) == 0
    found = load_calibration(tmp_path / "c.json", "T_camera_fingertip")
    assert deviation(found.T, T_TRUE)[0] < 3 * found.sigma_mm


# --- the robot --------------------------------------------------------------------------------------------------------


def stations(rng, count=14, noise_mm=0.2, turn=1.0):
    """T_base_tool as the arm says, and T_camera_board as it is, from all round the board."""
    found = []
    for n in range(count):
        azimuth, elevation = 2.4 * n * turn, np.deg2rad(90 - turn * (20 + 25 * ((n * 0.37) % 1)))
        T_base_camera = look(T_BASE_BOARD, azimuth, elevation, 0.35 + 0.15 * ((n * 0.61) % 1), 0.5 * turn * np.sin(n))
        arm_error = se3_exp(np.concatenate([rng.normal(0, 1e-3 * noise_mm, 3), rng.normal(0, 2e-4, 3)]))
        found.append((T_base_camera @ inverse(T_TOOL_CAMERA) @ arm_error, inverse(T_base_camera) @ T_BASE_BOARD))
    return found


def robot_views(rng, found, board=None):
    return [Station(exact_view(T, n, rng, board=board), T_base_tool) for n, (T_base_tool, T) in enumerate(found)]


def test_the_arm_s_poses_find_the_camera_on_the_tool(sheet, tmp_path):
    """From pictures, with a JSON file of poses as another robot's program would write it."""
    rng = np.random.default_rng(6)
    found = stations(rng)
    path = write_session(tmp_path / "s", sheet, [T for _, T in found], rng)
    listed = {str(n): to_vector(T).tolist() for n, (T, _) in enumerate(found)}
    (tmp_path / "poses.json").write_text(json.dumps({"T_base_tool": listed}))
    assert camera_to_gripper(path, tmp_path / "poses.json", tmp_path / "c.json") == 0
    calibration = load_calibration(tmp_path / "c.json", "T_tool_camera")
    mm, deg = deviation(calibration.T, T_TOOL_CAMERA)
    assert calibration.verdict == "good"
    assert mm < 2.5 * calibration.sigma_mm < 2.5
    assert deg < 2.5 * calibration.sigma_deg < 0.75


def test_a_robot_s_session_needs_no_other_file(sheet, tmp_path):
    """Its poses are the camera's by the drawing's hand–eye; what comes out is the true one."""
    rng = np.random.default_rng(7)
    found = [pair for pair in stations(rng, 10, noise_mm=0.1) for _ in range(6)]
    path = write_session(
        tmp_path / "s",
        sheet,
        [T for _, T in found],
        rng,
        {"T_camera_fingertip": to_vector(NOMINAL_T_CAMERA_FINGERTIP).tolist()},
    )
    with Session(path) as session, session.edit() as edit:
        for n, (T_base_tool, _) in enumerate(found):
            row = to_vector(T_base_tool @ T_TOOL_FINGERTIP @ NOMINAL_T_FINGERTIP_CAMERA).tolist()
            edit.execute("INSERT INTO poses VALUES ('arm',?,?,?,?,?,?,?,?,'ok',0)", (n, *row))
    assert camera_to_gripper(path, out=tmp_path / "c.json") == 0
    calibration = load_calibration(tmp_path / "c.json", "T_tool_camera")
    assert deviation(calibration.T, T_TOOL_CAMERA)[0] < 2.5 * calibration.sigma_mm < 2.5


def test_the_robot_s_uncertainty_is_honest():
    rng = np.random.default_rng(8)
    within = []
    for _ in range(8):
        found = calibrate_hand_eye(robot_views(rng, stations(rng, noise_mm=0.5)), CAMERA)
        mm, deg = deviation(found.T, T_TOOL_CAMERA)
        within.append(mm < 2 * found.sigma_mm and deg < 2 * found.sigma_deg)
    assert sum(within) >= 7


def test_a_station_with_a_wrong_pose_is_an_outlier():
    rng = np.random.default_rng(9)
    views = robot_views(rng, stations(rng))
    views[5] = Station(views[5].view, views[5].T_base_tool @ se3_exp(np.array([0.02, 0, 0, 0, 0.02, 0])))
    found = calibrate_hand_eye(views, CAMERA)
    assert [n for n, v in enumerate(found.views) if not v.used] == [5]
    assert deviation(found.T, T_TOOL_CAMERA)[0] < 2.5 * found.sigma_mm


def test_views_from_one_direction_and_too_few_views_are_of_no_use():
    rng = np.random.default_rng(10)
    with pytest.raises(CalibrationError, match="two axes"):
        calibrate_hand_eye(robot_views(rng, stations(rng, turn=0.0)), CAMERA)
    assert calibrate_hand_eye(robot_views(rng, stations(rng, turn=0.1)), CAMERA).verdict == "unusable"
    assert calibrate_hand_eye(robot_views(rng, stations(rng, 4)), CAMERA).verdict == "unusable"
    with pytest.raises(CalibrationError, match="are needed"):
        calibrate_hand_eye(robot_views(rng, stations(rng, 2)), CAMERA)


def test_wrong_squares_are_measured_by_the_arm():
    rng = np.random.default_rng(11)
    large = Board().printed_as(1.05 * Board().square_m)
    found = calibrate_hand_eye(robot_views(rng, stations(rng), large), CAMERA)
    assert found.verdict == "unusable"
    assert found.coverage["scale"] == pytest.approx(1.05, abs=0.005)
    assert any("times as large" in reason for reason in found.reasons)


def test_poses_that_are_none_are_refused(tmp_path):
    for text in ("", "[]", '{"T_base_tool": {"0": [1, 2]}}', '{"T_base_tool": {"9": [0,0,0,0,0,0,1]}}'):
        (tmp_path / "p.json").write_text(text)
        with pytest.raises(CalibrationError, match="holds no poses"):
            read_poses(tmp_path / "p.json", 5)


# --- what the camera sees ---------------------------------------------------------------------------------------------


def test_a_partly_hidden_board_still_gives_its_pose(sheet, tmp_path):
    rng = np.random.default_rng(12)
    T = inverse(look(T_BASE_BOARD, 0.3, 1.1, 0.35)) @ T_BASE_BOARD

    def hide(index, color):
        color = color.copy()
        color[:, : 200 + 60 * index] = 70
        return color

    path = write_session(tmp_path / "s", sheet, [T] * 6, rng, change=hide)
    with Session(path) as session:
        views = find_board(session, Board())
        assert 1 <= len(views) < 6  # at last there is too little to see
        for view in views:
            mm, deg = deviation(inverse(view.T_camera_board), inverse(T))
            assert mm < 2.5
            assert deg < 0.4
        assert scale_by_depth(session, views) == pytest.approx(1, abs=0.01)


def test_a_mirrored_and_another_board_and_none_are_told_apart(sheet, tmp_path):
    rng = np.random.default_rng(13)
    T = inverse(look(T_BASE_BOARD, 0.3, 1.2, 0.4)) @ T_BASE_BOARD
    other = page(Board(dictionary="DICT_6X6_250"))
    for name, sheet_seen, change, told in (
        ("mirrored", sheet, lambda i, c: np.ascontiguousarray(c[:, ::-1]), "mirrored"),
        ("other", other, lambda i, c: c, "not this board"),
        ("none", np.full_like(sheet, 255), lambda i, c: c, "no frame shows"),
    ):
        path = write_session(tmp_path / name, sheet_seen, [T] * 2, rng, change=change)
        with Session(path) as session, pytest.raises(CalibrationError, match=told):
            find_board(session, Board())


def test_only_what_rests_is_a_still_view():
    rng = np.random.default_rng(14)
    T = inverse(look(T_BASE_BOARD, 0.3, 1.2, 0.4)) @ T_BASE_BOARD
    moving = [T @ se3_exp(np.array([0.004 * n, 0, 0, 0, 0, 0])) for n in range(20)]
    views = [exact_view(M, n, rng, 0.02) for n, M in enumerate([*moving, *[moving[-1]] * 10, *moving[::-1]])]
    views = [BoardView(v.frame, v.frame * 100_000_000, v.ids, v.pixels, v.points, v.T_camera_board, 0) for v in views]
    (still,) = still_views(views, Board(), CAMERA)
    assert 19 <= still.frame <= 30
    creeping = [T @ se3_exp(np.array([0.0004 * n, 0, 0, 0, 0, 0])) for n in range(30)]
    views = [exact_view(M, n, rng, 0.0) for n, M in enumerate(creeping)]
    views = [BoardView(v.frame, v.frame * 100_000_000, v.ids, v.pixels, v.points, v.T_camera_board, 0) for v in views]
    assert all(deviation(v.T_camera_board, creeping[v.frame])[0] < 1.5 for v in still_views(views, Board(), CAMERA))


# --- sums -------------------------------------------------------------------------------------------------------------


def test_the_jackknife_of_a_mean_is_its_standard_error():
    rng = np.random.default_rng(15)
    poses = np.array([se3_exp(rng.normal(0, 1e-3, 6)) for _ in range(200)])
    mean = mean_pose(poses)
    sigma_mm, _ = jackknife(lambda some: mean_pose(poses[some]), 200, mean)
    scatter = np.sqrt(np.sum([np.var(poses[:, a, 3], ddof=1) for a in range(3)]) / 200)
    assert sigma_mm == pytest.approx(1e3 * scatter, rel=0.05)


def test_a_session_without_a_board_is_refused_by_the_verb(tmp_path):
    from wildgrasp.cameras.base import CameraInfo, RGBDFrame

    frame = RGBDFrame(np.zeros((480, 640, 3), np.uint8), np.zeros((480, 640), np.uint16), 0.001, 1)
    with SessionWriter(tmp_path / "s", CameraInfo("x", "", "", CAMERA, 0.001, 10.0)) as writer:
        writer.add_frame(frame)
    with pytest.raises(CalibrationError, match="no frame shows"):
        camera_to_gripper(tmp_path / "s", out=tmp_path / "c.json")
    with pytest.raises(CalibrationError, match="cannot be"):
        camera_to_gripper(tmp_path / "s", bar_mm=5.0)
