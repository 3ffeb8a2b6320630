"""The recordings on this device: new names, the trash, what was left over by a crash, and what a review shows."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture_app.app.picks import find_picks
from wildgrasp.errors import SessionError, UserError
from wildgrasp.sessions.annotate import annotate
from wildgrasp.sessions.cut import finish_cuts
from wildgrasp.sessions.layout import BLOB_FOLDER, FolderLock
from wildgrasp.sessions.names import new_session_path
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session

APP_FOLDER = ".app"  # beside the sessions: settings, queue, trash
THUMB = (640, 480)
HOLD_NS = 700_000_000  # after the press the fingers have closed: the picture that tells a pick


@dataclass(frozen=True, eq=False)
class PickPicture:
    t_press_ns: int
    at_s: float  # since the first frame
    picture: NDArray[np.uint8]  # RGB
    outcome: str  # one of picks.OUTCOMES, or "" while nobody said


@dataclass(frozen=True, eq=False)
class Review:
    """What a person sees of a recording."""

    path: Path
    duration_s: float
    picks: tuple[PickPicture, ...]
    cover: NDArray[np.uint8] | None  # a picture where there is no pick
    frames: int
    lost_frames: int
    camera_outages: int
    gripper_outages: int
    cuts: int
    rescued: bool  # its recording was cut off, and it was repaired
    disk_full: bool
    size_bytes: int


class AppLock:
    """Held by the one app that uses a folder of sessions. Raises UserError in a second one."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = (folder / "lock").open("a")
        except OSError as error:
            raise UserError(f"{folder} cannot be used ({error.strerror}). Choose another folder with --out.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UserError("WildGrasp is open already, on this screen or another one. Nothing was changed.") from None

    def release(self) -> None:
        self._file.close()


class Library:
    """A folder of sessions. Its methods touch the disk: call them on a background thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app_folder = folder / APP_FOLDER
        self._trash = self.app_folder / "trash"

    # --- at the start ---

    def rescue(self) -> list[Path]:
        """Repair what a crash left open, and finish or take back interrupted cuts; returns what was rescued.

        What cannot be repaired stays as it is.
        """
        finish_cuts(self.folder)
        rescued = []
        for path in self.sessions():
            try:
                with Session(path) as session:
                    if session.closed:
                        continue
            except SessionError:
                pass  # no index that can be read: a repair makes one
            try:
                FolderLock(path).release()
                repair_session(path)
            except SessionError:
                continue
            rescued.append(path)
        return rescued

    def sessions(self) -> list[Path]:
        """Every session, oldest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else []
        return sorted(p for p in found if not p.name.startswith(".") and (p / BLOB_FOLDER).is_dir())

    # --- names and trash ---

    def new_path(self, now: datetime) -> Path:
        """A name that nobody uses, nor one in the trash, which may come back."""
        return new_session_path(self.folder, now, self._trash)

    def discard(self, path: Path) -> None:
        """Move a session to the trash. Raises SessionError."""
        try:
            self._trash.mkdir(parents=True, exist_ok=True)
            path.rename(self._trash / path.name)
        except OSError as error:
            raise SessionError(f"{path.name} could not be discarded ({error.strerror}). It is still there.") from error

    def discarded(self) -> Path | None:
        """What would come back: the newest of the trash."""
        try:
            return max(self._trash.iterdir(), default=None)
        except FileNotFoundError:  # nothing was discarded yet, or it is being emptied at this moment
            return None

    def undo_discard(self) -> Path | None:
        """Bring back the newest of the trash; where it is now."""
        path = self.discarded()
        if path is None:
            return None
        back = self.folder / path.name
        path.rename(back)
        return back

    def empty_trash(self) -> None:
        """For good; a folder that cannot be deleted now is deleted the next time."""
        shutil.rmtree(self._trash, ignore_errors=True)

    # --- looking at one ---

    def review(self, path: Path) -> Review:
        """What a review shows. Raises SessionError."""
        with Session(path) as session:
            times = session.times_ns
            health = session.meta.get("health") if isinstance(session.meta.get("health"), dict) else {}
            said = _outcomes(session.meta.get("outcomes"))
            picks = []
            for pick in find_picks(session.events()) if len(session) else []:
                end_ns = pick.t_release_ns or int(times[-1])
                at = _nearest(times, min(pick.t_press_ns + HOLD_NS, (pick.t_press_ns + end_ns) // 2))
                outcome = said.get(pick.t_press_ns, "dropped" if pick.marked else "")
                since_s = (pick.t_press_ns - int(times[0])) * 1e-9
                picks.append(PickPicture(pick.t_press_ns, since_s, _thumb(session, at), outcome))
            gaps = session.gaps()
            return Review(
                path,
                float(times[-1] - times[0]) * 1e-9 if len(session) else 0.0,
                tuple(picks),
                _thumb(session, len(session) // 2) if len(session) else None,
                len(session),
                sum(gap.lost_frames for gap in gaps),
                sum(gap.source == "camera" and "no frames arrived" not in gap.reason for gap in gaps),
                sum(gap.source == "gripper" for gap in gaps),
                sum(gap.source == "person" for gap in gaps),
                session.meta.get("cut_off") is True,
                "disk" in str(health.get("ended_early", "")),
                folder_bytes(path),
            )

    def label(self, path: Path, outcomes: Iterable[tuple[int, str]]) -> None:
        """Keep the outcomes of picks, by the time of their press. Raises SessionError."""
        annotate(path, "outcomes", [{"t_press_ns": t, "outcome": outcome} for t, outcome in outcomes if outcome])


class Scrubber:
    """Frames of a session by time, for choosing what to cut."""

    def __init__(self, path: Path) -> None:
        self._session = Session(path, check_same_thread=False)
        self.times_ns = self._session.times_ns

    def picture(self, t_ns: int) -> NDArray[np.uint8]:
        """The picture [H, W, 3] nearest to a time. Raises SessionError."""
        return _thumb(self._session, _nearest(self.times_ns, t_ns))

    def close(self) -> None:
        self._session.close()


def folder_bytes(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())


def _outcomes(value: Any) -> dict[int, str]:
    rows = value if isinstance(value, list) else []
    return {
        row["t_press_ns"]: row["outcome"]
        for row in rows
        if isinstance(row, dict) and {"t_press_ns", "outcome"} <= row.keys()
    }


def _nearest(times_ns: NDArray[np.int64], t_ns: int) -> int:
    return int(np.argmin(np.abs(times_ns - t_ns)))


def _thumb(session: Session, index: int) -> NDArray[np.uint8]:
    return cv2.resize(session.frame(index).color, THUMB, interpolation=cv2.INTER_AREA)
