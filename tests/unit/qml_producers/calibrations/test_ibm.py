import math
from datetime import UTC, datetime

import pytest
from qiskit.circuit import Measure
from qiskit.circuit.library import CXGate
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.calibrations.target import columns_of_target
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.testing import RecordedDevice


def by_name(columns):
    return {column.name: column for column in columns}


def value_of(column, *wires):
    return column.values[column.wires.index(list(wires))]


@pytest.fixture(scope="module")
def device():
    return RecordedDevice.load("hanoi", "2024-04-16")


def test_every_value_has_its_place_its_si_unit_and_its_own_date(device):
    columns = by_name(columns_of_properties(device.properties().to_dict()))
    snapshot = device.snapshot
    assert {"t1", "t2", "frequency", "anharmonicity", "readout_error", "readout_length", "cx_error"} <= set(columns)
    for qubit in range(27):
        assert value_of(columns["t1"], qubit) == pytest.approx(snapshot.t1_seconds(qubit))
        assert value_of(columns["frequency"], qubit) == pytest.approx(snapshot.frequency_hertz(qubit))
        assert value_of(columns["readout_length"], qubit) == pytest.approx(snapshot.readout_seconds(qubit))
    assert value_of(columns["cx_error"], 2, 3) == pytest.approx(0.0309, abs=1e-4)
    assert 1e-8 < value_of(columns["cx_length"], 2, 3) < 1e-5
    assert {column.unit for column in columns.values()} == {"s", "Hz", ""}
    recorded = next(value for value in snapshot.qubits[0] if value.name == "T1")
    assert columns["t1"].times[0] == recorded.date.timestamp()
    assert len(set(columns["t1"].times) | set(columns["cx_error"].times)) > 1


def test_sentinels_and_unknown_units_are_missing_and_dates_may_be_texts():
    def parameter(name, value, unit="", date="2026-01-02T03:04:05+00:00"):
        return {"name": name, "value": value, "unit": unit, "date": date}

    document = {
        "qubits": [
            [parameter("T1", 0.0, "us"), parameter("readout_error", 1.0), parameter("operational", 1)],
            [parameter("T1", 50.0, "parsec"), parameter("T2", math.nan, "us"), parameter("frequency", 5.0, "GHz")],
            [parameter("T1", 50.0, "us", datetime(2026, 1, 2, 3, 4, 5)), parameter("T2", 70, "µs", "soon")],  # noqa: DTZ001
        ],
        "gates": [{"gate": "cz", "qubits": [0, 1], "parameters": [parameter("gate_error", 1), parameter("other", 2)]}],
    }
    columns = by_name(columns_of_properties(document))
    assert sorted(columns) == ["cz_error", "frequency", "readout_error", "t1", "t2"]
    assert columns["t1"].values == [None, None, pytest.approx(5e-5)]
    assert columns["t2"].values == [None, pytest.approx(7e-5)]
    assert columns["readout_error"].values == columns["cz_error"].values == [None]
    assert columns["frequency"].values == [5e9]
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert columns["t1"].times == [when] * 3
    assert columns["t2"].times == [when, None]


def test_an_empty_document_has_no_columns():
    assert columns_of_properties({}) == []


def test_a_target_gives_the_same_values_without_dates(device):
    properties = by_name(columns_of_properties(device.properties().to_dict()))
    target = by_name(columns_of_target(device.target))
    assert {"t1", "t2", "frequency", "readout_error", "readout_length", "cx_error", "cx_length"} <= set(target)
    for name, column in target.items():
        assert set(column.times) == {None}
        for wires, value in zip(column.wires, column.values, strict=True):
            recorded = value_of(properties[name], *wires)
            assert value == (None if recorded is None else pytest.approx(recorded, rel=1e-9))


def test_any_target_can_be_read_and_what_it_does_not_know_has_no_row():
    target = Target(
        num_qubits=3, qubit_properties=[QubitProperties(t1=1e-4), QubitProperties(), QubitProperties(t1=2e-4)]
    )
    target.add_instruction(CXGate(), {(0, 1): InstructionProperties(error=0.01), (1, 2): None})
    target.add_instruction(Measure(), {(0,): InstructionProperties(error=1.0, duration=1e-6)})
    columns = by_name(columns_of_target(target))
    assert sorted(columns) == ["cx_error", "readout_error", "readout_length", "t1"]
    assert (columns["t1"].wires, columns["t1"].values) == ([[0], [2]], [1e-4, 2e-4])
    assert (columns["cx_error"].wires, columns["cx_error"].values) == ([[0, 1]], [0.01])
    assert columns["readout_error"].values == [None]
    assert calibration_id(columns.values()) == calibration_id(columns_of_target(target))


def test_a_target_without_any_values_has_no_columns():
    assert columns_of_target(Target(num_qubits=2)) == []
