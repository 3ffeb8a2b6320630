"""A simulated person who picks things up with the handheld gripper.

The person looks at an object from half a metre away, reaches for it, presses the button, feels the fingers hold, lifts,
carries, puts it down, lets go of the button and backs off. Each movement is a generator that yields what hand and thumb
do in each 2 ms. What the person knows of the world is where things are and what the fingers do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from digital_twin.demonstrator.grasps import Grasp, GraspPlanner
from digital_twin.demonstrator.handheld import HandheldWorld
from digital_twin.demonstrator.motion import Tremor, TremorConfig, approach, reach
from digital_twin.demonstrator.truth import LIFTED_M, AttemptTruth
from digital_twin.world.scene import TIMESTEP_S
from wildgrasp import rig
from wildgrasp.geometry import Array, pose, rotation_angle, so3_exp

HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])  # about the approach axis: the fingers change places
LOOKING_DOWN = pose(np.diag([1.0, -1.0, -1.0]))
AIMING = 0.15  # share of the slow sway that is left when the hand aims


@dataclass(frozen=True)
class PersonConfig:
    """Habits."""

    place: Literal["aside", "back"] = "back"  # back: where it was, so that one scene sees several grasps of it
    look_distance_m: tuple[float, float] = (0.45, 0.6)  # from the camera to the object, before the reach
    look_turn_rad: float = 0.3  # how differently from the grasp the gripper is held then
    speed_m_s: tuple[float, float] = (0.12, 0.28)  # mean speed of a reach
    bend_m: float = 0.05  # how far reaches bow
    lift_m: tuple[float, float] = (0.11, 0.18)
    miss_rate: float = 0.0  # of attempts: fingers close on air
    drop_rate: float = 0.0  # of attempts: the thumb slips off the button while carrying
    hesitation_rate: float = 0.2  # of reaches: stop before the object, then go on
    tremor: TremorConfig = field(default_factory=TremorConfig)


@dataclass(frozen=True)
class HandCommand:
    """What hand and thumb do now."""

    T_world_fingertip: Array  # [4, 4]
    button: bool
    phase: str  # look | approach | close | lift | carry | place | release | retreat | end


class Person:
    """Performs picks in a world; ``attempts`` fills with what really happens.

    ``try_again``: before every reach, try the planned grasp once more in a copy of the world as it is now. It costs
    some 50 ms of computing, so somebody who acts in real time does without.
    """

    def __init__(
        self, world: HandheldWorld, seed: int, config: PersonConfig | None = None, try_again: bool = True
    ) -> None:
        self.config = config or PersonConfig()
        self.attempts: list[AttemptTruth] = []
        self.planner = GraspPlanner(world, seed + 1)
        self._world = world
        self._rng = np.random.default_rng(seed)
        self._tremor = Tremor(self._rng, self.config.tremor)
        self._try_again = try_again
        self._known: list[Grasp] = []
        self._at = world.T_world_fingertip
        self._button, self._phase = False, "look"
        self._t_s, self._sway = 0.0, 1.0

    def plan(self, picks: int) -> int:
        """Think ahead: find verified grasps for as many picks as asked, the objects in turn; returns how many."""
        reachable = self._rng.permutation(self.planner.within_reach()).tolist()
        each = int(np.ceil(picks / max(1, len(reachable)))) + 1
        found = [self.planner.find(index, each) for index in reachable]
        self._known = [grasps[k] for k in range(each) for grasps in found if k < len(grasps)]
        return len(self._known)

    def perform(self, picks: int) -> Iterator[HandCommand]:
        """Look around, then pick until ``picks`` attempts are made or nothing more can be grasped."""
        if not self._known:
            self.plan(picks)
        yield from self._look_around()
        while len(self.attempts) < picks:
            grasp = self._choose()
            if grasp is None:
                break
            yield from self._pick(grasp)
        self._phase = "end"
        yield from self._rest(0.4)

    # --- what to pick ---

    def _choose(self) -> Grasp | None:
        """The next planned grasp that is still possible; when all are used up, a newly found one."""
        while self._known:
            grasp = self._known.pop(0)
            if self._possible(grasp):
                return grasp
        if self._try_again:
            for index in self._rng.permutation(self.planner.within_reach()).tolist():
                found = self.planner.find(index)
                if found:
                    return found[0]
        return None

    def _possible(self, grasp: Grasp) -> bool:
        if grasp.object_index not in self.planner.within_reach():
            return False
        T = self._pose_of(grasp)
        if not self.planner.is_free(T):
            return False
        return not self._try_again or self.planner.holds(grasp.object_index, T)

    def _pose_of(self, grasp: Grasp) -> Array:
        """T_world_fingertip of a grasp as its object lies now."""
        return self._world.object_poses()[grasp.object_index] @ grasp.T_object_fingertip

    # --- movements ---

    def _look_around(self) -> Iterator[HandCommand]:
        """From two places over the whole table, as one does who has just come in."""
        self._phase = "look"
        for distance in (0.66, 0.58):
            view = self._gaze(np.array([0.0, 0.0, 0.03]), LOOKING_DOWN, distance, turn=0.18)
            yield from self._travel(view)
        yield from self._rest(0.2)

    def _pick(self, grasp: Grasp) -> Iterator[HandCommand]:
        rng, config = self._rng, self.config
        T_grasp = self._nearest_turn(self._pose_of(grasp))
        misses, drops = rng.random(2) < (config.miss_rate, config.drop_rate)
        if misses:
            T_grasp = T_grasp @ pose(t=np.array([0.0, 0.0, -rng.uniform(0.06, 0.1)]))
        attempt = AttemptTruth(grasp.object_index)
        resting = self._heights()
        yield from self._reach_for(grasp.object_index, T_grasp)
        yield from self._close(attempt)
        yield from self._lift()
        risen = self._heights() - resting
        attempt.outcome = "empty"
        if risen.max() > LIFTED_M:
            attempt.object_index = int(np.argmax(risen))
            yield from self._carry(T_grasp, slips=bool(drops))
            carried = self._button and self._heights()[attempt.object_index] > resting[attempt.object_index] + 0.02
            attempt.outcome = "held" if carried else "dropped"
            yield from self._put_down(T_grasp)
        yield from self._open(attempt)
        self.attempts.append(attempt)
        yield from self._back_off()

    def _reach_for(self, object_index: int, T_grasp: Array) -> Iterator[HandCommand]:
        rng, config = self._rng, self.config
        self._phase = "look"
        target = self._world.object_poses()[object_index][:3, 3]
        look = self._gaze(target, T_grasp, rng.uniform(*config.look_distance_m), config.look_turn_rad)
        yield from self._travel(look)
        yield from self._rest(rng.uniform(0.05, 0.3))
        self._phase = "approach"
        distance = float(np.linalg.norm(T_grasp[:3, 3] - self._at[:3, 3]))
        seconds = max(0.8, distance / rng.uniform(*config.speed_m_s), self._turn_to(T_grasp) / 0.5)
        if rng.random() < config.hesitation_rate:
            stop = T_grasp @ pose(t=np.array([0.0, 0.0, -rng.uniform(0.1, 0.16)]))
            yield from self._follow(reach(self._at, stop, 0.8 * seconds, self._bend(distance)))
            yield from self._rest(rng.uniform(0.2, 0.5))
            yield from self._follow(reach(self._at, T_grasp, 0.8), aiming=True)
        else:
            path = approach(self._at, T_grasp, 0.095, self._bend(distance), seconds, turned_by=rng.uniform(0.6, 0.8))
            yield from self._follow(path, aiming=True)

    def _close(self, attempt: AttemptTruth) -> Iterator[HandCommand]:
        """Press, and wait until the fingers stand still."""
        self._phase = "close"
        attempt.t_press_ns = self._world.t_ns
        self._button = True
        yield from self._until(lambda: abs(self._world.opening_speed) < 2e-3, at_least_s=0.4, at_most_s=1.8)
        attempt.t_hold_ns = self._world.t_ns
        attempt.T_world_fingertip = self._world.T_world_fingertip
        attempt.width_m = self._world.opening
        yield from self._rest(0.1)

    def _lift(self) -> Iterator[HandCommand]:
        self._phase = "lift"
        up = self._at.copy()
        up[2, 3] += self._rng.uniform(*self.config.lift_m)
        yield from self._follow(reach(self._at, up, self._rng.uniform(0.6, 0.9)))

    def _carry(self, T_grasp: Array, slips: bool) -> Iterator[HandCommand]:
        """By a detour through the air to above where the object shall stand."""
        self._phase = "carry"
        rng = self._rng
        detour = pose(t=np.array([*rng.uniform(-0.06, 0.06, 2), rng.uniform(0.0, 0.04)])) @ self._at
        detour[:3, :3] = detour[:3, :3] @ so3_exp(rng.normal(size=3) * 0.1)
        yield from self._travel(detour)
        if slips:
            self._button = False
            yield from self._rest(0.5)
        above = T_grasp.copy()
        above[2, 3] += 0.06
        if self.config.place == "aside":
            above[:2, 3] = np.clip(above[:2, 3] + rng.uniform(-0.12, 0.12, 2), -0.28, 0.28)
        yield from self._travel(above)

    def _put_down(self, T_grasp: Array) -> Iterator[HandCommand]:
        self._phase = "place"
        down = self._at.copy()
        down[2, 3] = T_grasp[2, 3] + 0.004  # what slipped a little must not be pressed into the table
        yield from self._follow(reach(self._at, down, self._rng.uniform(0.5, 0.8)), aiming=True)

    def _open(self, attempt: AttemptTruth) -> Iterator[HandCommand]:
        self._phase = "release"
        attempt.t_release_ns = self._world.t_ns
        self._button = False
        yield from self._until(lambda: self._world.opening > 0.9 * rig.MAX_OPENING_M, at_least_s=0.2, at_most_s=1.5)

    def _back_off(self) -> Iterator[HandCommand]:
        self._phase = "retreat"
        back = self._at @ pose(t=np.array([0.0, 0.0, -self._rng.uniform(0.12, 0.2)]))
        yield from self._follow(reach(self._at, back, self._rng.uniform(0.5, 0.8)))

    def _travel(self, T: Array) -> Iterator[HandCommand]:
        """An unhurried reach through free space."""
        distance = float(np.linalg.norm(T[:3, 3] - self._at[:3, 3]))
        seconds = max(0.5, distance / 0.25, self._turn_to(T) / 0.75)
        yield from self._follow(reach(self._at, T, seconds, self._bend(distance)))

    # --- in steps of 2 ms ---

    def _follow(self, poses: Array, aiming: bool = False) -> Iterator[HandCommand]:
        for T in poses:
            self._at = T
            yield self._command(AIMING if aiming else 1.0)

    def _rest(self, seconds: float) -> Iterator[HandCommand]:
        for _ in range(round(seconds / TIMESTEP_S)):
            yield self._command(AIMING)

    def _until(self, done: Callable[[], bool], at_least_s: float, at_most_s: float) -> Iterator[HandCommand]:
        for k in range(round(at_most_s / TIMESTEP_S)):
            if k * TIMESTEP_S >= at_least_s and done():
                return
            yield self._command(AIMING)

    def _command(self, sway: float) -> HandCommand:
        self._t_s += TIMESTEP_S
        self._sway += (sway - self._sway) * TIMESTEP_S / 0.3  # attention changes gradually, or the hand would jump
        return HandCommand(self._at @ self._tremor.at(self._t_s, self._sway), self._button, self._phase)

    # --- geometry ---

    def _gaze(self, target: Array, T_like: Array, distance: float, turn: float) -> Array:
        """T_world_fingertip, turned a little from ``T_like``, whose camera looks at a point from a distance."""
        T_camera_fingertip = rig.NOMINAL_T_CAMERA_FINGERTIP
        R_fingertip_camera = rig.NOMINAL_T_FINGERTIP_CAMERA[:3, :3]
        for attempt in range(50):
            R = T_like[:3, :3] @ so3_exp(self._rng.normal(size=3) * turn * (1 - attempt / 50)) @ R_fingertip_camera
            ray = np.array([*self._rng.normal(size=2) * 0.08, 1.0])
            T_world_camera = pose(R, target - distance * (R @ ray) / np.linalg.norm(ray))
            T = T_world_camera @ T_camera_fingertip
            if T[2, 3] > 0.12 and T_world_camera[2, 3] > 0.25 and np.abs(T_world_camera[:2, 3]).max() < 0.8:
                break
        return T

    def _nearest_turn(self, T: Array) -> Array:
        """The same grasp, with the fingers exchanged where the hand then has to turn less."""
        return min((T, T @ HALF_TURN), key=self._turn_to)

    def _turn_to(self, T: Array) -> float:
        return float(rotation_angle(self._at[:3, :3].T @ T[:3, :3]))

    def _bend(self, distance: float) -> Array:
        bend = self._rng.normal(size=3) * self.config.bend_m * min(1.0, distance / 0.3)
        bend[2] = abs(bend[2])  # reaches bow upwards
        return bend

    def _heights(self) -> Array:
        return self._world.object_poses()[:, 2, 3]
