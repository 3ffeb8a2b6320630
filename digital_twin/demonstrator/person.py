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

from digital_twin.demonstrator.gaze import gaze, nearest_turn
from digital_twin.demonstrator.grasps import Grasp, GraspPlanner
from digital_twin.demonstrator.handheld import HandheldWorld
from digital_twin.demonstrator.motion import Tremor, TremorConfig, approach, reach
from digital_twin.demonstrator.truth import LIFTED_M, AttemptTruth
from digital_twin.world.scene import TIMESTEP_S
from wildgrasp import rig
from wildgrasp.geometry import Array, pose, rotation_angle, so3_exp

SLIPPED_M = 0.04  # from the fingertips, an object is not held any more; swinging between them does not count
AIMING = 0.15  # share of the slow sway that is left when the hand aims


@dataclass(frozen=True)
class PersonConfig:
    """Habits."""

    place: Literal["aside", "back"] = "back"  # back: where it was, so that one scene sees several grasps of it
    look_distance_m: tuple[float, float] = (0.45, 0.6)  # from the camera to the object, before the reach
    look_turn_rad: float = 0.3  # how differently from the grasp the gripper is held then
    speed_m_s: tuple[float, float] = (0.1, 0.4)  # mean speed of a reach
    travel_m_s: tuple[float, float] = (0.2, 0.4)  # and of a movement through the air
    bend_m: float = 0.05  # how far reaches bow
    vigour: tuple[float, float] = (0.75, 1.25)  # how far things are lifted, as a share of what the workplace asks for
    miss_rate: float = 0.0  # of attempts: fingers close on air
    drop_rate: float = 0.0  # of attempts: the thumb slips off the button while carrying
    retry_rate: float = 0.7  # of failed attempts: reach for the same object again at once
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
        self._world, self._workplace = world, world.workplace
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
        grasp, again = self._choose(), False
        while grasp is not None and len(self.attempts) < picks:
            yield from self._pick(grasp, again)
            again = self._tries_again(grasp)
            if not again:
                grasp = self._choose()
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

    def _tries_again(self, grasp: Grasp) -> bool:
        """Whether a grasp that has just failed is tried once more from close by."""
        failed = self.attempts[-1].outcome == "empty"
        return failed and self._rng.random() < self.config.retry_rate and self._possible(grasp)

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
        """From two places over the whole workplace, as one does who has just come in."""
        self._phase = "look"
        like = pose(self._workplace.R_looking)
        for distance in (0.66, 0.58):
            yield from self._travel(self._gaze(np.array(self._workplace.middle), like, distance, turn=0.18))
        yield from self._rest(0.2)

    def _pick(self, grasp: Grasp, again: bool) -> Iterator[HandCommand]:
        """One attempt; ``again``: from close by, where the last one has failed."""
        rng, config = self._rng, self.config
        T_grasp = self._nearest_turn(self._pose_of(grasp))
        misses, drops = rng.random(2) < (config.miss_rate, config.drop_rate)
        if misses:
            T_grasp = T_grasp @ pose(t=np.array([0.0, 0.0, -rng.uniform(0.06, 0.1)]))
        attempt = AttemptTruth(grasp.object_index)
        resting = self._positions()
        yield from self._reach_for(grasp.object_index, T_grasp, again)
        yield from self._close(attempt)
        in_hand = self._distances()
        ways = [np.array(way) * rng.uniform(*config.vigour) for way in self._workplace.way_out]
        yield from self._take_out(ways)
        attempt.outcome = "empty"
        taken = self._taken_along(resting, in_hand)
        if taken is not None:
            attempt.object_index = taken
            yield from self._carry(T_grasp, ways, slips=bool(drops))
            carried = self._button and abs(self._distances() - in_hand)[taken] < SLIPPED_M
            attempt.outcome = "held" if carried else "dropped"
            yield from self._put_down(T_grasp, ways, taken)
        yield from self._open(attempt)
        self.attempts.append(attempt)
        yield from self._back_off()

    def _reach_for(self, object_index: int, T_grasp: Array, again: bool) -> Iterator[HandCommand]:
        rng, config = self._rng, self.config
        if not again:
            self._phase = "look"
            target = self._world.object_poses()[object_index][:3, 3]
            look = self._gaze(target, T_grasp, rng.uniform(*config.look_distance_m), config.look_turn_rad)
            yield from self._travel(look)
            yield from self._rest(rng.uniform(0.05, 0.3))
        self._phase = "approach"
        distance = float(np.linalg.norm(T_grasp[:3, 3] - self._at[:3, 3]))
        seconds = max(0.6, distance / rng.uniform(*config.speed_m_s), self._turn_to(T_grasp) / 0.5)
        straight = self._workplace.straight_m
        if rng.random() < config.hesitation_rate:
            stop = T_grasp @ pose(t=np.array([0.0, 0.0, -straight - rng.uniform(0.01, 0.06)]))
            yield from self._follow(reach(self._at, stop, 0.8 * seconds, self._bend(distance)))
            yield from self._rest(rng.uniform(0.2, 0.5))
            yield from self._follow(reach(self._at, T_grasp, 0.8), aiming=True)
        else:
            path = approach(self._at, T_grasp, straight, self._bend(distance), seconds, turned_by=rng.uniform(0.6, 0.8))
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

    def _take_out(self, ways: list[Array]) -> Iterator[HandCommand]:
        """Up from a table; from a shelf, a little up and then towards oneself."""
        self._phase = "lift"
        for way in ways:
            yield from self._move_by(way, self._rng.uniform(0.16, 0.22))

    def _carry(self, T_grasp: Array, ways: list[Array], slips: bool) -> Iterator[HandCommand]:
        """By a detour through the air to before where the object shall go."""
        self._phase = "carry"
        rng = self._rng
        detour = pose(t=np.array([*rng.uniform(-0.06, 0.06, 2), rng.uniform(0.0, 0.04)])) @ self._at
        detour[:3, :3] = detour[:3, :3] @ so3_exp(rng.normal(size=3) * 0.1)
        yield from self._travel(detour)
        if slips:
            self._button = False
            yield from self._rest(0.5)
        before = T_grasp.copy()
        before[:3, 3] += ways[0] * 0.4 if len(ways) == 1 else np.sum(ways, axis=0)
        if self._workplace.ledge is not None:
            low, high = self._workplace.ledge
            before[:2, 3] = rng.uniform(low[:2], high[:2])
        elif self.config.place == "aside":
            before[:3, 3] += self._aside(T_grasp)
        yield from self._travel(before)

    def _aside(self, T_grasp: Array) -> Array:
        """A shift [3] across the way in, that stays well within reach."""
        low, high = np.array(self._workplace.reach)
        sideways = 0.12 * (np.abs(self._workplace.inward) < 0.5) * self._rng.uniform(-1, 1, 3) * [1, 1, 0]
        room = np.array([0.14, 0.02, 0.0])
        return np.clip(T_grasp[:3, 3] + sideways, low + room, high - room) - T_grasp[:3, 3]

    def _put_down(self, T_grasp: Array, ways: list[Array], taken: int) -> Iterator[HandCommand]:
        self._phase = "place"
        if self._workplace.ledge is not None:
            drop = self._world.lowest_point(taken) - self._workplace.ledge[0][2] - 0.012
            yield from self._move_by(np.array([0.0, 0.0, -max(0.0, drop)]), 0.25)
            return
        for way in ways[:0:-1]:
            yield from self._move_by(-way, self._rng.uniform(0.18, 0.28))
        down = self._at.copy()
        down[2, 3] = T_grasp[2, 3] + 0.004  # what slipped a little must not be pressed into the ground
        yield from self._follow(reach(self._at, down, self._rng.uniform(0.5, 0.7)), aiming=True)

    def _open(self, attempt: AttemptTruth) -> Iterator[HandCommand]:
        self._phase = "release"
        attempt.t_release_ns = self._world.t_ns
        self._button = False
        yield from self._until(lambda: self._world.opening > 0.9 * rig.MAX_OPENING_M, at_least_s=0.2, at_most_s=1.5)

    def _back_off(self) -> Iterator[HandCommand]:
        self._phase = "retreat"
        distance = self._workplace.straight_m + self._rng.uniform(0.02, 0.1)
        back = self._at @ pose(t=np.array([0.0, 0.0, -distance]))
        yield from self._follow(reach(self._at, back, self._rng.uniform(0.4, 0.7)))

    def _travel(self, T: Array) -> Iterator[HandCommand]:
        """An unhurried reach through free space."""
        distance = float(np.linalg.norm(T[:3, 3] - self._at[:3, 3]))
        seconds = max(0.4, distance / self._rng.uniform(*self.config.travel_m_s), self._turn_to(T) / 0.75)
        yield from self._follow(reach(self._at, T, seconds, self._bend(distance)))

    def _move_by(self, way: Array, speed_m_s: float) -> Iterator[HandCommand]:
        """Straight on without turning."""
        yield from self._follow(reach(self._at, pose(t=way) @ self._at, max(0.3, np.linalg.norm(way) / speed_m_s)))

    # --- in steps of 2 ms ---

    def _follow(self, poses: Array, aiming: bool = False) -> Iterator[HandCommand]:
        """Along poses [N, 4, 4], one each 2 ms, with the hand's unrest."""
        sway = AIMING if aiming else 1.0
        steps = np.arange(1, len(poses) + 1)
        # Attention changes gradually, or the hand would jump.
        shares = sway + (self._sway - sway) * (1 - TIMESTEP_S / 0.3) ** steps
        hands = poses @ self._tremor.at(self._t_s + TIMESTEP_S * steps, shares)
        for T, T_hand, share in zip(poses, hands, shares, strict=True):
            self._at, self._sway = T, float(share)
            self._t_s += TIMESTEP_S
            yield HandCommand(T_hand, self._button, self._phase)

    def _rest(self, seconds: float) -> Iterator[HandCommand]:
        yield from self._follow(np.broadcast_to(self._at, (round(seconds / TIMESTEP_S), 4, 4)), aiming=True)

    def _until(self, done: Callable[[], bool], at_least_s: float, at_most_s: float) -> Iterator[HandCommand]:
        for k, command in enumerate(self._rest(at_most_s)):
            yield command
            if k * TIMESTEP_S >= at_least_s and done():
                return

    # --- geometry ---

    def _gaze(self, target: Array, T_like: Array, distance: float, turn: float) -> Array:
        return gaze(self._workplace, self._rng, target, T_like, distance, turn)

    def _nearest_turn(self, T: Array) -> Array:
        """The same grasp, with the fingers exchanged where the hand then has to turn less."""
        return nearest_turn(T, self._at)

    def _turn_to(self, T: Array) -> float:
        return float(rotation_angle(self._at[:3, :3].T @ T[:3, :3]))

    def _bend(self, distance: float) -> Array:
        bend = self._rng.normal(size=3) * self.config.bend_m * min(1.0, distance / 0.3)
        bend[2] = abs(bend[2])  # reaches bow upwards
        return bend

    def _positions(self) -> Array:
        return self._world.object_poses()[:, :3, 3]

    def _distances(self) -> Array:
        """Of the objects' middles from the fingertips, [n]."""
        return np.linalg.norm(self._positions() - self._world.T_world_fingertip[:3, 3], axis=1)

    def _taken_along(self, resting: Array, in_hand: Array) -> int | None:
        """The object that has left its place and is still where it was in the hand, if there is one."""
        moved = np.linalg.norm(self._positions() - resting, axis=1)
        moved[np.abs(self._distances() - in_hand) > SLIPPED_M] = 0.0
        return int(np.argmax(moved)) if moved.max() > LIFTED_M else None
