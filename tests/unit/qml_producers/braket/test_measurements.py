"""Shots as Braket gives them, in the order and packing of events."""

from types import SimpleNamespace

import numpy as np
import pytest

from qml_producers.braket.circuits import CircuitFacts
from qml_producers.braket.measurements import _measured, pack_rows, parts_of
from quantum_mlops.events import Circuit


def result(measurements, qubits):
    return SimpleNamespace(measurements=np.array(measurements), measured_qubits=qubits)


def facts(measured, parameters=()):
    return CircuitFacts(Circuit(identity="c1:0"), measured=tuple(measured), parameters=parameters)


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 16, 17, 63, 64, 65, 100])
def test_packed_rows_are_the_numbers_that_the_mirrored_bits_spell(bits):
    shots = np.random.default_rng(bits).integers(0, 2, (50, bits))
    rows = pack_rows(shots)
    assert rows.shape == (50, (bits + 7) // 8)
    spelled = [int("".join(map(str, row[::-1])), 2) for row in shots.tolist()]
    assert [int.from_bytes(row.tobytes(), "big") for row in rows] == spelled


def test_few_shots_and_many_are_packed_alike():
    shots = np.random.default_rng(3).integers(0, 2, (30_000, 10))
    few, many = _measured(result(shots[:10_000], range(10))), _measured(result(shots, range(10)))
    assert (few.is_packed, many.is_packed) == (False, True)
    assert np.array_equal(few.rows(), many.rows()[:10_000])


def test_columns_follow_the_order_of_the_circuits_bits():
    found = parts_of(_measured(result([[1, 0, 0]], [7, 2, 5])), facts([2, 5, 7]), {})
    assert (found["outcomes"].bits, found["outcomes"].keys) == (3, b"\x04")
    found = parts_of(_measured(result([[1, 0, 0]], [7, 2, 5])), facts([1, 2, 3]), {})  # not those of the circuit
    assert found["outcomes"].keys == b"\x01"


def test_nothing_measured_is_nothing():
    assert _measured(SimpleNamespace(measurements=None, measured_qubits=None)) is None
    assert _measured(result(np.zeros((0, 3)), [0, 1, 2])) is None


def test_a_copy_does_not_change_with_the_users_array():
    shots = np.ones((5, 2), int)
    measured = _measured(SimpleNamespace(measurements=shots, measured_qubits=[0, 1]))
    shots[:] = 0
    assert measured.rows().tolist() == [[3]] * 5


def test_values_are_digested_only_where_all_are_known():
    known = facts([0], ("a", "c"))
    measured = _measured(result([[1]], [0]))
    assert parts_of(measured, known, {"a": 1.0})["parameters"] is None
    assert parts_of(measured, known, {"c": 1.0, "a": 2.0, "x": 3.0})["parameters"].startswith("p1:")
