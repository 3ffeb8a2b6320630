"""The physical world of the twin: objects, scenes, bodies, cameras. MuJoCo does physics and pictures."""
