"""One thread per test process: on two cores, threads that wait for each other at barriers cost more than they bring.
And no window: Qt paints into memory."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
