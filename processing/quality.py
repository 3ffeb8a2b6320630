"""Can a processed session be trusted? One verdict with its reasons, from what the steps and the recorder reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wildgrasp.sessions.session import Session

Verdict = Literal["good", "partly", "bad"]

LOST_SHARE_BAD = 0.5  # with more frames lost than this, what is left is not worth keeping
LOST_SHARE_GOOD = 0.02
SIGMA_GOOD_MM = 2.0  # the tracker's own estimate of a position's error
MISSING_SHARE_GOOD = 0.02  # frames that the camera owed and the session does not have


@dataclass(frozen=True)
class Quality:
    """What a table of many sessions shows of one."""

    verdict: Verdict
    reasons: tuple[str, ...]  # empty when all is well
    missing_frames: int  # of the recording, as its gaps say


def judge(session: Session, steps: Mapping[str, dict[str, Any]], attempts: Sequence[Mapping[str, Any]]) -> Quality:
    """Verdict of a session.

    steps: reports of the steps by name. attempts: rows of the attempts table.
    bad: nothing can be learned from it; partly: look at the reasons before using it.
    """
    frames = max(len(session), 1)
    tracking = steps["tracking"]
    lost = tracking["lost_frames"] / frames
    usable = [a for a in attempts if a["outcome"] == "held" and a["gx"] is not None]
    missing = sum(gap.lost_frames for gap in session.gaps())
    bad, partly = [], []
    if lost > LOST_SHARE_BAD:
        bad.append(f"tracking lost {lost:.0%} of the frames")
    elif lost > LOST_SHARE_GOOD:
        partly.append(f"tracking lost {lost:.0%} of the frames")
    if (tracking["sigma_mm_median"] or 0.0) > SIGMA_GOOD_MM:
        partly.append(f"positions are uncertain by {tracking['sigma_mm_median']:.1f} mm")
    if session.T_camera_fingertip is not None:
        if not attempts:
            bad.append("the button was never pressed")
        elif not usable:
            bad.append(f"none of {_count(len(attempts), 'attempt')} held something")
        broken = [a for a in usable if a["tracking"] != "ok"]
        if broken:
            partly.append(f"{_count(len(broken), 'held attempt')} with gaps in tracking")
        nothing = [o["attempt"] + 1 for o in steps["masks"]["objects"] if not o["pixels"] and _held(attempts, o)]
        if nothing:
            partly.append(f"no object mask in attempt {', '.join(map(str, nothing))}")
    if missing > MISSING_SHARE_GOOD * frames:
        partly.append(f"{_count(missing, 'frame')} missing in the recording")
    if not session.closed:
        partly.append("the recording was cut off")
    return Quality("bad" if bad else "partly" if partly else "good", (*bad, *partly), missing)


def _held(attempts: Sequence[Mapping[str, Any]], mask: Mapping[str, Any]) -> bool:
    return any(a["id"] == mask["attempt"] + 1 and a["outcome"] == "held" for a in attempts)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"
