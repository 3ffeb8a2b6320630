"""Tasks on a Ray cluster: the same tasks, wherever a core is free.

The cluster is somebody else's to start (docs/processing.md); this joins it. Ray's own retries are off: the scheduler
counts deaths, so that a session which kills its process is set aside on a cluster as on a laptop.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from processing.scale.pool import News, Task
from wildgrasp.errors import UserError
from wildgrasp.one_core import ONE_THREAD

CONNECT_S = 5.0
ASK_AGAIN_S = 2.0  # the cluster may have grown or shrunk meanwhile
QUEUED_PER_CORE = 2  # a task more than there are cores waits at the node, so that no core does
_RUNTIME = {"env_vars": ONE_THREAD}


class RayPool:
    """One task per core of the cluster at ``address`` (host:port, ``auto``, or ``ray://host:port``).

    A node does ``do(task, *shared)``, which tells by its News what came of it.
    """

    def __init__(self, address: str, do: Callable[..., News], *shared: Any) -> None:
        _require_answer(address)
        here = address.startswith(("127.0.0.1:", "localhost:"))
        ray = _import_ray(here)
        # A cluster on loopback is joined on loopback: else Ray would listen on the machine's outer address.
        own = {"_node_ip_address": "127.0.0.1"} if here else {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env=_RUNTIME, **own)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise _not_joined(address, str(error).split(". ")[0]) from error
        self._ray = ray
        self._do = ray.remote(num_cpus=1, max_retries=0)(do)
        self._shared = [ray.put(value) for value in shared]
        self._running: dict[object, Task] = {}

    def free(self) -> int:
        """Twice the cluster's cores at most: nodes take from their queue without asking back."""
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        return QUEUED_PER_CORE * max(cores, 1) - len(self._running)

    def start(self, task: Task) -> None:
        self._running[self._do.remote(task, *self._shared)] = task

    def wait(self, timeout_s: float = ASK_AGAIN_S) -> list[News]:
        """May return nothing: by then the cluster may have more cores."""
        ready, _ = self._ray.wait(list(self._running), timeout=timeout_s)
        return [self._result(reference) for reference in ready]

    def close(self) -> None:
        for reference in self._running:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._ray.shutdown()

    def _result(self, reference) -> News:
        task = self._running.pop(reference)
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            first_line = str(error).strip().splitlines()[0]
            return News(task, "died", reason=f"its process or node went away ({first_line})")


def _not_joined(address: str, why: str) -> UserError:
    return UserError(
        f"The Ray cluster at {address} cannot be joined ({why}). Start one with `ray start --head`, give its address, "
        "and use its RAY_AUTH_MODE and token here too. Nothing was changed."
    )


def _require_answer(address: str) -> None:
    """Ray itself would wait for minutes where nobody listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host, int(port)), CONNECT_S).close()
        except OSError as error:
            raise _not_joined(address, error.strerror or "no answer") from error


def _import_ray(loopback: bool):
    """Ray, told before it is imported to send no statistics, to ask for a token, and to leave loopback addresses be."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if loopback:  # without this, it takes 127.0.0.1 for the machine's outer address
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as error:
        raise UserError("A Ray cluster needs the package ray. Run: pip install 'wildgrasp[ray]'") from error
    return ray
