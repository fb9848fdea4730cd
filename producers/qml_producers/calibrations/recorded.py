"""A recorded calibration: the document that a provider gave once, kept as a file.

Known are IBM's properties (`BackendProperties` as JSON), IonQ's characterizations and a Braket device's properties. The
event's time is the document's own date, and its identity follows from what it says: a second import is the same events,
which the log's readers drop.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from qml_producers.calibrations.announcements import snapshots_of
from qml_producers.calibrations.braket import columns_of_device
from qml_producers.calibrations.columns import to_seconds
from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.calibrations.ionq import columns_of_characterization
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.clock import SECOND
from quantum_mlops.errors import UserError
from quantum_mlops.events import CalibrationColumn, CalibrationSnapshot

MAX_BYTES = 64 * 1024 * 1024
_MAX_NAME = 512
_EARLIEST = 946_684_800 * SECOND  # 2000-01-01: what the log takes
_WRONG_SHAPE = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)


class Recorded(Struct, frozen=True, kw_only=True):
    """One recorded calibration; `time` is the document's date in nanoseconds UTC."""

    backend: str
    provider: str
    time: int
    calibration_id: str
    columns: list[CalibrationColumn]

    @property
    def facts(self) -> list[str | int]:
        """What tells it from any other: a second import has the same."""
        return [self.provider, self.backend, self.time, self.calibration_id]

    def snapshots(self) -> Iterator[CalibrationSnapshot]:
        """Yield the data of its events, in parts."""
        return snapshots_of(self.backend, self.provider, self.columns, self.calibration_id)


def parse_recorded(data: bytes, place: str, backend: str | None = None) -> Recorded:
    """Return the calibration in a document; `place` names it in errors, `backend` stands over the name inside.

    Raises:
        UserError: it is none; the message holds the place and the mend.

    """
    if len(data) > MAX_BYTES:
        raise UserError(f"{place}: over {MAX_BYTES // 2**20} MiB, this is no calibration")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{place}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{place}: no JSON object, so no calibration")
    try:
        provider, name, seconds, columns = _read(document)
    except _WRONG_SHAPE as error:
        raise UserError(f"{place}: no calibration of the shape that it seems to have: {error!r:.200}") from error
    name = backend or name
    if not name:
        raise UserError(f"{place}: it does not say which device it is of; name it with --backend")
    if len(name) > _MAX_NAME:
        raise UserError(f"{place}: the name of its device is longer than {_MAX_NAME} characters")
    if not columns:
        raise UserError(f"{place}: it holds no calibration value that is known here")
    if seconds is None or not _EARLIEST <= (time := round(seconds * SECOND)) < 2**63:
        raise UserError(f"{place}: it does not say when it was recorded ({_date_key(provider)}, since 2000)")
    return Recorded(backend=name, provider=provider, time=time, calibration_id=calibration_id(columns), columns=columns)


def _read(document: Mapping[str, Any]) -> tuple[str, str | None, float | None, list[CalibrationColumn]]:
    """Return provider, the device's name, the date and the columns, by the keys that each kind of document has."""
    if "qubits" in document and "gates" in document:
        date = to_seconds(document.get("last_update_date"))
        return "ibm", _text(document.get("backend_name")), date, columns_of_properties(document)
    if "service" in document and "paradigm" in document:
        standardized = document.get("standardized")
        date = to_seconds(document["service"].get("updatedAt"))
        if date is None and isinstance(standardized, Mapping):
            date = to_seconds(standardized.get("updatedAt"))
        return "braket", None, date, columns_of_device(document)
    if "fidelity" in document or "timing" in document:
        name = _text(document.get("backend")) or _text(document.get("target"))
        return "ionq", name, to_seconds(document.get("date")), columns_of_characterization(document)
    raise ValueError("it is neither IBM's properties nor IonQ's characterization nor a Braket device's properties")


def _date_key(provider: str) -> str:
    return {"ibm": "last_update_date", "braket": "service.updatedAt"}.get(provider, "date")


def _text(found: Any) -> str | None:
    return found if isinstance(found, str) and found else None
