"""The bench is honest: the expert succeeds, who never closes gets nothing, and a seed decides everything."""

import json
import multiprocessing
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from digital_twin.benchmark import workers
from digital_twin.benchmark.evaluation import EvaluationPlan, evaluate_plan
from digital_twin.benchmark.policies import policy_maker
from digital_twin.benchmark.results import EpisodeRow
from digital_twin.benchmark.trials import Trial, run_trial
from digital_twin.benchmark.workers import Job, run_jobs
from digital_twin.benchmark.workspace import guard_limits, start_joints
from digital_twin.world.cell_piles import PileSettings
from grasp_policy.policy import Decision
from robot_runner.guard import check_joints
from wildgrasp.errors import UserError
from wildgrasp.geometry import pose

FEW = PileSettings(objects=(2, 3))


class Wanderer:
    """Moves about above the table and never closes."""

    def reset(self):
        self._steps = 0

    def observe(self, color, depth, camera, T_base_camera):
        pass

    def decide(self, T_base_fingertip, allowed):
        self._steps += 1
        shift = 0.02 if self._steps % 2 else -0.02
        return Decision("move", T_base_fingertip @ pose(t=np.array([shift, 0, 0])))


def test_the_expert_grasps_most_and_the_truth_agrees():
    rows = [run_trial(Trial(0, number, difficulty="ideal"), policy_maker("expert"))[0] for number in (0, 2, 3)]
    assert sum(row.truth for row in rows) >= 2
    for row in rows:
        assert row.success == row.truth
        assert not row.truth or (row.reason == "" and row.width_m > 0.004)


def test_who_never_closes_gets_nothing():
    row = run_trial(Trial(0, pile=FEW), lambda cell, rng: Wanderer())[0]
    assert (row.outcome, row.success, row.truth, row.steps) == ("out of steps", False, False, 40)


def test_a_seed_decides_everything_but_the_clock():
    rows = [run_trial(Trial(3, pile=FEW), policy_maker("straight-down"))[0] for _ in range(2)]
    strip = [replace(row, wall_seconds=0.0, ms={}) for row in rows]
    assert strip[0] == strip[1]


def test_every_start_pose_is_acceptable_to_the_guard():
    limits = guard_limits()
    for seed in range(20):
        q = np.array(start_joints(np.random.default_rng(seed), 0.04, 0.2))
        assert check_joints(q, q, limits).kind != "refuse"


def fake_rows(monkeypatch, fail_at=None):
    ran = []

    def run_trial(trial, make_policy, session):
        if trial.number == fail_at:
            raise KeyboardInterrupt
        ran.append(trial.number)
        return [EpisodeRow(trial.seed, trial.number, "mug", 5, "success", "", True, True, 0.03, 5.0, 0.1)]

    monkeypatch.setattr(workers, "run_trial", run_trial)
    monkeypatch.setattr(workers, "policy_maker", lambda name, weights: None)
    return ran


def test_an_interrupted_evaluation_goes_on_where_it_was(tmp_path, monkeypatch):
    plan, partial = EvaluationPlan(policy="x", episodes=5), tmp_path / "rows.jsonl"
    ran = fake_rows(monkeypatch, fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        evaluate_plan(plan, partial=partial)
    ran = fake_rows(monkeypatch)
    result = evaluate_plan(plan, partial=partial)
    assert ran == [3, 4]
    assert [row.number for row in result.rows] == [0, 1, 2, 3, 4]
    assert not partial.exists()


def test_rows_of_another_plan_or_half_a_row_are_not_taken(tmp_path, monkeypatch):
    plan, partial = EvaluationPlan(policy="x", episodes=3), tmp_path / "rows.jsonl"
    fake_rows(monkeypatch, fail_at=2)
    with pytest.raises(KeyboardInterrupt):
        evaluate_plan(plan, partial=partial)
    text = partial.read_text()
    partial.write_text(text[:-10])  # the last row was being written
    ran = fake_rows(monkeypatch)
    evaluate_plan(plan, partial=partial)
    assert ran == [1, 2]
    partial.write_text(text)
    ran = fake_rows(monkeypatch)
    evaluate_plan(replace(plan, seed=9), partial=partial)
    assert ran == [0, 1, 2]


def test_files_that_a_plan_names_are_kept_with_its_rows(tmp_path, monkeypatch):
    plan, partial = (
        EvaluationPlan(pile=PileSettings(meshes=tmp_path), weights=tmp_path / "w.pt"),
        tmp_path / "rows.jsonl",
    )
    fake_rows(monkeypatch, fail_at=2)
    with pytest.raises(KeyboardInterrupt):
        evaluate_plan(plan, partial=partial)
    ran = fake_rows(monkeypatch)
    evaluate_plan(plan, partial=partial)
    assert ran[0] == 2
    assert str(tmp_path / "w.pt") in json.dumps(evaluate_plan(plan).to_json(), default=str)


def rows_without_times(evaluation):
    rows = json.loads(json.dumps(evaluation.to_json()))["episodes"]
    return [{k: v for k, v in row.items() if k not in ("wall_seconds", "ms")} for row in rows]


def test_a_killed_worker_costs_no_episode():
    jobs = [Job(Trial(0, number, pile=FEW), "straight-down") for number in range(3)]
    rows = run_jobs(jobs, workers=2)
    done = [next(rows)]
    for process in multiprocessing.active_children():
        process.kill()
    done += list(rows)
    assert sorted(row.number for some in done for row in some) == [0, 1, 2]


def test_an_episode_that_cannot_be_run_is_named():
    jobs = [Job(Trial(4, number, pile=FEW), "nowhere.safetensors") for number in range(2)]
    with pytest.raises(UserError, match=r"Episode [01] of seed 4 could not be done: .*nowhere"):
        list(run_jobs(jobs, workers=2))


def test_neither_workers_nor_a_cluster_change_the_result():
    plan = EvaluationPlan(policy="straight-down", episodes=2, pile=FEW)
    rows = rows_without_times(evaluate_plan(plan))
    assert rows_without_times(evaluate_plan(plan, workers=2)) == rows
    with ray_cluster() as address:
        assert rows_without_times(evaluate_plan(plan, ray=address)) == rows


@contextmanager
def ray_cluster():
    """A node of two cores that listens on 127.0.0.1 only; its address."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 2, "node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def test_a_dynamic_pile_is_worked_until_three_failures_in_a_row_with_the_sheet_pulled_in_each():
    places = []

    class Watching(Wanderer):
        def __init__(self, cell):
            self._sheet = cell.sheet

        def reset(self):
            super().reset()
            places.append(self._sheet.place)

    rows = run_trial(Trial(0, scene="dynamic"), lambda cell, rng: Watching(cell))
    assert [(row.attempt, row.truth) for row in rows] == [(0, False), (1, False), (2, False)]
    shifts = np.diff(places, axis=0)
    assert len(shifts) == 2
    assert (np.linalg.norm(shifts[:, :2], axis=1) > 0.1).all()
    assert (np.abs(shifts[:, 2]) > np.deg2rad(25)).all()
