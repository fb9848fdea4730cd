"""Plain numbers out of boxes and foreign arrays, copied, and nothing made up."""

import numpy as np
import pytest
from autograd import grad
from pennylane import numpy as pnp
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate

from qml_producers.observing.matrices import matrix_digest
from qml_producers.pennylane.values import plain
from qml_producers.qiskit import operations


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.5, 0.5),
        (2, 2),
        (1j, 1j),
        (np.float64(0.5), 0.5),
        (np.array(3.0), 3.0),
        (pnp.array(0.25, requires_grad=True), 0.25),
        (True, True),
    ],
)
def test_numbers_of_every_kind_become_numbers_of_python(value, number):
    found = plain(value)
    assert found == number
    assert type(found) is type(number)


def test_arrays_are_copies_without_the_users_class():
    mine = pnp.array([1.0, 2.0], requires_grad=True)
    found = plain(mine)
    mine[0] = 9.0
    assert type(found) is np.ndarray
    assert found.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("value", [None, "text", object(), np.array([object()], dtype=object)])
def test_what_is_no_number_has_no_value(value):
    assert plain(value) is None


def test_boxes_are_read_and_left_alone_even_boxes_in_boxes():
    seen = []

    def inner(x):
        seen.append(plain(x))
        return x**3

    assert grad(grad(inner))(2.0) == 12.0
    assert seen == [2.0]
    seen.clear()
    assert grad(inner)(2.0) == 12.0
    assert seen == [2.0]


def test_tensors_that_remember_their_gradient_are_detached():
    class Tensor:
        """As torch's: only the detached one has numbers."""

        def __init__(self, *, attached):
            self.attached = attached

        def detach(self):
            return Tensor(attached=False)

        def cpu(self):
            return self

        def __array__(self, dtype=None, copy=None):
            if self.attached:
                raise RuntimeError("call detach() first")
            return np.array([0.5, 1.5])

    assert plain(Tensor(attached=True)).tolist() == [0.5, 1.5]


def test_a_matrix_has_the_digest_that_it_has_in_qiskits_circuits():
    matrix = np.array([[0, 1], [1, 0]], dtype=complex)
    circuit = QuantumCircuit(1)
    circuit.append(UnitaryGate(matrix), [0])
    assert operations.operations_of(circuit)[0].parameters == [matrix_digest(matrix)]
