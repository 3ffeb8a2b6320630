"""The digital twin: hardware and world in simulation, behind the product's own seams."""

import os

# MuJoCo chooses an OpenGL library when it is first imported; its default needs a screen.
os.environ.setdefault("MUJOCO_GL", "egl")
# The software renderer would take all cores for each picture; several processes with one thread each do more.
os.environ.setdefault("LP_NUM_THREADS", "1")
