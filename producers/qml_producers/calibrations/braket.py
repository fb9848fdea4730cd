"""A Braket device's properties (`deviceCapabilities` of GetDevice, as JSON) as columns.

Read are the standardized properties, version 1 and 2 (per qubit and pair) and 3 (per device, AQT); without them IonQ's
and AQT's own blocks. Fidelities become errors. `service.updatedAt` (in version 3 `standardized.updatedAt`) is the time
of every value: Braket says no other. Source: amazon-braket-schemas.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from qml_producers.calibrations.columns import Row, columns_of, to_error, to_seconds, to_si
from qml_producers.calibrations.ionq import rows_of_device
from quantum_mlops.events import CalibrationColumn

_ONE_QUBIT = {
    "RANDOMIZED_BENCHMARKING": "one_qubit_error",
    "SIMULTANEOUS_RANDOMIZED_BENCHMARKING": "simultaneous_one_qubit_error",
    "READOUT": "readout_error",
}
_GATES = {"cnot": "cx", "xx": "rxx", "yy": "ryy", "zz": "rzz"}
_DEVICE_FIDELITIES = {
    "readoutFidelity": "readout_error",
    "singleQubitFidelity": "one_qubit_error",
    "twoQubitGateFidelity": "two_qubit_error",
}
_DEVICE_TIMES = {
    "T1": "t1", "T2": "t2", "readoutDuration": "readout_length", "singleQubitGateDuration": "one_qubit_length",
    "twoQubitGateDuration": "two_qubit_length", "activeResetDuration": "reset_length",
}  # fmt: skip
_AQT_TIMES = {
    "readout_time_micros": "readout_length",
    "single_qubit_gate_duration_micros": "one_qubit_length",
    "two_qubit_gate_duration_micros": "two_qubit_length",
}
_PERCENT = 100.0
_NAME = re.compile(r"[a-z0-9_]{1,64}")


def columns_of_device(properties: Mapping[str, Any]) -> list[CalibrationColumn]:
    """Return the columns of a device; empty where it publishes nothing that is known here."""
    service = _table(properties.get("service"))
    time = to_seconds(service.get("updatedAt"))
    standardized, provider = _table(properties.get("standardized")), _table(properties.get("provider"))
    rows: Iterable[Row]
    if standardized:
        own = to_seconds(standardized.get("updatedAt"))
        rows = chain.from_iterable(read(standardized, time if own is None else own) for read in _STANDARDIZED)
    elif "fidelity" in provider or "timing" in provider:
        rows = rows_of_device(provider, time)
    else:
        rows = _aqt(_table(provider.get("properties")), time)
    first: dict[tuple[str, tuple[int, ...]], Row] = {}
    for row in rows:  # of two figures of one gate on one pair the first is kept
        first.setdefault((row[0], tuple(row[1])), row)
    return columns_of(first.values())


def _qubits(block: Mapping[str, Any], time: float | None) -> Iterator[Row]:
    for qubit, values in _places(block.get("oneQubitProperties")):
        for key in ("T1", "T2"):
            yield from _duration(key.lower(), qubit, values.get(key), time)
        for found in _list(values.get("oneQubitFidelity")):
            kind = str(_table(found.get("fidelityType")).get("name"))
            name = _ONE_QUBIT.get(kind, f"{kind.lower()}_error")
            if _NAME.fullmatch(name):
                yield name, qubit, to_error(name, found.get("fidelity")), time


def _pairs(block: Mapping[str, Any], time: float | None) -> Iterator[Row]:
    for pair, values in _places(block.get("twoQubitProperties")):
        for found in _list(values.get("twoQubitGateFidelity")):
            gate = str(found.get("gateName")).lower()
            name = f"{_GATES.get(gate, gate)}_error"
            if _NAME.fullmatch(name):
                yield name, _directed(pair, found.get("direction")), to_error(name, found.get("fidelity")), time


def _whole(block: Mapping[str, Any], time: float | None) -> Iterator[Row]:
    for key, name in _DEVICE_FIDELITIES.items():
        for found in _list(block.get(key)):
            yield name, [], to_error(name, found.get("fidelity")), time
    for key, name in _DEVICE_TIMES.items():
        yield from _duration(name, [], block.get(key), time)


_STANDARDIZED = (_qubits, _pairs, _whole)


def _aqt(found: Mapping[str, Any], time: float | None) -> Iterator[Row]:
    """AQT's own characterisation: percent, seconds and microseconds."""
    own = to_seconds(found.get("updated_at"))
    time = time if own is None else own
    for qubit, fidelity in _places(found.get("single_qubit_gate_fidelity")):
        yield "one_qubit_error", qubit, _percent("one_qubit_error", fidelity.get("value")), time
    two = _table(found.get("mean_two_qubit_gate_fidelity")).get("value")
    for name, value in (("two_qubit_error", two), ("readout_error", found.get("spam_fidelity_lower_bound"))):
        if value is not None:
            yield name, [], _percent(name, value), time
    for key, name in (("t1_s", "t1"), ("t2_coherence_time_s", "t2")):
        if key in found:
            yield name, [], to_si(name, _table(found[key]).get("value"), "s"), time
    for key, name in _AQT_TIMES.items():
        if key in found:
            yield name, [], to_si(name, found[key], "us"), time


def _percent(name: str, value: Any) -> float | None:
    return to_error(name, value / _PERCENT) if isinstance(value, (int, float)) else None


def _duration(name: str, wires: list[int], found: Any, time: float | None) -> Iterator[Row]:
    if isinstance(found, Mapping):
        yield name, wires, to_si(name, found.get("value"), str(found.get("unit") or "")), time


def _places(found: Any) -> Iterator[tuple[list[int], Mapping[str, Any]]]:
    """Yield the qubits that a key names ("7", "0-1") with what is said of them, in their order."""
    places = []
    for key, values in _table(found).items():
        parts = str(key).split("-")
        if isinstance(values, Mapping) and all(part.isdecimal() and len(part) < 10 for part in parts):  # noqa: PLR2004
            places.append(([int(part) for part in parts], values))
    yield from sorted(places, key=lambda place: place[0])


def _directed(pair: list[int], direction: Any) -> list[int]:
    if isinstance(direction, Mapping):
        directed = [direction.get("control"), direction.get("target")]
        return pair[::-1] if directed == pair[::-1] else pair
    return pair


def _table(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _list(found: Any) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
