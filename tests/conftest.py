"""Settings that must stand before libraries are imported."""

import os

# One thread per test process: on two cores, threads that wait for each other at barriers cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Ray clusters of tests stay on loopback (see processing/scale/ray_pool.py), ask for a token, and tell nobody.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token", RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
os.environ.setdefault("RAY_AUTH_TOKEN", os.urandom(32).hex())

# Qt paints into memory.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
