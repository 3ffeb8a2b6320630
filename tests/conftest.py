"""One thread per test process: on two cores, threads that wait for each other at barriers cost more than they bring."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
