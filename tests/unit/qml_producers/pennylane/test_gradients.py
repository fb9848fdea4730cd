"""What the method of a gradient should take, against what it takes."""

import pennylane as qml
import pytest
from pennylane import numpy as pnp

X = pnp.array([0.1, 0.2, 0.3], requires_grad=True)


def totals(recorder, work):
    """What the step of the run counted while `work` ran."""
    with recorder.run("gradients") as run:
        tally = run.steps.tally
        work()
        return tally.total()


def energy(x):
    for wire in range(3):
        qml.RY(x[wire], wires=wire)
        qml.RZ(0.5, wires=wire)
    qml.CNOT([0, 1])
    qml.CNOT([1, 2])
    return qml.expval(qml.Z(2))


@pytest.mark.parametrize(
    ("method", "options", "expected", "executed"),
    [
        ("parameter-shift", {}, 1 + 6, 1 + 6),
        ("hadamard", {"aux_wire": 3}, 1 + 3, 1 + 3),
        ("finite-diff", {}, 1 + 4, 1 + 4),
        ("finite-diff", {"strategy": "center", "approx_order": 2}, 1 + 6, 1 + 6),
        ("spsa", {}, 1 + 2, 1 + 2),
        ("spsa", {"num_directions": 5}, 1 + 10, 1 + 10),
        ("adjoint", {}, 1, 1),
        ("backprop", {}, 1, 1),
    ],
)
def test_a_gradient_expects_the_value_and_what_its_method_takes(
    recorder, installed, method, options, expected, executed
):
    node = qml.QNode(energy, qml.device("default.qubit", wires=4), diff_method=method, gradient_kwargs=options)
    counts = totals(recorder, lambda: qml.grad(node)(X))
    assert (counts.expected, counts.executions) == (expected, executed)


def test_a_parameter_that_does_not_matter_is_expected_and_not_executed(recorder, installed):
    def narrow(x):
        for wire in range(3):
            qml.RY(x[wire], wires=wire)
        return qml.expval(qml.Z(0))

    node = qml.QNode(narrow, qml.device("default.qubit", wires=3), diff_method="parameter-shift")
    counts = totals(recorder, lambda: qml.grad(node)(X))
    assert (counts.expected, counts.executions) == (7, 3)


def test_several_circuits_and_shots_add_up(recorder, installed):
    node = qml.QNode(energy, qml.device("default.qubit", wires=3, seed=1), diff_method="parameter-shift")
    node = qml.set_shots(node, 20)
    counts = totals(recorder, lambda: qml.grad(lambda x: node(x) + node(2 * x))(X))
    assert (counts.expected, counts.executions, counts.jobs, counts.shots) == (14, 14, 4, 280)


def test_a_value_alone_expects_itself(recorder, installed):
    node = qml.QNode(energy, qml.device("default.qubit", wires=3), diff_method="parameter-shift")
    counts = totals(recorder, lambda: node(X))
    assert (counts.expected, counts.executions, counts.jobs) == (1, 1, 1)
