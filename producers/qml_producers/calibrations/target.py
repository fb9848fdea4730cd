"""A Qiskit Target as columns: what the user's own transpiler sees. A Target gives values without dates."""

from collections.abc import Iterator
from typing import Any

from qml_producers.calibrations.columns import Row, columns_of, to_si
from quantum_mlops.events import CalibrationColumn


def columns_of_target(target: Any) -> list[CalibrationColumn]:
    """Return the columns of a Qiskit Target, without dates; what the Target does not know has no row."""
    return columns_of(_rows(target))


def _rows(target: Any) -> Iterator[Row]:
    for qubit, properties in enumerate(target.qubit_properties or ()):
        for name in ("t1", "t2", "frequency"):
            value = getattr(properties, name, None)
            if value is not None:
                yield name, [qubit], to_si(name, value, ""), None
    for gate in target.operation_names:
        for wires, properties in (target[gate] or {}).items():
            if wires is None or properties is None:
                continue
            for kind, value in (("error", properties.error), ("length", properties.duration)):
                if value is not None:
                    name = f"{'readout' if gate == 'measure' else gate}_{kind}"
                    yield name, list(wires), to_si(name, value, ""), None
