"""The physical world of the twin: objects, scenes, bodies, cameras. MuJoCo does physics and pictures."""

import os

# MuJoCo chooses its OpenGL library when it is first imported; the default needs a screen.
os.environ.setdefault("MUJOCO_GL", "egl")
# The software renderer would take all cores for each picture; several processes with one thread each do more.
os.environ.setdefault("LP_NUM_THREADS", "1")
