"""Many processed sessions in one table: on the terminal, and as a page that sorts and leads to each report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from rich.markup import escape
from rich.table import Table

from processing.pipeline import ProcessReport
from processing.report import THUMBNAIL_NAME
from processing.scale.s3 import SCHEME, Prefix, Store

VERDICT_STYLE = {"good": "green", "partly": "yellow", "bad": "red"}


def overview_table(reports: Sequence[ProcessReport]) -> Table:
    """One row a session, the worst first."""
    table = Table(title="Processed")
    numbers = ("minutes", "lost", "frames/s")
    for heading in ("session", "verdict", "minutes", "attempts", "lost", "frames/s", "why"):
        table.add_column(heading, justify="right" if heading in numbers else "left")
    for r in sorted(reports, key=lambda r: (-_badness(r), r.path)):
        attempts = ", ".join(f"{n} {outcome}" for outcome, n in r.attempts.items()) or "one clip"
        seconds = sum(r.seconds.values())
        rate = f"{r.frames / seconds:.0f}" if seconds > 0.05 else "done before"
        verdict = f"[{VERDICT_STYLE[r.verdict]}]{r.verdict}[/]"
        why = escape("; ".join(r.reasons))
        table.add_row(
            escape(_name(r.path)), verdict, f"{r.duration_s / 60:.1f}", attempts, str(r.lost_frames), rate, why
        )
    return table


def write_overview(place: str, reports: Sequence[ProcessReport], set_aside: Mapping[str, str]) -> str:
    """Write the page to a file or an S3 address, whole or not at all; returns where it is."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("processing", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    base = place.rpartition("/")[0]
    page = environment.get_template("overview.html.j2").render(
        rows=[_row(r, base) for r in sorted(reports, key=lambda r: (-_badness(r), r.path))],
        set_aside=[{"name": _name(path), "path": path, "reason": reason} for path, reason in set_aside.items()],
        hours=sum(r.duration_s for r in reports) / 3600,
        verdicts={v: sum(r.verdict == v for r in reports) for v in ("good", "partly", "bad")},
        held=sum(r.attempts.get("held", 0) for r in reports),
        tried=sum(sum(r.attempts.values()) for r in reports),
    )
    if place.startswith(SCHEME):
        Store().write(Prefix.parse(place), page.encode(), "text/html")
        return place
    path = Path(place)
    part = path.with_name(f".{path.name}.part")
    part.write_text(page, encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105
    return str(path)


def _row(report: ProcessReport, base: str) -> dict[str, Any]:
    return {
        **report.as_json(),
        "name": _name(report.path),
        "badness": _badness(report),
        "link": _relative(report.report, base),
        "thumbnail": _relative(f"{report.report.rpartition('/')[0]}/{THUMBNAIL_NAME}", base),
        "held": report.attempts.get("held", 0),
        "tried": sum(report.attempts.values()),
        "rate": report.frames / max(sum(report.seconds.values()), 1e-9) if report.seconds else None,
    }


def _badness(report: ProcessReport) -> int:
    return ("good", "partly", "bad").index(report.verdict)


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _relative(address: str, base: str) -> str:
    """A link that still works when the folder (or prefix) is moved, where the page stands in it."""
    if address.startswith(SCHEME) != base.startswith(SCHEME):
        return address
    if address.startswith(SCHEME):
        return address.removeprefix(f"{base}/")
    return os.path.relpath(address, base or ".")
