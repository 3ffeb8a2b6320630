"""Objects from a folder of meshes: .obj, .stl or .ply in metres, as convex pieces that contact works on.

Convex meshes are taken as they are. Others are decomposed by CoACD, so that handles and hollows stay open; that takes
seconds per mesh, so the pieces are cached by the file's content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import coacd
import mujoco
import numpy as np
import trimesh

from digital_twin.world import textures
from digital_twin.world.objects import OBJECT_GROUP, add_material, add_texture, quaternion
from wildgrasp.errors import UserError
from wildgrasp.geometry import Array
from wildgrasp.rig import MAX_OPENING_M

SUFFIXES = (".obj", ".stl", ".ply")
DENSITY_KG_M3 = 300.0  # household things are mostly hollow
MIN_CLEARANCE_M = 0.005  # between the open pads and an object that still counts as graspable


@dataclass(frozen=True)
class MeshObject:
    """One object; its pieces are convex and share the object's frame, which is centred on its bounding box."""

    name: str
    pieces: tuple[tuple[Array, Array], ...]  # vertices [V, 3] in metres, triangles [F, 3]
    width_m: float  # the narrowest distance between two parallel planes that hold it

    @property
    def graspable(self) -> bool:
        return self.width_m <= MAX_OPENING_M - MIN_CLEARANCE_M


@dataclass(frozen=True)
class MeshLibrary:
    """What a folder holds."""

    objects: tuple[MeshObject, ...]  # those that the gripper can take
    too_wide: tuple[str, ...]
    unreadable: tuple[str, ...]  # name and reason


def load_meshes(
    folder: Path,
    scale: float = 1.0,
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> MeshLibrary:
    """All meshes below a folder. Raises UserError when there is none that the gripper could take."""
    folder = Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder} holds no meshes. Give a folder with {', '.join(SUFFIXES)} files.")
    objects, unreadable = [], []
    for number, path in enumerate(files):
        progress(number, len(files))
        name = path.relative_to(folder).with_suffix("").as_posix()
        try:
            objects.append(_load(path, name, scale, cache or default_cache()))
        except (ValueError, IndexError, KeyError, OSError, TypeError, AttributeError) as error:
            unreadable.append(f"{name}: {error}")
    usable = tuple(thing for thing in objects if thing.graspable)
    too_wide = tuple(thing.name for thing in objects if not thing.graspable)
    if not usable:
        raise UserError(
            f"None of the {len(files)} meshes in {folder} can be grasped: {len(too_wide)} are wider than the gripper "
            f"opens ({MAX_OPENING_M * 1e3:.0f} mm) in every direction, {len(unreadable)} cannot be read. Meshes are in "
            "metres; give a scale if they are not."
        )
    return MeshLibrary(usable, too_wide, tuple(unreadable))


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wildgrasp" / "meshes"


def add_mesh_object(
    spec: mujoco.MjSpec, thing: MeshObject, name: str, T_world_object: Array, rng: np.random.Generator
) -> None:
    """Add a free body with one geom per piece; friction 0.3 … 0.8 and colour are drawn from the generator."""
    friction = float(rng.uniform(0.3, 0.8))
    add_texture(spec, name, textures.cube(rng, textures.speckled, 96), mujoco.mjtTexture.mjTEXTURE_CUBE)
    add_material(spec, name)
    body = spec.worldbody.add_body(name=name, pos=T_world_object[:3, 3], quat=quaternion(T_world_object))
    body.add_freejoint(name=name)
    for k, (vertices, triangles) in enumerate(thing.pieces):
        mesh = f"{name}/{k}"
        spec.add_mesh(
            name=mesh,
            uservert=vertices.ravel(),
            userface=triangles.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
        )
        body.add_geom(
            name=mesh,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=mesh,
            density=DENSITY_KG_M3,
            material=name,
            group=OBJECT_GROUP,
            condim=6,
            friction=[friction, 0.01, 0.002],
            solref=[0.004, 1.0],
            solimp=[0.95, 0.99, 0.001, 0.5, 2.0],
        )


def narrowest_width(vertices: Array, directions: int = 500) -> float:
    """Smallest extent in metres of points [V, 3], over evenly spread directions (at most about 1 % too large)."""
    k = np.arange(directions) + 0.5
    z = 1 - k / directions  # the upper half of a Fibonacci sphere: a direction and its opposite are one
    radius, angle = np.sqrt(1 - z * z), np.pi * (1 + np.sqrt(5)) * k
    along = vertices @ np.stack([radius * np.cos(angle), radius * np.sin(angle), z])
    return float((along.max(axis=0) - along.min(axis=0)).min())


def _load(path: Path, name: str, scale: float, cache: Path) -> MeshObject:
    content = path.read_bytes()
    mesh = trimesh.load(path, force="mesh", process=False)
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    if len(vertices) < 4 or not np.isfinite(vertices).all():
        raise ValueError("it has fewer than four points, or points that are not finite")
    center = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    mesh.merge_vertices()  # .stl repeats them, so that nothing of it is closed
    pieces = tuple(((v - center) * scale, f) for v, f in _pieces(mesh, content, cache))
    return MeshObject(name, pieces, narrowest_width((vertices - center) * scale))


def _pieces(mesh: trimesh.Trimesh, content: bytes, cache: Path) -> list[tuple[Array, Array]]:
    """Convex pieces in the mesh's own units."""
    hull = mesh.convex_hull
    if mesh.is_watertight and mesh.volume > _NEARLY_CONVEX * hull.volume:
        return [(np.asarray(hull.vertices), np.asarray(hull.faces))]
    stored = cache / f"{hashlib.sha256(content).hexdigest()[:32]}.npz"
    if not stored.exists():
        coacd.set_log_level("error")
        _store(stored, coacd.run_coacd(coacd.Mesh(mesh.vertices, mesh.faces), threshold=0.05))
    with np.load(stored) as arrays:
        return [(arrays[f"v{k}"], arrays[f"f{k}"]) for k in range(len(arrays.files) // 2)]


_NEARLY_CONVEX = 0.98  # of the hull's volume


def _store(path: Path, pieces: list[tuple[Array, Array]]) -> None:
    """Written beside and renamed, so that a parallel or interrupted run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp.npz")
    arrays = {}
    for k, (vertices, triangles) in enumerate(pieces):
        arrays[f"v{k}"], arrays[f"f{k}"] = vertices, triangles
    np.savez(beside, **arrays)
    beside.replace(path)
