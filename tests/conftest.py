"""Settings that must stand before libraries are imported, and a short word on bytes that differ."""

import hashlib
import os

# One thread per test process: on two cores, threads that wait for each other at barriers cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Ray clusters of tests stay on loopback (see processing/scale/ray_pool.py), ask for a token, and tell nobody.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token", RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
os.environ.setdefault("RAY_AUTH_TOKEN", os.urandom(32).hex())

# Qt paints into memory.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

_LONG_BYTES = 4096


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Long bytes that differ are told by their hashes: pytest's own comparison of them takes hours where CI is set."""
    if op != "==" or not isinstance(left, bytes) or not isinstance(right, bytes) or len(left) < _LONG_BYTES:
        return None
    first = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    told = [f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()[:16]}" for data in (left, right)]
    return [" == ".join(told), f"first difference at byte {first}"]
