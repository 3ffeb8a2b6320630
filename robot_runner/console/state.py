"""All that the console's window shows, but for pictures, as one value; and how a message changes it. No Qt in here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from robot_runner.console import words
from robot_runner.console.margins import Margin
from robot_runner.console.messages import Choices, Outcome, Phase, Progress, RunEnded, SceneShown, Status


@dataclass(frozen=True)
class ConsoleState:
    status: Status = field(default_factory=lambda: Status(Phase.CONNECTING))
    progress: Progress | None = None
    choices: Choices = field(default_factory=lambda: Choices((), ()))
    policy: str = ""
    scene: str = ""
    episodes: int = 5
    speed_percent: int = 100
    confirmed: tuple[bool, ...] = ()  # recovery steps, in order
    outcomes: tuple[Outcome, ...] = ()  # oldest first
    run: str = ""  # the present or last run
    note: str = ""  # of the last run's end
    in_front: bool = True  # the window hears the space bar

    # --- what follows from it ---

    @property
    def phase(self) -> Phase:
        return self.status.phase

    @property
    def words(self) -> words.Words:
        return words.CAUSES[self.status.cause] if self.attention else words.PHASES[self.phase]

    @property
    def attention(self) -> bool:
        return self.phase is Phase.ATTENTION and self.status.cause is not None

    @property
    def active(self) -> bool:
        """A run is on: the arm may move."""
        return self.phase in (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)

    @property
    def tone(self) -> str:
        """calm, moving, warn or bad: colour is for what is not normal."""
        if self.attention:
            return "bad"
        return {Phase.RUNNING: "moving", Phase.PAUSED: "warn", Phase.STOPPING: "warn"}.get(self.phase, "calm")

    @property
    def detail(self) -> str:
        """The line below the big state."""
        if self.attention:
            return self.status.text or self.words.meaning
        p = self.progress
        if self.active and p is not None:
            where = f"grasp {p.episode} of {p.episodes}"
            doing = words.STATES.get(p.state, p.state)
            return f"{where} · {doing}" + (f" · step {p.step}" if p.step else "")
        return self.status.text or (self.note if self.phase is Phase.READY and self.note else self.words.meaning)

    @property
    def can_start(self) -> bool:
        return self.phase is Phase.READY and bool(self.policy) and bool(self.scene)

    @property
    def can_pause(self) -> bool:
        return self.phase in (Phase.RUNNING, Phase.PAUSED)

    @property
    def can_recover(self) -> bool:
        return self.attention and len(self.confirmed) > 0 and all(self.confirmed)

    @property
    def shown_scene(self) -> SceneShown | None:
        return next((s for s in self.choices.scenes if s.name == self.scene), None)

    @property
    def margins(self) -> tuple[Margin, ...]:
        return self.status.joints + self.status.workspace

    @property
    def rate(self) -> str:
        """Successes of this run, and of all."""
        here = [o for o in self.outcomes if o.run == self.run]
        return "\n".join(t for t in (_rate("this run", here), _rate("all runs here", self.outcomes)) if t)


def _rate(name: str, outcomes: list[Outcome] | tuple[Outcome, ...]) -> str:
    if not outcomes:
        return ""
    good = sum(o.success for o in outcomes)
    return f"{good} of {len(outcomes)} = {100 * good / len(outcomes):.0f} % · {name}"


def told(state: ConsoleState, message: object) -> ConsoleState:
    """The state after a message from the runner; unchanged by pictures."""
    match message:
        case Status():
            after = replace(state, status=message)
            if message.cause is not state.status.cause or message.phase is not state.phase:
                steps = after.words.steps if after.attention else ()
                after = replace(after, confirmed=(False,) * len(steps))
            return after
        case Progress():
            return replace(state, progress=message, note="")
        case Choices(policies, scenes):
            names = [s.name for s in scenes]
            policy = state.policy if state.policy in policies else next(iter(policies), "")
            scene = state.scene if state.scene in names else next(iter(names), "")
            return replace(state, choices=message, policy=policy, scene=scene)
        case Outcome(run):
            return replace(state, outcomes=(*state.outcomes, message), run=run)
        case RunEnded(run, text):
            return replace(state, note=f"{text[:1].upper()}{text[1:]}.".replace("..", "."), run=run, progress=None)
    return state
