"""What of packages, devices and permissions works on this computer, and how to mend what does not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape


class Verdict(Enum):
    GOOD = "good"
    NOTE = "note"  # works, or is not needed for everything
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One line of a doctor's report."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""  # what to do about it


PACKAGES = {  # extra: what it imports
    "capture": ("serial", "cobs", "pyrealsense2", "boto3", "PySide6"),
    "policy": ("torch", "numba", "safetensors"),
    "robot": ("rtde_control", "pymodbus", "PySide6"),
    "twin": ("mujoco", "trimesh"),
}
_PROBE_S = 30.0
_ARDUINO = {0x2341, 0x2A03}  # USB vendors of the Arduino Mega
_CAMERA_PROBE = """
import pyrealsense2 as rs
for d in rs.context().query_devices():
    info = rs.camera_info
    print(d.get_info(info.name), d.get_info(info.serial_number), "USB", d.get_info(info.usb_type_descriptor))
"""
_GL_PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light pos='0 0 2'/><geom size='1'/></worldbody></mujoco>")
with mujoco.Renderer(model, 32, 32) as renderer:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer.update_scene(data)
    assert renderer.render().any()
print("draws offscreen")
"""


def examine() -> Iterator[Finding]:
    """The general part: of every computer that runs any of it."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", Verdict.GOOD, version)
    for extra, modules in PACKAGES.items():
        yield packages(extra, modules)
    yield camera()
    yield gripper_port()
    yield drawing()
    yield disk(Path.cwd())
    yield priority()


def packages(extra: str, modules: Iterable[str]) -> Finding:
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    name = f"packages for {extra}"
    if missing:
        mend = f"only if this computer is to do that: pip install 'wildgrasp[{extra}]'"
        return Finding(name, Verdict.NOTE, f"{', '.join(missing)} missing", mend)
    return Finding(name, Verdict.GOOD, "all there")


def camera() -> Finding:
    answer, error = _probe(_CAMERA_PROBE)
    if error:
        return Finding("camera", Verdict.BAD, error, "pip install 'wildgrasp[capture]', then plug the camera in")
    if not answer:
        return Finding(
            "camera", Verdict.BAD, "no RealSense is plugged in", "plug it into a USB 3 port; look at the cable"
        )
    if "USB 2" in answer:
        return Finding("camera", Verdict.NOTE, answer, "it runs at USB 2: use a USB 3 port and cable (blue)")
    return Finding("camera", Verdict.GOOD, answer)


def gripper_port() -> Finding:
    name = "handheld gripper"
    try:
        from serial.tools import list_ports
    except ImportError:
        return Finding(name, Verdict.BAD, "pyserial is missing", "pip install 'wildgrasp[capture]'")
    ports = [port for port in list_ports.comports() if port.vid in _ARDUINO]
    if not ports:
        return Finding(name, Verdict.NOTE, "no Arduino is plugged in", "only needed to record: plug its USB cable in")
    locked = [port.device for port in ports if not os.access(port.device, os.R_OK | os.W_OK)]
    if locked:
        mend = "sudo usermod -aG dialout $USER, then log in again"
        return Finding(name, Verdict.BAD, f"{locked[0]} may not be opened by you", mend)
    return Finding(name, Verdict.GOOD, ", ".join(port.device for port in ports))


def drawing() -> Finding:
    if importlib.util.find_spec("mujoco") is None:
        return Finding("offscreen drawing", Verdict.NOTE, "MuJoCo is not installed", "only the simulation needs it")
    answer, error = _probe(_GL_PROBE)
    if error:
        mend = "only the simulation needs it: install libegl1 and libgl1-mesa-dri, and set MUJOCO_GL=egl"
        return Finding("offscreen drawing", Verdict.NOTE, error, mend)
    return Finding("offscreen drawing", Verdict.GOOD, f"MuJoCo {importlib.metadata.version('mujoco')} {answer}")


def disk(folder: Path) -> Finding:
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < 5:
        return Finding("disk", Verdict.BAD, f"{free_gb:.1f} GB free", "a recording takes about 1 GB in 4 minutes")
    return Finding("disk", Verdict.GOOD, f"{free_gb:.0f} GB free")


def priority() -> Finding:
    real_time, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    if os.geteuid() == 0 or real_time >= 10:
        return Finding("priority", Verdict.GOOD, "the stream to an arm may go before everything else")
    mend = "for robots: a line `@robot - rtprio 10` in /etc/security/limits.conf, yourself in that group, log in again"
    return Finding("priority", Verdict.NOTE, "the stream to an arm waits like everything else", mend)


def _probe(code: str) -> tuple[str, str]:
    """What a piece of Python prints, or why it failed; in a process of its own, since drivers may crash or hang."""
    environment = {"MUJOCO_GL": "egl", **os.environ}
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, env=environment)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_PROBE_S:.0f} s"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return "", lines[-1] if lines else f"it ended with {done.returncode}"
    return done.stdout.strip().replace("\n", "; "), ""


# --- telling ----------------------------------------------------------------------------------------------------------

_SIGNS = {Verdict.GOOD: "[green]✓[/green]", Verdict.NOTE: "[yellow]![/yellow]", Verdict.BAD: "[red]✗[/red]"}


def tell(findings: Iterable[Finding], console: Console) -> list[Finding]:
    """Print each finding as it comes; all of them."""
    told = []
    for finding in findings:
        told.append(finding)
        console.print(
            f"{_SIGNS[finding.verdict]} {finding.name:<20} {escape(finding.found)}", highlight=False, soft_wrap=True
        )
        if finding.mend:
            console.print(f"  {'':<20} → {escape(finding.mend)}", style="bold", highlight=False, soft_wrap=True)
    return told


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "good": all(f.verdict is not Verdict.BAD for f in findings),
        "findings": [{**asdict(f), "verdict": f.verdict.value} for f in findings],
    }


def exit_code(findings: list[Finding]) -> int:
    """0, or 1 where something is to be mended."""
    return 0 if as_json(findings)["good"] else 1
