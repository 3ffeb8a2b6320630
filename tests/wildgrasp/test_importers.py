"""Recordings of others become sessions, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from wildgrasp.cameras.registration import DepthRegistration, fill_gaps
from wildgrasp.errors import SessionError, UserError
from wildgrasp.geometry import PinholeCamera, from_vector, inverse, pose, so3_exp
from wildgrasp.importers import seven_scenes, source, tum
from wildgrasp.importers.seven_scenes import KinectRig, import_7scenes
from wildgrasp.importers.source import DatasetError
from wildgrasp.importers.tum import import_tum
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.session import Session

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "rgbd_7scenes"
RIG = KinectRig()


def texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)


def depth_image(seed: int) -> np.ndarray:
    depth = np.full((480, 640), 1000 + seed, np.uint16)
    depth[:10] = 0
    depth[-10:] = 65535
    return depth


# --- 7-Scenes ---


@pytest.fixture
def scenes(tmp_path) -> Path:
    folder = tmp_path / "seq-01"
    folder.mkdir()
    for i in range(3):
        stem = folder / f"frame-{i:06d}"
        cv2.imwrite(f"{stem}.color.png" if i == 2 else f"{stem}.color.jpg", texture(i))
        cv2.imwrite(f"{stem}.depth.png", depth_image(i))
        T = pose(so3_exp(np.array([0.0, 0.1 * i, 0.0])), np.array([0.1 * i, 0.0, 0.0]))
        np.savetxt(f"{stem}.pose.txt", T, fmt="%.4f")  # few digits: no exact rotation
    return folder


def test_7scenes(scenes, tmp_path):
    out = import_7scenes(scenes, tmp_path / "s")
    with Session(out) as session:
        assert len(session) == 3
        assert session.camera == RIG.color
        np.testing.assert_array_equal(np.diff(session.times_ns), [33_333_333, 33_333_334])
        poses = session.poses("recorded")
        R = poses.T_world_camera[:, :3, :3]
        np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.repeat(np.eye(3)[None], 3, 0), atol=1e-12)
        # The file's pose is the depth camera's.
        T_world_depth = poses.T_world_camera @ RIG.T_color_depth
        np.testing.assert_allclose(T_world_depth[2][:3, 3], [0.2, 0.0, 0.0], atol=1e-6)
        frame = session.frame(1)
        values = np.unique(frame.depth_raw)
        assert set(values) == {0, 1001}  # 0 and 65535 are no measurements
        color = (scenes / "frame-000001.color.jpg").read_bytes()
        assert color in (out / "blobs" / "000000.wgb").read_bytes()  # not compressed a second time
    assert check_session(out, deep=True).status is Status.GOOD
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_7scenes_without_poses(scenes, tmp_path):
    for file in scenes.glob("*.pose.txt"):
        file.unlink()
    with Session(import_7scenes(scenes, tmp_path / "s")) as session:
        assert session.poses("recorded") is None


def lose_depth(folder):
    (folder / "frame-000001.depth.png").unlink()


def lose_pose(folder):
    (folder / "frame-000001.pose.txt").unlink()


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def cut_color(folder):
    file = folder / "frame-000002.color.png"
    file.write_bytes(file.read_bytes()[:100])


def eight_bit_depth(folder):
    cv2.imwrite(str(folder / "frame-000002.depth.png"), np.zeros((480, 640), np.uint8))


def small_depth(folder):
    cv2.imwrite(str(folder / "frame-000002.depth.png"), np.zeros((48, 64), np.uint16))


def empty_depth(folder):
    (folder / "frame-000002.depth.png").write_bytes(b"")


def words_for_pose(folder):
    (folder / "frame-000001.pose.txt").write_text("not a pose")


def binary_pose(folder):
    (folder / "frame-000001.pose.txt").write_bytes(b"\xff\xfe\x00")


def skewed_pose(folder):
    np.savetxt(folder / "frame-000001.pose.txt", np.diag([1.0, 2.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lose_depth, "frame-000001.depth.png"),
        (lose_pose, "frame-000001.pose.txt"),
        (empty, "holds no 7-Scenes recording"),
        (shutil.rmtree, "cannot be read"),
        (cut_color, "no whole JPEG or PNG"),
        (eight_bit_depth, "16-bit"),
        (empty_depth, "16-bit"),
        (small_depth, "64x48 pixels"),
        (words_for_pose, "no 4x4 pose"),
        (binary_pose, "no text file"),
        (skewed_pose, "no rotation"),
    ],
)
def test_a_bad_7scenes_folder_is_one_clear_sentence_and_leaves_nothing(scenes, tmp_path, harm, text):
    harm(scenes)
    before = {p.name for p in tmp_path.iterdir()}
    with pytest.raises(UserError, match=text):
        import_7scenes(scenes, tmp_path / "s")
    assert {p.name for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_import_leaves_nothing(scenes, tmp_path, monkeypatch, error):
    calls = 0
    original = seven_scenes.read_depth

    def interrupted(*args):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error
        return original(*args)

    monkeypatch.setattr(seven_scenes, "read_depth", interrupted)
    with pytest.raises(error):
        import_7scenes(scenes, tmp_path / "s")
    assert {p.name for p in tmp_path.iterdir()} == {"seq-01"}


def test_an_import_never_overwrites(scenes, tmp_path):
    (tmp_path / "s").mkdir()
    with pytest.raises(SessionError, match="exists already"):
        import_7scenes(scenes, tmp_path / "s")


def test_a_full_disk_leaves_nothing(scenes, tmp_path, monkeypatch):
    def full(self, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(source.SessionWriter, "sync", full)
    with pytest.raises(SessionError, match="No space left"):
        import_7scenes(scenes, tmp_path / "s")
    assert {p.name for p in tmp_path.iterdir()} == {"seq-01"}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recording is not here")
def test_the_real_recording(tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for i in range(0, 60, 10):
        for kind in ("color.jpg", "depth.png", "pose.txt"):
            (few / f"frame-{i:06d}.{kind}").symlink_to(REAL / f"frame-{i:06d}.{kind}")
    out = import_7scenes(few, tmp_path / "s")
    assert check_session(out, deep=True).status is Status.GOOD
    with Session(out) as session:
        assert 0.6 < (session.frame(0).depth > 0).mean() < 0.9
        assert session.frame(0).depth.max() < 10
        # Depth and recorded poses agree: points of one frame, seen from another, lie where its depth says.
        T = session.poses("recorded").T_world_camera
        a, b = session.frame(0), session.frame(1)
        points = session.camera.points(a.depth)[a.depth > 0] @ np.eye(3)
        there = inverse(T[1]) @ T[0]
        points = points @ there[:3, :3].T + there[:3, 3]
        uv = np.rint(session.camera.project(points)).astype(int)
        seen = (uv >= 0).all(1) & (uv < [640, 480]).all(1)
        other = b.depth[uv[seen][:, 1], uv[seen][:, 0]]
        error = np.abs(other - points[seen][:, 2])[other > 0]
        assert np.median(error) < 0.02


# --- registration ---


def test_registration_is_the_identity_between_equal_cameras():
    camera = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
    depth = np.random.default_rng(0).integers(500, 3000, (48, 64)).astype(np.uint16)
    np.testing.assert_array_equal(DepthRegistration(camera, camera, np.eye(4), 0.001).register(depth), depth)


def test_registration_moves_a_plane_by_its_parallax():
    camera = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
    depth = np.full((48, 64), 1000, np.uint16)
    T_color_depth = pose(t=np.array([-0.05, 0.0, 0.1]))  # 3 pixels less than at 1.1 m: 60 · 0.05 / 1.1
    moved = DepthRegistration(camera, camera, T_color_depth, 0.001).register(depth)
    assert set(np.unique(moved)) == {0, 1100}
    inside = moved[5:-5, 5:-12]
    assert (inside == 1100).all()  # gaps of one pixel are filled


def test_the_nearest_surface_wins_and_what_was_hidden_stays_unknown():
    camera = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
    depth = np.full((48, 64), 2000, np.uint16)
    depth[10:30, 20:40] = 500
    T_color_depth = pose(t=np.array([-0.1, 0.0, 0.0]))  # near: 12 pixels to the left, far: 3
    moved = DepthRegistration(camera, camera, T_color_depth, 0.001).register(depth)
    assert (moved[10:30, 8:28] == 500).all()
    assert (moved[12:28, 30:36] == 0).all()  # behind the near square's old place nothing was measured
    assert (moved[35:45, 10:50] == 2000).all()


def test_gaps_are_filled_within_a_surface_only():
    depth = np.array([[1000, 0, 1010, 0, 2000, 0, 0, 2000]], np.uint16)
    np.testing.assert_array_equal(fill_gaps(depth), [[1000, 1005, 1010, 0, 2000, 0, 0, 2000]])
    np.testing.assert_array_equal(fill_gaps(depth.T), fill_gaps(depth).T)


# --- TUM ---


@pytest.fixture
def tum_folder(tmp_path) -> Path:
    folder = tmp_path / "rgbd_dataset_freiburg3_test"
    (folder / "rgb").mkdir(parents=True)
    (folder / "depth").mkdir()
    rgb, depth, truth = ["# colour"], ["# depth"], ["# timestamp tx ty tz qx qy qz qw"]
    for i in range(4):
        t = 1305031102.175304 + i / 30
        cv2.imwrite(str(folder / "rgb" / f"{i}.png"), texture(i))
        rgb.append(f"{t:.6f} rgb/{i}.png")
        if i != 2:  # one colour image without depth
            cv2.imwrite(str(folder / "depth" / f"{i}.png"), np.full((480, 640), 5000 + i, np.uint16))
            depth.append(f"{t + 0.004:.6f} depth/{i}.png")
    for i in range(40):
        truth.append(f"{1305031102.15 + i * 0.01:.4f} {i * 0.01:.4f} 0 0 0 0 0 1")
    for name, lines in (("rgb.txt", rgb), ("depth.txt", depth), ("groundtruth.txt", truth)):
        (folder / name).write_text("\n".join(lines))
    return folder


def test_tum(tum_folder, tmp_path):
    out = import_tum(tum_folder, tmp_path / "s")
    with Session(out) as session:
        assert len(session) == 3
        assert session.camera == tum.CAMERAS["freiburg3"]
        assert session.times_ns[0] == 0
        assert session.times_ns[2] == pytest.approx(100_000_000, abs=2000)
        assert [f.depth[0, 0] for f in session.frames()] == pytest.approx([1.0, 1.0002, 1.0006])
        x = session.poses("recorded").T_world_camera[:, 0, 3]
        np.testing.assert_allclose(x, 0.025304 + session.times_ns * 1e-9, atol=2e-6)  # interpolated
        np.testing.assert_array_equal(session.frame(0).color[..., ::-1], texture(0))  # PNG stays lossless
    assert check_session(out, deep=True).status is Status.GOOD


def test_tum_pairs_each_depth_image_once(tum_folder):
    (tum_folder / "depth.txt").write_text("1305031102.19 depth/0.png\n")
    pairs, _ = tum._pairs(tum_folder)
    assert len(pairs) == 1


def test_tum_without_ground_truth_or_with_holes_in_it(tum_folder, tmp_path):
    truth = tum_folder / "groundtruth.txt"
    lines = truth.read_text().splitlines()
    truth.write_text("\n".join(lines[:4] + lines[-3:]))
    with Session(import_tum(tum_folder, tmp_path / "holes")) as session:
        poses = session.poses("recorded")
        assert poses is None or len(poses.frame_ids) < 3
    truth.unlink()
    with Session(import_tum(tum_folder, tmp_path / "none")) as session:
        assert session.poses("recorded") is None


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("rgb.txt", None, "rgb.txt missing"),
        ("rgb.txt", "1.0 ../../../etc/passwd", "outside of its folder"),
        ("rgb.txt", "1.0", "outside of its folder"),
        ("rgb.txt", "soon rgb/0.png", "line 1 does not begin with a time"),
        ("rgb.txt", "99.0 rgb/0.png", "no colour and depth image"),
        ("rgb.txt", "1305031102.175304 rgb/missing.png", "cannot be read"),
        ("depth.txt", "", "no colour and depth image"),
        ("groundtruth.txt", "1.0 2 3", "no pose"),
        ("groundtruth.txt", "1.0 0 0 0 0 0 0 0", "no pose"),
    ],
)
def test_a_bad_tum_folder_is_one_clear_sentence_and_leaves_nothing(tum_folder, tmp_path, name, content, text):
    (tum_folder / name).unlink() if content is None else (tum_folder / name).write_text(content)
    with pytest.raises(DatasetError, match=text):
        import_tum(tum_folder, tmp_path / "s")
    assert {p.name for p in tmp_path.iterdir()} == {tum_folder.name}


def test_an_unknown_tum_camera_is_refused(tum_folder, tmp_path):
    with pytest.raises(DatasetError, match="Choose one of"):
        import_tum(tum_folder, tmp_path / "s", camera="freiburg9")


def test_tum_poses_are_the_files_own(tum_folder):
    (tum_folder / "groundtruth.txt").write_text("5.0 1 2 3 0 0 1 1\n6.0 1 2 3 0 0 1 1")
    ((t_ns, T), _) = tum._trajectory(tum_folder, 4_000_000_000)
    assert t_ns == 1_000_000_000
    np.testing.assert_allclose(T, from_vector(np.array([1, 2, 3, 0, 0, 1, 1.0])))
