"""How the cost of fusion and of the views grows, as a picture and as a table for the guides.

    python -m benchmarks.growth [--plot FILE.png] [--json FILE]

CPU milliseconds of one image fused and of one step's views rendered, as ``benchmarks.fusion`` and ``benchmarks.views``
measure them; one thing is changed at a time. Keys: ``fusion`` and ``views``, each {axis: {value: CPU milliseconds}}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks import fusion, views
from benchmarks.table_scene import approach

Growth = dict[str, dict[str, float]]


def main(plot: Path | None = None, json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> None:
    """Measure and print; see the module's text."""
    observations = approach()
    results = {"fusion": fusion.growth(observations), "views": views.growth(observations)}
    print(table(results))
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1, ensure_ascii=False))
    if plot is not None:
        draw(results, plot)


def table(results: dict[str, Growth]) -> str:
    """A Markdown table."""
    lines = ["| what | grows with | CPU ms |", "|---|---|---|"]
    for what, growth in results.items():
        for axis, points in growth.items():
            lines.append(f"| {what} | {axis} | {', '.join(f'{value}: {ms:.1f}' for value, ms in points.items())} |")
    return "\n".join(lines)


def draw(results: dict[str, Growth], path: Path) -> None:
    """One small diagram for each axis, fusion above, views below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = max(len(growth) for growth in results.values())
    figure, axes = pyplot.subplots(len(results), columns, figsize=(3 * columns, 5), sharey="row", squeeze=False)
    for row, (what, growth) in zip(axes, results.items(), strict=True):
        for cell in row[len(growth) :]:
            cell.set_visible(False)
        for cell, (axis, points) in zip(row, growth.items(), strict=False):
            bars = cell.bar(list(points), list(points.values()), width=0.6, color="#2a6f97")
            cell.bar_label(bars, fmt="%.1f")
            cell.set_xlabel(axis)
            cell.margins(y=0.15)
        row[0].set_ylabel(f"{what}, CPU ms")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    tyro.cli(main)
