"""IBM's properties document (`BackendProperties.to_dict()`, or its JSON) as columns.

Every value has the date at which it was measured: one document holds values of many days. `lf_N` is the layer fidelity
of the best chain of N qubits, which `general_qlists` names (McKay et al. 2023, arXiv:2311.05933; the error per layered
gate of the chain is 1 - lf ** (1 / (N - 1))). Couplings (`jq_*`, `zz_*`) are left out: IBM does not measure them anew.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from qml_producers.calibrations.columns import Row, columns_of, to_seconds, to_si
from quantum_mlops.events import CalibrationColumn

_QUBIT_NAMES = {"T1": "t1", "T2": "t2"} | {
    name: name
    for name in (
        "frequency", "anharmonicity", "readout_error", "prob_meas0_prep1", "prob_meas1_prep0", "readout_length",
    )
}  # fmt: skip
_GATE_NAMES = {"gate_error": "error", "gate_length": "length"}
_LAYER_FIDELITY = "lf_"


def columns_of_properties(document: Mapping[str, Any]) -> list[CalibrationColumn]:
    """Return the columns of the document, sorted by name; a value of unknown unit is missing.

    Raises:
        KeyError, TypeError, ValueError: it is no properties document.

    """
    return columns_of([*_qubits(document), *_gates(document), *_chains(document)])


def _qubits(document: Mapping[str, Any]) -> Iterator[Row]:
    for qubit, values in enumerate(document.get("qubits") or ()):
        for value in values:
            name = _QUBIT_NAMES.get(value["name"])
            if name is not None:
                yield name, [qubit], _si(name, value), to_seconds(value.get("date"))


def _gates(document: Mapping[str, Any]) -> Iterator[Row]:
    for gate in document.get("gates") or ():
        wires = [int(qubit) for qubit in gate["qubits"]]
        for value in gate["parameters"]:
            kind = _GATE_NAMES.get(value["name"])
            if kind is not None:
                name = f"{gate['gate']}_{kind}"
                yield name, wires, _si(name, value), to_seconds(value.get("date"))


def _chains(document: Mapping[str, Any]) -> Iterator[Row]:
    chains = {one["name"]: [int(qubit) for qubit in one["qubits"]] for one in document.get("general_qlists") or ()}
    for value in document.get("general") or ():
        if value["name"].startswith(_LAYER_FIDELITY) and value["name"] in chains:
            name = "layer_fidelity"
            yield name, chains[value["name"]], _si(name, value), to_seconds(value.get("date"))


def _si(name: str, value: Mapping[str, Any]) -> float | None:
    return to_si(name, value["value"], value.get("unit") or "")
