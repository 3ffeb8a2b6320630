"""From the button to picks, as the person sees them: one press, one pick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wildgrasp.sessions.events import GripperEvent

OUTCOMES = ("held", "empty", "dropped")
BOUNCE_NS = 350_000_000  # open for less than this between two presses: one pick with a restless thumb


@dataclass(frozen=True)
class Pick:
    t_press_ns: int
    t_release_ns: int | None  # None: still pressed
    marked: bool  # the person tapped "that one failed" after it


def find_picks(events: Sequence[GripperEvent]) -> list[Pick]:
    """Picks in order. Events may come in any order; a release without a press belongs to none."""
    picks: list[Pick] = []
    for event in sorted(events, key=lambda e: e.t_ns):
        last = picks[-1] if picks else None
        if event.kind == "press" and (last is None or last.t_release_ns is not None):
            if last is not None and event.t_ns - last.t_release_ns < BOUNCE_NS:
                picks[-1] = Pick(last.t_press_ns, None, last.marked)
            else:
                picks.append(Pick(event.t_ns, None, False))
        elif event.kind == "release" and last is not None and last.t_release_ns is None:
            picks[-1] = Pick(last.t_press_ns, event.t_ns, last.marked)
        elif event.kind == "mark" and last is not None:
            picks[-1] = Pick(last.t_press_ns, last.t_release_ns, True)
    return picks
