"""Is a robot ready? Everything that a run relies on is asked and measured, and nothing moves.

The arm is connected as for a run (control program, watchdog) and holds still. The seams are handed in, so that the same
examination runs against any robot that speaks the protocols.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from robot_runner import guard
from robot_runner.arm import dashboard
from robot_runner.arm.base import Safety
from robot_runner.arm.kinematics import forward
from robot_runner.arm.link import CONTROL_HZ
from robot_runner.arm.link_messages import explain
from robot_runner.arm.ur_arm import UrArm
from robot_runner.episode_types import EpisodeConfig
from robot_runner.gripper.base import Gripper
from robot_runner.looking import fresh_frame
from robot_runner.rig_options import RigOptions
from wildgrasp.cameras.base import Camera
from wildgrasp.doctor import Finding, Verdict
from wildgrasp.errors import RobotError, UserError
from wildgrasp.geometry import inverse, pose, so3_exp

_WATCH_S = 2.0
_OLD = timedelta(days=30)
_LIGHT_KG = 0.5  # an RG2 alone weighs 0.78 kg


def examine_robot(rig: RigOptions, arm: UrArm, gripper: Gripper, camera: Camera) -> Iterator[Finding]:
    """All lines, in the order in which one would look. Neither raises nor moves; leaves everything disconnected."""
    config = None
    try:
        config = rig.episode_config()
    except RobotError as error:
        yield Finding("files", Verdict.BAD, str(error), "mend or remove the file that is named")
    yield hand_eye(rig)
    reachable = True
    for finding in controller(rig.host):
        reachable &= finding.name != "controller" or finding.verdict is Verdict.GOOD
        yield finding
    try:
        if reachable:
            yield from connected_arm(arm, config or EpisodeConfig())
        yield from connected_gripper(gripper)
        yield from open_camera(camera, arm, config or EpisodeConfig())
    finally:
        arm.close()
        gripper.close()
        camera.close()


def hand_eye(rig: RigOptions) -> Finding:
    name = "hand–eye"
    if rig.hand_eye is None:
        return Finding(name, Verdict.NOTE, "none given: the rig's drawing is taken, good to a centimetre", "calibrate")
    try:
        rig.T_tool_camera()
    except RobotError as error:
        return Finding(name, Verdict.BAD, str(error), "wildgrasp calibrate")
    age = timedelta(seconds=max(0.0, time.time() - rig.hand_eye.stat().st_mtime))
    if age > _OLD:
        return Finding(name, Verdict.NOTE, f"{rig.hand_eye}, {age.days} days old", "calibrate anew if it was moved")
    return Finding(name, Verdict.GOOD, f"{rig.hand_eye}, {age.days} days old")


def controller(host: str) -> Iterator[Finding]:
    """What the dashboard says: versions, modes, safety, and how fast it answers."""
    try:
        version = dashboard.ask(host, "PolyscopeVersion")
        model, serial = dashboard.ask(host, "get robot model"), dashboard.ask(host, "get serial number")
        yield Finding("controller", Verdict.GOOD, f"{version}, {model}, serial number {serial}")
        mode = dashboard.ask(host, "robotmode").rpartition(" ")[2]
        running = mode == "RUNNING"
        mend = "" if running else "switch the arm on at its pendant and release its brakes"
        yield Finding("robot mode", Verdict.GOOD if running else Verdict.BAD, mode, mend)
        local = dashboard.in_local_control(host)
        mend = "switch it to remote control (icon in the top right corner of the pendant)" if local else ""
        yield Finding("control", Verdict.BAD if local else Verdict.GOOD, "local" if local else "remote", mend)
        yield _safety(host)
        times_ms = [_round_trip_ms(host) for _ in range(10)]
        late = np.median(times_ms) > 50
        mend = "use a cable, and no switch that others fill" if late else ""
        text = f"dashboard answers in {np.median(times_ms):.1f} ms (slowest {max(times_ms):.1f} ms)"
        yield Finding("network", Verdict.NOTE if late else Verdict.GOOD, text, mend)
    except RobotError as error:
        yield Finding("controller", Verdict.BAD, str(error), "switch it on; look at its address and the cable")


def _safety(host: str) -> Finding:
    mode = dashboard.ask(host, "safetymode").rpartition(" ")[2].upper()
    for safety in (Safety.EMERGENCY_STOP, Safety.PROTECTIVE_STOP):
        if safety.value.upper().replace(" ", "_") in mode:
            return Finding("safety", Verdict.BAD, mode, explain(safety))
    mend = "" if mode in ("NORMAL", "REDUCED") else "look at the pendant for the reason"
    return Finding("safety", Verdict.BAD if mend else Verdict.GOOD, mode, mend)


def _round_trip_ms(host: str) -> float:
    start = time.perf_counter()
    dashboard.ask(host, "robotmode")
    return (time.perf_counter() - start) * 1e3


def connected_arm(arm: UrArm, config: EpisodeConfig) -> Iterator[Finding]:
    """Connects as a run does, watches the stream while the arm holds still, and tries poses on paper."""
    try:
        arm.connect()
    except RobotError as error:
        yield Finding("arm", Verdict.BAD, str(error), "then call doctor again")
        return
    yield Finding("arm", Verdict.GOOD, f"{arm.model}: control program runs, watchdog is armed")
    settings = arm.settings()
    T_flange_tcp = inverse(forward(config.guard.model, settings.q)) @ settings.T_base_tcp
    x, y, z = T_flange_tcp[:3, 3] * 1e3
    expected_mm = config.guard.T_tool_fingertip[2, 3] * 1e3
    right = abs(z - expected_mm) < 30 and max(abs(x), abs(y)) < 30
    mend = f"set it to (0, 0, {expected_mm:.0f}) mm at the pendant: its own speed and force limits count from there"
    tcp = Finding("TCP", Verdict.GOOD if right else Verdict.NOTE, f"({x:z.0f}, {y:z.0f}, {z:z.0f}) mm from the flange")
    yield tcp if right else Finding(tcp.name, tcp.verdict, tcp.found, mend)
    light = settings.payload_kg < _LIGHT_KG
    mend = "set it at the pendant or give --payload: a wrong one makes protective stops" if light else ""
    yield Finding("payload", Verdict.NOTE if light else Verdict.GOOD, f"{settings.payload_kg:.2f} kg", mend)
    yield stream(arm)
    yield from poses(arm, config)


def stream(arm: UrArm) -> Finding:
    """The rate of the stream, how late its cycles are, and how old readings get."""
    arm.wait(0.0)
    before, oldest_ms = arm.cycles, 0.0
    end_s = time.monotonic() + _WATCH_S
    while time.monotonic() < end_s:
        oldest_ms = max(oldest_ms, (time.monotonic_ns() - arm.state().t_ns) * 1e-6)
        time.sleep(0.003)
    count = arm.cycles - before
    hz, wanted_hz = count / _WATCH_S, CONTROL_HZ[arm.model]
    late_ms = float(np.percentile(arm.cycle_lateness_us()[-max(count, 1) :], 99)) * 1e-3
    good = hz > 0.97 * wanted_hz and oldest_ms < arm.patience.stale_s * 1e3 / 2
    text = (
        f"{hz:.0f} of {wanted_hz:.0f} Hz, 99 % less than {late_ms:.1f} ms late, readings up to {oldest_ms:.0f} ms old"
    )
    mend = "" if good else "close other programs; use a cable; see `wildgrasp doctor` about priority"
    return Finding("stream", Verdict.GOOD if good else Verdict.NOTE, text, mend)


def poses(arm: UrArm, config: EpisodeConfig) -> Iterator[Finding]:
    """A dry run of a pose set: the way to the start pose, and a grid over the workspace from there."""
    limits, q_start = config.guard, np.array(config.start_q)
    verdict = guard.check_joints(q_start, arm.state().q, limits)
    refused = verdict.kind == "refuse"
    text = f"not free: {verdict.reason}" if refused else "free"
    mend = "lead the arm nearer to it by hand, or choose another start pose or workspace" if refused else ""
    yield Finding("way to the start", Verdict.BAD if refused else Verdict.GOOD, text, mend)
    lower, upper = np.array(limits.workspace_lower), np.array(limits.workspace_upper)
    top = np.minimum(upper[2], max(limits.table_height_m, lower[2]) + 0.25)
    axes = [np.linspace(lower[i] + 0.05, upper[i] - 0.05, 3) for i in (0, 1)]
    axes.append(np.linspace(max(lower[2], limits.table_height_m) + 0.01, top, 3))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    R_start = verdict.T_base_fingertip[:3, :3]
    tilted = [R_start @ so3_exp(np.array(v)) for v in ([0, 0, 0], [0.5, 0, 0], [0, 0.5, 0])]
    goals = np.array([pose(R, p) for R in tilted for p in grid])
    free = guard.GuardLimits(**{**vars(limits), "max_step_m": 10.0, "max_step_rad": 10.0, "path_samples": 12})
    reasons = Counter(reason for T in goals if (reason := _refusal(T, q_start, free)))
    allowed = len(goals) - sum(reasons.values())
    text = f"{allowed} of {len(goals)} poses over the workspace may be gone to from the start pose"
    if reasons:
        text += "; most others: " + ", ".join(f"{why} ({n})" for why, n in reasons.most_common(2))
    few = allowed < len(goals) / 3
    mend = "make the workspace smaller or turn the start pose towards its middle" if few else ""
    yield Finding("pose set", Verdict.NOTE if few else Verdict.GOOD, text, mend)


def _refusal(T: np.ndarray, q: np.ndarray, limits: guard.GuardLimits) -> str:
    verdict = guard.check(T, q, limits)
    return verdict.reason if verdict.kind == "refuse" else ""


def connected_gripper(gripper: Gripper) -> Iterator[Finding]:
    try:
        gripper.connect()
        start = time.perf_counter()
        state = gripper.state()
        answer_ms = (time.perf_counter() - start) * 1e3
    except RobotError as error:
        yield Finding("gripper", Verdict.BAD, str(error), "look at its power and cable")
        return
    holds = ", holds something" if state.grip_detected else ""
    yield Finding("gripper", Verdict.GOOD, f"{state.width_m * 1e3:.0f} mm open{holds}; answers in {answer_ms:.0f} ms")


def open_camera(camera: Camera, arm: UrArm, config: EpisodeConfig) -> Iterator[Finding]:
    try:
        info = camera.open()
        camera.read(config.camera_timeout_s)
        start, frames, ages_ms = time.perf_counter(), 15, []
        for _ in range(frames):
            frame = camera.read(config.camera_timeout_s)
            ages_ms.append((time.monotonic_ns() - frame.t_host_ns) * 1e-6)
        fps = frames / (time.perf_counter() - start)
        measured = float((frame.depth_raw > 0).mean())
    except UserError as error:
        yield Finding("camera", Verdict.BAD, str(error), "plug it into a USB 3 port; look at the cable")
        return
    text = f"{info.model}, {fps:.0f} pictures/s, {np.median(ages_ms):.0f} ms old, {100 * measured:.0f} % have depth"
    slow = fps < 0.8 * info.fps
    mend = f"it promises {info.fps:.0f}/s: use a USB 3 port of its own, close other programs" if slow else ""
    yield Finding("camera", Verdict.NOTE if slow else Verdict.GOOD, text, mend)
    try:
        arm.tool_pose_at(fresh_frame(camera, arm, config).t_host_ns)
    except UserError as error:
        yield Finding("camera and arm", Verdict.BAD, str(error), "see the lines above")
        return
    yield Finding("camera and arm", Verdict.GOOD, "each picture finds the arm's pose of its time")
