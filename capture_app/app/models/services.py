"""What every screen's model works with, made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from capture_app.app.computer import KeepAwake
from capture_app.app.devices import Devices
from capture_app.app.library import Library
from capture_app.app.monitor import Monitor
from capture_app.app.settings import SettingsFile
from capture_app.app.study import Study
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.qt.background import Background
from wildgrasp.sessions.recorder import RecorderConfig
from wildgrasp.upload.queue import UploadQueue


@dataclass(frozen=True)
class Services:
    devices: Devices
    monitor: Monitor
    library: Library
    settings: SettingsFile
    study: Study
    queue: UploadQueue
    background: Background
    recorder: RecorderConfig = field(default_factory=RecorderConfig)
    clock: Clock = field(default_factory=MonotonicClock)
    keep_awake: KeepAwake = field(default_factory=KeepAwake)
    extra_meta: Callable[[], dict] = dict  # what else a recording's metadata should hold (the twin says what it is)
