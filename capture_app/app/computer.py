"""What the computer says of itself: battery, network, disk, and how to keep it awake. Linux, from /sys and /proc."""

from __future__ import annotations

import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

SYS, PROC = Path("/sys"), Path("/proc")
_KEEP_AWAKE = (
    "systemd-inhibit", "--what=idle:sleep:handle-lid-switch", "--who=WildGrasp", "--why=A recording is running",
    "--mode=block", "cat",
)  # fmt: skip


@dataclass(frozen=True)
class Power:
    """``battery`` is a fraction, None where there is no battery to read."""

    battery: float | None
    charging: bool  # on mains, or nothing says that it is not


def read_power(sys: Path = SYS) -> Power:
    battery, mains, discharging = None, False, False
    for supply in sorted((sys / "class" / "power_supply").glob("*")):
        kind = _read(supply / "type")
        if kind in ("Mains", "USB"):
            mains = mains or _read(supply / "online") == "1"
        elif kind == "Battery" and _read(supply / "scope") != "Device":  # not that of a mouse
            capacity = _read(supply / "capacity")
            battery = min(int(capacity), 100) / 100 if capacity.isdigit() else battery
            discharging = discharging or _read(supply / "status") == "Discharging"
    return Power(battery, mains or not discharging)


@dataclass(frozen=True)
class Network:
    online: bool  # there is a way out
    wifi: bool  # … over Wi-Fi or a cable, not over a phone's data
    name: str = ""


def read_network(proc: Path = PROC, sys: Path = SYS) -> Network:
    """Whether there is a default route, and over what."""
    for line in _read(proc / "net" / "route").splitlines()[1:]:
        cells = line.split()
        if len(cells) > 3 and cells[1] == "00000000" and int(cells[3], 16) & 1:
            name = cells[0]
            mobile = name.startswith(("wwan", "ppp", "usb", "rmnet"))
            return Network(True, not mobile, name)
    return Network(False, False)


def free_bytes(folder: Path) -> int:
    """Of the disk that a folder is on; 0 when it cannot be read."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


class KeepAwake:
    """Screen and computer do not sleep between :meth:`begin` and :meth:`end`.

    systemd's inhibitor lock, held by a child process: it goes when this program goes, however that ends. Where there is
    no systemd, nothing happens: a nicety never stops a recording.
    """

    def __init__(self, command: tuple[str, ...] = _KEEP_AWAKE) -> None:
        self._command = command
        self._child: subprocess.Popen | None = None
        self._lock = threading.Lock()

    @property
    def held(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def begin(self) -> None:
        with self._lock:
            if self.held:
                return
            try:
                quiet = subprocess.DEVNULL
                self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
            except OSError:
                self._child = None

    def end(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.stdin.close()  # `cat` ends, and with it the lock
                self._child.wait()
                self._child = None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
