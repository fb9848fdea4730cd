"""What was told last of each device, kept over restarts, so that a restart tells nothing anew."""

from pathlib import Path

import msgspec
from msgspec import Struct, field

from qml_producers.calibrations.announcements import Announcements

FILE = "calibrations.json"
_MAX_BYTES = 1024 * 1024


class _Told(Struct):
    told: dict[str, str] = field(default_factory=dict)


class ToldFile:
    """The file in the state folder. A file that is gone or broken costs one calibration told again."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._told: dict[str, str] = {}

    def load(self, announcements: Announcements) -> None:
        """Let `announcements` know what was told."""
        try:
            data = self._path.read_bytes()
            self._told = msgspec.json.decode(data, type=_Told).told if len(data) <= _MAX_BYTES else {}
        except (OSError, msgspec.DecodeError):
            self._told = {}
        for backend, calibration_id in self._told.items():
            announcements.know(backend, calibration_id)

    def save(self, backend: str, calibration_id: str) -> None:
        """Note what was told. Raises OSError where the file cannot be written."""
        self._told[backend] = calibration_id
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(_Told(self._told)))
        fresh.replace(self._path)
