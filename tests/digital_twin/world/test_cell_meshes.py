"""Meshes from a folder become graspable objects, or are reported."""

import mujoco
import numpy as np
import pytest
import trimesh
from scipy.spatial import Delaunay

from digital_twin.world.cell_meshes import load_meshes, narrowest_width
from digital_twin.world.cell_piles import PileSettings
from digital_twin.world.robot_cell import CellSettings, RobotCell
from wildgrasp.errors import UserError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kitchen").mkdir()
    trimesh.creation.box((0.03, 0.05, 0.2)).export(tmp_path / "kitchen" / "bar.obj")
    trimesh.creation.icosphere(radius=0.03).export(tmp_path / "ball.stl")
    trimesh.creation.cylinder(0.02, 0.1).export(tmp_path / "tin.ply")
    trimesh.creation.box((0.2, 0.2, 0.2)).export(tmp_path / "crate.obj")
    (tmp_path / "broken.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\n")
    (tmp_path / "empty.stl").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a mesh")
    return tmp_path


def test_reads_every_format_and_reports_the_rest(folder, tmp_path):
    library = load_meshes(folder, cache=tmp_path / "cache")
    assert [thing.name for thing in library.objects] == ["ball", "kitchen/bar", "tin"]
    assert library.too_wide == ("crate",)
    assert {reason.split(":")[0] for reason in library.unreadable} == {"broken", "empty"}
    widths = {thing.name: thing.width_m for thing in library.objects}
    assert widths["kitchen/bar"] == pytest.approx(0.03, rel=0.15)
    assert widths["ball"] == pytest.approx(0.06, rel=0.02)


def test_scale_turns_millimetres_into_metres(tmp_path):
    trimesh.creation.box((30, 50, 80)).export(tmp_path / "part.stl")
    with pytest.raises(UserError, match="wider than the gripper"):
        load_meshes(tmp_path)
    (thing,) = load_meshes(tmp_path, scale=1e-3).objects
    vertices = np.concatenate([v for v, _ in thing.pieces])
    assert np.allclose(np.ptp(vertices, axis=0), [0.03, 0.05, 0.08])
    assert np.allclose(vertices.max(axis=0) + vertices.min(axis=0), 0)


@pytest.mark.parametrize("sides", [(0.02, 0.05, 0.07), (0.1, 0.1, 0.04)])
def test_narrowest_width_is_never_too_small_and_nearly_right(sides):
    corners = np.array(np.meshgrid(*[(-s / 2, s / 2) for s in sides])).reshape(3, -1).T
    assert min(sides) - 1e-12 <= narrowest_width(corners) <= min(sides) + 0.006


def test_a_folder_without_meshes_is_an_error_with_a_way_out(tmp_path):
    with pytest.raises(UserError, match="obj"):
        load_meshes(tmp_path)


def test_a_pile_of_meshes_comes_to_rest_on_the_table(folder):
    cell = RobotCell(CellSettings(seed=2, pile=PileSettings(objects=(4, 4), meshes=folder)))
    assert set(cell.object_kinds.values()) <= {"ball", "kitchen/bar", "tin"}
    assert len(cell.objects()) >= 3
    heights = [T[2, 3] for T in cell.objects().values()]
    for _ in range(50):
        mujoco.mj_step(cell.model, cell.data)
    assert np.allclose([T[2, 3] for T in cell.objects().values()], heights, atol=0.01)


def cup() -> trimesh.Trimesh:
    """Upright, 80 mm high and wide, 6 mm walls, closed below."""
    radii, heights = [0.0, 0.04, 0.04, 0.034, 0.034, 0.0], [0.0, 0.0, 0.08, 0.08, 0.006, 0.006]
    return trimesh.creation.revolve(np.column_stack([radii, heights]), sections=24)


def inside_any(thing, point) -> bool:
    return any(Delaunay(vertices).find_simplex(point) >= 0 for vertices, _ in thing.pieces)


def test_a_cup_stays_hollow_and_its_pieces_are_found_again(tmp_path):
    cup().export(tmp_path / "cup.stl")
    (thing,) = load_meshes(tmp_path, cache=tmp_path / "cache").objects
    assert not inside_any(thing, [0.0, 0.0, 0.02])
    assert inside_any(thing, [0.037, 0.0, 0.0])
    stored = list((tmp_path / "cache").iterdir())
    assert len(stored) == 1
    (again,) = load_meshes(tmp_path, cache=tmp_path / "cache").objects
    assert all(
        np.array_equal(a, b) for p, q in zip(thing.pieces, again.pieces, strict=True) for a, b in zip(p, q, strict=True)
    )
