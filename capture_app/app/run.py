"""Putting the app together, and running it until it is closed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QLocale, QObject, Qt, QTranslator
from PySide6.QtWidgets import QApplication

from capture_app.app.devices import Devices
from capture_app.app.library import AppLock, Library
from capture_app.app.models.app import AppModel
from capture_app.app.models.services import Services
from capture_app.app.monitor import Monitor
from capture_app.app.settings import SettingsFile
from capture_app.app.study import load_study
from capture_app.app.views.window import Window
from wildgrasp.qt.background import Background
from wildgrasp.qt.theme import apply_theme
from wildgrasp.sessions.recorder import RecorderConfig
from wildgrasp.upload.queue import QUEUE_NAME, UploadQueue
from wildgrasp.upload.target import DEFAULT_TARGET
from wildgrasp.upload.uploader import UploadConfig

TRANSLATIONS = Path(__file__).parent / "translations"


@dataclass(frozen=True)
class AppConfig:
    out: Path = Path("sessions")
    study: Path | None = None
    target: Path = DEFAULT_TARGET
    kiosk: bool = False
    recorder: RecorderConfig = field(default_factory=RecorderConfig)
    upload: UploadConfig = field(default_factory=UploadConfig)
    extra_meta: Callable[[], dict] = dict


def qt_application() -> QApplication:
    """The process's one QApplication, themed."""
    app = QApplication.instance() or QApplication(["wildgrasp"])
    app.setApplicationName("WildGrasp")
    apply_theme(app)
    return app


class CaptureApp(QObject):
    """The touchscreen app on some camera and gripper. Make it after :func:`qt_application`.

    Raises UserError when another one uses the same folder, or the study cannot be read.
    """

    def __init__(self, devices: Devices, config: AppConfig) -> None:
        super().__init__()
        library = Library(config.out.absolute())
        study = load_study(config.study)
        self._lock = AppLock(library.app_folder)
        self._devices = devices
        self._background = Background(threads=4, parent=self)
        self._monitor = Monitor(devices, library.folder)
        self._translator: QTranslator | None = None
        self._kiosk = config.kiosk
        services = Services(
            devices,
            self._monitor,
            library,
            SettingsFile(library.app_folder / "settings.json"),
            study,
            UploadQueue(library.folder / QUEUE_NAME),
            self._background,
            config.recorder,
            extra_meta=config.extra_meta,
        )
        self.model = AppModel(services, config.target, config.upload, self)
        self._translate(services.settings.value.language)
        self.window = Window(self.model)
        self.model.settings.language_changed.connect(self._change_language)

    def start(self) -> None:
        """Show the window, look for the devices, rescue what a crash left."""
        self._devices.start()
        self._monitor.start()
        self.model.start()
        if self._kiosk:
            self.window.setCursor(Qt.CursorShape.BlankCursor)
            self.window.showFullScreen()
        else:
            self.window.show()

    def close(self) -> None:
        """Save a recording that runs, and let go of everything."""
        self.window.close()
        self.model.stop()
        self._monitor.stop()
        self._devices.stop()
        self._lock.release()

    def run(self) -> None:
        """Until the window is closed, or the process is asked to end (SIGTERM, SIGINT)."""
        app = QApplication.instance()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: app.quit())  # heard at the model's next tick
        self.start()
        try:
            app.exec()
        finally:
            self.close()

    def _change_language(self, language: str) -> None:
        self._translate(language)
        self.window.rebuild()

    def _translate(self, language: str) -> None:
        app = QApplication.instance()
        if self._translator is not None:
            app.removeTranslator(self._translator)
        self._translator = QTranslator(self)
        self._translator.load(str(TRANSLATIONS / f"{language}.qm"))
        app.installTranslator(self._translator)
        QLocale.setDefault(QLocale(language))
