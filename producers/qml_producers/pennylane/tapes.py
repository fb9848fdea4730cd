"""The wires of a tape in the order of its device, and which of them its measurements read out.

A device with wires gives their order. Without, whole numbers are places; other labels come in the order in which the
tape uses them, as PennyLane's simulators take them.
"""

from collections.abc import Sequence
from typing import Any

from pennylane.measurements import CountsMP, ProbabilityMP, SampleMP
from pennylane.ops import Controlled

_MOST_PLACES = 4096
_READOUTS = (SampleMP, CountsMP, ProbabilityMP)


def labels_of(operation: Any) -> tuple[Any, ...]:
    """Return the labels of an operator's wires, as its `wires` does; that costs 10 µs where there are controls."""
    if isinstance(operation, Controlled):
        return (*operation.hyperparameters["control_wires"].labels, *labels_of(operation.base))
    return operation.wires.labels  # type: ignore[no-any-return]


def qubits_of(tape: Any, device_wires: Sequence[Any] | None) -> dict[Any, int]:
    """Return the index of each wire, those of the device first; one entry for each qubit of the circuit."""
    used = labels_in(tape)
    if device_wires is not None:
        known = {label: index for index, label in enumerate(device_wires)}
        for label in used:
            known.setdefault(label, len(known))
        return known
    if used and all(type(label) is int and 0 <= label < _MOST_PLACES for label in used):
        return {label: label for label in range(max(used) + 1)}
    return {label: index for index, label in enumerate(used)}


def all_wires(tape: Any, device_wires: Sequence[Any] | None) -> list[Any]:
    """Return the wires of a measurement that names none, in the order of its result."""
    if device_wires is not None:
        return list(device_wires)
    used = labels_in(tape)
    whole = all(type(label) is int for label in used) and set(used) == set(range(len(used)))
    return sorted(used) if whole else list(used)


def is_readout(measurement: Any) -> bool:
    """Tell whether a measurement reads bits out, rather than eigenvalues or a value that was measured before."""
    return (
        isinstance(measurement, _READOUTS)
        and measurement.obs is None
        and measurement.mv is None
        and getattr(measurement, "_eigvals", None) is None
    )


def is_sampled(measurement: Any) -> bool:
    """Tell whether a measurement reads an observable out, outcome by outcome."""
    return isinstance(measurement, _READOUTS) and measurement.obs is not None


def labels_in(tape: Any) -> dict[Any, None]:
    """Return the labels of all wires in the order in which the tape uses them."""
    found: dict[Any, None] = {}
    for operation in tape.operations:
        for label in labels_of(operation):
            found[label] = None
    for measurement in tape.measurements:
        for label in measurement.wires.labels:
            found[label] = None
    return found


def sweep_of(tape: Any) -> int:
    """Return for how many values of its parameters a tape is executed: its `batch_size`, which costs 90 µs to ask."""
    for operation in tape.operations:
        for number, value in enumerate(operation.data):
            if type(value) is float or not getattr(value, "ndim", 0):
                continue
            dimensions = getattr(operation, "ndim_params", ())
            if number < len(dimensions) and value.ndim == dimensions[number] + 1:
                return int(value.shape[0])
    return 1
