"""Calibrations: what a provider says of its device, columnar and in SI units."""

from msgspec import Struct

from quantum_mlops.events.envelope import Label, Name
from quantum_mlops.events.job import Count


class CalibrationColumn(Struct, frozen=True, kw_only=True, gc=False):
    """One property over many places of a device.

    `name` is `t1`, `t2`, `frequency`, `anharmonicity`, `readout_error`, `prob_meas0_prep1`,
    `prob_meas1_prep0`, `readout_length`, or `<gate>_error` and `<gate>_length`; `one_qubit_error`,
    `two_qubit_error` and their lengths where the provider names no gate; `layer_fidelity` of a chain of
    qubits. `unit` is `s`, `Hz` or empty. `wires[i]` are the qubits of `values[i]`: one, two in the gate's
    direction, a chain, or none for the whole device; `times[i]` is when it was measured, Unix seconds. A
    missing value (a provider's sentinel) is null.
    """

    name: Name
    unit: Label = ""
    wires: list[list[Count]]
    values: list[float | None]
    times: list[float | None]


class CalibrationSnapshot(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All or a part of the values in force; parts of one snapshot share `calibration_id`.

    `calibration_id` is the hash of all values of all parts (see `quantum_mlops.calibrations`).
    """

    backend: Name
    provider: Label | None = None
    calibration_id: Name
    part: Count = 0
    parts: Count = 1
    columns: list[CalibrationColumn]
