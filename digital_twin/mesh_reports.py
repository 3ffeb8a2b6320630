"""What the verbs say of a folder of meshes."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from digital_twin.world.cell_meshes import MeshLibrary, load_meshes


def read_meshes(objects: Path, scale: float, console: Console) -> MeshLibrary:
    """Read the meshes here first: decomposing new ones takes seconds each, and the workers then find the pieces."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading meshes")
        return load_meshes(objects, scale, progress=lambda done, of: progress.update(task, completed=done, total=of))


def report_meshes(library: MeshLibrary, console: Console) -> None:
    """How many objects there are, and what was left out, with the reason."""
    console.print(f"{len(library.objects)} objects from meshes")
    for name in library.too_wide:
        console.print(f"left out: {name} is wider than the gripper opens, in every direction")
    for reason in library.unreadable:
        console.print(f"left out: {reason}")
