"""What the twin's D415 sees of a person who picks something up: frames for benchmarks, made before the measurement."""

from __future__ import annotations

import numpy as np

from digital_twin.demonstrator.handheld import CAMERA, STEP_NS, HandheldWorld
from digital_twin.demonstrator.person import Person
from digital_twin.world.d415 import D415, DEPTH_SCALE
from wildgrasp.cameras.base import RGBDFrame

STEPS_PER_FRAME = round(1e9 / 30 / STEP_NS)
STILL_FRAMES = 100  # the person looks around first


def twin_frames(count: int, seed: int = 3) -> list[RGBDFrame]:
    """Frames 640×480 at 30 per second of a hand that moves over a cluttered table: sensor noise in steps of disparity,
    shadows and outlines without depth, fingers nearer than the sensor measures."""
    world = HandheldWorld(seed)
    person = Person(world, seed)
    person.plan(1)
    frames: list[RGBDFrame] = []
    with D415(world.model, CAMERA, seed) as camera:
        for step, command in enumerate(person.perform(1)):
            world.command_hand(command.T_world_fingertip)
            world.update((step + 1) * STEP_NS, 0.0, 0.0, 0.0, enabled=False)
            number, rest = divmod(step, STEPS_PER_FRAME)
            if rest == 0 and number >= STILL_FRAMES:
                color, depth_raw = camera.render(world.data)
                t_ns = round(number * 1e9 / 30)
                frames.append(RGBDFrame(np.ascontiguousarray(color), depth_raw, DEPTH_SCALE, t_ns, t_ns))
                if len(frames) == count:
                    break
    return frames
