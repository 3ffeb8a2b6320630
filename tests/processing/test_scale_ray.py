"""The same tasks on a Ray cluster of two nodes, on loopback: a killed process or node costs its own task only."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from small_sessions import cut_in_half, write_sessions

from processing.pipeline import ProcessConfig
from processing.scale.scheduler import process_all
from processing.scale.tasks import do_task, find_tasks
from wildgrasp.errors import UserError
from wildgrasp.sessions.session import Session

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
# A dead node is noticed after this, instead of after half a minute.
HEALTH = {"health_check_period_ms": 500, "health_check_failure_threshold": 3, "health_check_initial_delay_ms": 0}
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")  # as /proc writes it


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each that listen on 127.0.0.1 only and ask for a token."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}
    cluster = Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False, "_system_config": HEALTH}
    )
    cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


def test_a_killed_process_and_a_killed_node_cost_their_own_tasks_only(cluster, tmp_path, clip):
    from processing.scale.ray_pool import RayPool

    names = {"a": 40, "b": 39, "c": 12, "d": 12, "damaged": 6}
    paths = dict(zip(names, write_sessions(tmp_path / "in", clip, names), strict=True))
    cut_in_half(paths["damaged"])
    head, other = cluster.head_node, next(iter(cluster.worker_nodes))
    pool = Watched(RayPool(cluster.address, do_task, ProcessConfig(), tmp_path / "scratch"))
    killed: list[str] = []

    def kill_what_works() -> None:
        """A process on the first node, as soon as one works there; then, likewise, all of the second node."""
        if not killed and (worker := _working(head)) is not None:
            os.kill(worker, signal.SIGKILL)
            killed.append("process")
        if len(killed) == 1 and _working(other) is not None:
            cluster.remove_node(other, allow_graceful=False)
            killed.append("node")

    pool.before_waiting = kill_what_works
    ended: dict[str, list] = {name: [] for name in names}
    for update in process_all(find_tasks([str(tmp_path / "in")]), pool):
        ended[update.task.name].append(update)
    kinds = {name: [u.kind for u in updates] for name, updates in ended.items()}
    assert killed == ["process", "node"]
    assert kinds.pop("damaged") == ["set aside"]
    assert sorted(kinds.values()) == [["again", "done"], ["again", "done"], ["done"], ["done"]]
    for name in kinds:
        with Session(paths[name]) as session:
            assert len(session.poses("tracking").frame_ids) == len(session)
    assert _listens_beyond_loopback() == []


def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path):
    from processing.scale.ray_pool import RayPool

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(UserError, match="cannot be joined"):
        RayPool(f"127.0.0.1:{port}", do_task, ProcessConfig(), tmp_path)


class Watched:
    """A pool that lets the test act before it waits, and does not wait long."""

    def __init__(self, pool) -> None:
        self._pool = pool
        self.before_waiting = lambda: None

    def wait(self):
        self.before_waiting()
        return self._pool.wait(0.1)

    def __getattr__(self, name):
        return getattr(self._pool, name)


def _working(node) -> int | None:
    """The process of a node that does a task now, if any."""
    raylet = node.all_processes["raylet"][0].process.pid
    for child in _children(raylet):
        title = Path(f"/proc/{child}/cmdline").read_bytes()
        if title.startswith(b"ray::do_task"):
            return child
    return None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, task.read_text().split())
    return found


def _listens_beyond_loopback() -> list[str]:
    """Addresses on which processes of this test listen, other than 127.x.x.x."""
    mine = {os.getpid(), *_descendants(os.getpid())}
    sockets = set()
    for pid in mine:
        for fd in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(str(fd.readlink()).removeprefix("socket:[").rstrip("]"))
            except OSError:
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            loopback = local.startswith(LOOPBACK)
            if state == "0A" and rest[5] in sockets and not loopback:
                found.append(local)
    return found


def _descendants(pid: int) -> list[int]:
    try:
        children = _children(pid)
    except OSError:
        return []
    return children + [d for child in children for d in _descendants(child)]
