import pytest

from qml_processors.drift.changes import SHOWN, describe_changes, rank_changes
from quantum_mlops.events import CalibrationColumn


def column(name, unit="", **values):
    wires = [[int(qubit) for qubit in key[1:].split("_")] for key in values]
    return CalibrationColumn(name=name, unit=unit, wires=wires, values=list(values.values()), times=[0.0] * len(values))


def test_errors_rank_by_the_change_of_their_probability():
    before = [column("cx_error", q0_1=0.0067, q2_3=0.0089), column("readout_error", q0=0.01)]
    after = [column("cx_error", q0_1=0.0209, q2_3=0.0309), column("readout_error", q0=0.005)]
    assert [(change.name, change.wires) for change in rank_changes(before, after)] == [
        ("cx_error", (2, 3)), ("cx_error", (0, 1)), ("readout_error", (0,)),
    ]  # fmt: skip


def test_relaxation_times_rank_by_the_decay_during_the_longest_two_qubit_gate():
    length = column("cx_length", "s", q0_1=3e-7)
    (change,) = rank_changes([column("t1", "s", q7=1e-4), length], [column("t1", "s", q7=7.45e-6), length])
    assert change.weight == pytest.approx(3e-7 / 6 * (1 / 7.45e-6 - 1 / 1e-4))


def test_both_directions_of_an_edge_with_equal_values_are_one_change():
    before, after = column("cx_error", q0_1=0.01, q1_0=0.01), column("cx_error", q0_1=0.02, q1_0=0.02)
    assert len(rank_changes([before], [after])) == 1


def test_what_is_missing_or_equal_on_one_side_is_no_change():
    assert rank_changes([column("t1", "s", q0=1e-4, q1=None)], [column("t1", "s", q0=1e-4, q1=2e-4, q2=1e-4)]) == []


def test_frequencies_are_not_ranked_as_errors():
    assert rank_changes([column("frequency", "Hz", q0=5.0e9)], [column("frequency", "Hz", q0=5.1e9)]) == []


def test_the_text_names_direction_and_units_and_is_bounded():
    before = [column("t1", "s", q0=1e-4), column("cx_error", **{f"q{n}_{n + 1}": 0.01 for n in range(20)})]
    after = [column("t1", "s", q0=2e-6), column("cx_error", **{f"q{n}_{n + 1}": 0.02 for n in range(20)})]
    described = describe_changes(rank_changes(before, after))
    assert len(described) == SHOWN
    assert described[0] == {
        "name": "t1",
        "qubits": "0",
        "before": "100 µs",
        "after": "2 µs",
        "change": "0.024 per operation, worse",
    }
    assert described[1]["change"] == "0.01 per operation, worse"


def test_gates_of_one_qubit_with_equal_values_are_one_row():
    before = [column(name, q3=0.000148) for name in ("id_error", "sx_error", "x_error")]
    after = [column(name, q3=0.0056) for name in ("id_error", "sx_error", "x_error")]
    (row,) = describe_changes(rank_changes(before, after))
    assert (row["name"], row["qubits"]) == ("id_error, sx_error, x_error", "3")
