"""Verbs of the ground floor: import, check, repair."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from wildgrasp.sessions.check import CheckReport, Status, check_session
from wildgrasp.sessions.repair import repair_session

SESSIONS = Path("sessions")


def import_seven_scenes(folder: tyro.conf.Positional[Path], out: Path | None = None) -> None:
    """Turn a 7-Scenes recording into a session.

    Args:
        folder: the folder that holds frame-NNNNNN.color.*, .depth.png and .pose.txt.
        out: the session's folder; default: sessions/NAME-OF-THE-FOLDER.
    """
    from wildgrasp.importers.seven_scenes import import_7scenes

    _imported(import_7scenes(folder, out or _default_out(folder)))


def import_tum_rgbd(
    folder: tyro.conf.Positional[Path],
    out: Path | None = None,
    camera: Literal["", "freiburg1", "freiburg2", "freiburg3", "ros"] = "",
) -> None:
    """Turn a TUM RGB-D recording into a session.

    Args:
        folder: the folder that holds rgb.txt and depth.txt.
        out: the session's folder; default: sessions/NAME-OF-THE-FOLDER.
        camera: whose calibration to use; default: as the folder's name says.
    """
    from wildgrasp.importers.tum import import_tum

    _imported(import_tum(folder, out or _default_out(folder), camera))


def import_realsense_file(file: tyro.conf.Positional[Path], out: Path | None = None) -> None:
    """Turn a recording of Intel's own tools (.bag or .db3) into a session, depth aligned to colour.

    Args:
        file: the recording.
        out: the session's folder; default: sessions/NAME-OF-THE-FILE.
    """
    from wildgrasp.importers.realsense import import_realsense

    _imported(import_realsense(file, out or _default_out(file.with_suffix(""))))


def check(
    session: tyro.conf.Positional[Path],
    deep: bool = False,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> int:
    """Is a session whole? Exit code 0: good, 3: repairable, 1: broken. Nothing is changed.

    Args:
        session: the session's folder.
        deep: decode every image too.
        json_file: where to write what was found.
    """
    with _bar("Checking", session) as progress:
        report = check_session(session, deep, progress)
    if json_file is not None:
        json_file.write_text(json.dumps(check_figures(report), indent=2))
    print("\n".join(check_lines(report)))
    return int(report.status)


def repair(session: tyro.conf.Positional[Path]) -> None:
    """Rebuild a session's index from its recorded data. The data is never changed; the old index is kept beside it.

    Args:
        session: the session's folder.
    """
    with _bar("Reading", session) as progress:
        report = repair_session(session, progress)
    print(f"{report.path}: {report.frames} frames are in the index now ({report.frames_in_old_index} before).")
    if report.lost_frames or report.damaged_bytes:
        print(f"  {report.damaged_bytes} bytes are damaged; {report.lost_frames} frames are lost with them.")
    if report.kept is not None:
        print(f"  The index of before is kept in {report.kept}.")


def check_lines(report: CheckReport) -> list[str]:
    """The report as plain lines: the verdict first."""
    verdict = {
        Status.GOOD: "good",
        Status.REPAIRABLE: f"repairable; run `wildgrasp repair {report.path}`",
        Status.BROKEN: "broken",
    }[report.status]
    held = f"{report.frames} frames in {report.duration_s:.1f} s, {report.events} events"
    return [f"{report.path}: {verdict}", f"  {held}, {report.servo_samples} servo samples"] + [
        f"  {finding.text}" for finding in report.findings
    ]


def check_figures(report: CheckReport) -> dict[str, Any]:
    """The report as JSON values."""
    findings = [{"status": finding.status.name.lower(), "text": finding.text} for finding in report.findings]
    figures = ("frames", "events", "servo_samples", "duration_s")
    return {"status": report.status.name.lower(), **{n: getattr(report, n) for n in figures}, "findings": findings}


def _default_out(folder: Path) -> Path:
    SESSIONS.mkdir(exist_ok=True)
    return SESSIONS / folder.resolve().name


def _imported(session: Path) -> None:
    print("\n".join(check_lines(check_session(session))))


@contextmanager
def _bar(text: str, session: Path) -> Iterator[Callable[[int], None]]:
    blobs = session / "blobs"
    total = sum(file.lstat().st_size for file in blobs.glob("*.wgb")) if blobs.is_dir() else 0
    columns = (TextColumn(text), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda amount: progress.advance(task, amount)
