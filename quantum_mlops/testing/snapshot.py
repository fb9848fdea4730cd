"""Recorded calibrations of real IBM devices, read without any quantum SDK.

A snapshot is IBM's BackendProperties document: every value carries its own unit and the date at which it was
measured. The documents in `calibrations/` are kept byte for byte; this module reads them. The accessors answer
in SI units and say None for what the device did not calibrate (IBM writes an error of 1 then); `to_dict` gives
the values as recorded.
"""

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Self

import msgspec

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_HERTZ = {"Hz": 1.0, "kHz": 1e3, "KHz": 1e3, "MHz": 1e6, "GHz": 1e9, "THz": 1e12}
_SCALE = {"": 1.0, **_SECONDS, **_HERTZ}


class Parameter(msgspec.Struct, frozen=True):
    """One measured value: IBM's name-date-unit-value."""

    date: datetime
    name: str
    unit: str
    value: float

    @property
    def si(self) -> float:
        """The value in seconds, hertz or as a ratio. A unit that is not known raises ValueError."""
        if self.unit not in _SCALE:
            raise ValueError(f"{self.name}: unknown unit {self.unit!r}, expected one of {sorted(_SCALE)}")
        return self.value * _SCALE[self.unit]


class GateProperties(msgspec.Struct, frozen=True):
    """What was recorded for one gate on one set of qubits."""

    qubits: list[int]
    gate: str
    parameters: list[Parameter]
    name: str = ""

    @property
    def error(self) -> float | None:
        """Average gate error, or None when it was not calibrated (absent, or recorded as 1)."""
        return _calibrated(_find(self.parameters, "gate_error"))

    @property
    def is_faulty(self) -> bool:
        """Whether the device recorded that this gate does not work: a gate error of 1."""
        parameter = _find(self.parameters, "gate_error")
        return parameter is not None and parameter.value >= 1

    @property
    def length_seconds(self) -> float | None:
        """Duration of the gate, or None when it was not recorded."""
        return _si(_find(self.parameters, "gate_length"))


class Snapshot(msgspec.Struct, frozen=True):
    """One recorded calibration. Nothing changes it after it was read, so threads may share it.

    >>> snapshot = Snapshot.load("hanoi", "2021-12-09")
    >>> snapshot.backend_name, snapshot.last_update_date.isoformat()
    ('ibm_hanoi', '2021-12-09T19:06:00+00:00')
    >>> round(snapshot.t1_seconds(0) * 1e6, 1)
    162.3
    """

    backend_name: str
    backend_version: str
    last_update_date: datetime
    qubits: list[list[Parameter]]
    gates: list[GateProperties]
    general: list[Parameter]

    @classmethod
    def load(cls, backend: str, date: str = "") -> Self:
        """Read a shipped snapshot by backend ("hanoi") and the start of its date ("2021-12-09").

        Raises:
            LookupError: no snapshot or more than one matches; the message lists what there is.
        """
        wanted = f"{backend.removeprefix('ibm_')}__{date}"
        found = [name for name in available_snapshots() if name.startswith(wanted)]
        if len(found) != 1:
            problem = "no snapshot" if not found else f"{len(found)} snapshots"
            have = ", ".join(available_snapshots())
            raise LookupError(f"{problem} of backend {backend!r} with date {date!r}; available: {have}")
        return cls.decode(files(__package__).joinpath("calibrations", f"{found[0]}.json").read_bytes())

    @classmethod
    def decode(cls, document: bytes) -> Self:
        """Read a BackendProperties document in JSON. Dates become UTC.

        Raises:
            ValueError: the document is malformed.
        """
        try:
            raw = msgspec.json.decode(document, type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"not a calibration snapshot: {error}") from error
        return msgspec.structs.replace(
            raw,
            last_update_date=raw.last_update_date.astimezone(UTC),
            qubits=[[_in_utc(parameter) for parameter in qubit] for qubit in raw.qubits],
            gates=[msgspec.structs.replace(g, parameters=[_in_utc(p) for p in g.parameters]) for g in raw.gates],
            general=[_in_utc(parameter) for parameter in raw.general],
        )

    @property
    def num_qubits(self) -> int:
        """How many qubits the device has."""
        return len(self.qubits)

    def t1_seconds(self, qubit: int) -> float | None:
        """T1 of a qubit, or None when it was not recorded."""
        return _si(_find(self.qubits[qubit], "T1"))

    def t2_seconds(self, qubit: int) -> float | None:
        """T2 of a qubit as recorded (it may exceed 2·T1), or None."""
        return _si(_find(self.qubits[qubit], "T2"))

    def frequency_hertz(self, qubit: int) -> float | None:
        """Transition frequency of a qubit, or None."""
        return _si(_find(self.qubits[qubit], "frequency"))

    def readout_error(self, qubit: int) -> float | None:
        """Mean assignment error of a qubit, or None when it was not calibrated (absent, or recorded as 1)."""
        return _calibrated(_find(self.qubits[qubit], "readout_error"))

    def readout_seconds(self, qubit: int) -> float | None:
        """Duration of a measurement, or None."""
        return _si(_find(self.qubits[qubit], "readout_length"))

    def to_dict(self) -> dict[str, Any]:
        """Return the shape of IBM's `BackendProperties.to_dict()`: values and units as recorded, dates in UTC."""
        document: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(datetime,))
        return document


def available_snapshots() -> tuple[str, ...]:
    """Names of the shipped snapshots, `<backend>__<local date and time of recording>`, sorted.

    >>> "hanoi__2021-12-09T140600" in available_snapshots()
    True
    """
    folder = files(__package__).joinpath("calibrations")
    return tuple(sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json")))


def _find(parameters: list[Parameter], name: str) -> Parameter | None:
    return next((parameter for parameter in parameters if parameter.name == name), None)


def _si(parameter: Parameter | None) -> float | None:
    return None if parameter is None else parameter.si


def _calibrated(parameter: Parameter | None) -> float | None:
    return None if parameter is None or parameter.value >= 1 else parameter.value


def _in_utc(parameter: Parameter) -> Parameter:
    return msgspec.structs.replace(parameter, date=parameter.date.astimezone(UTC))
