"""Executions of devices: one job for each call of the user's, whatever runs inside it, and what the job says."""

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp

X = pnp.array([0.1, 0.2, 0.3, 0.4], requires_grad=True)


def ansatz(x):
    for wire in range(4):
        qml.RY(x[wire], wires=wire)
    for wire in range(3):
        qml.CNOT([wire, wire + 1])


def energy(x):
    ansatz(x)
    return qml.expval(qml.Z(0) @ qml.Z(1))


def node(diff_method="best", name="default.qubit", shots=None, **options):
    made = qml.QNode(energy, qml.device(name, wires=4, **options), diff_method=diff_method)
    return made if shots is None else qml.set_shots(made, shots)


def test_an_execution_is_one_job_with_its_circuit_and_its_shots(installed, events):
    node(shots=100, seed=1)(X)
    created, completed = events("job.created", "job.completed")
    job = created.data
    assert (job.provider, job.backend, job.primitive) == ("pennylane", "default.qubit", "execute")
    assert (job.shots_requested, job.executions, job.gradient_method) == (100, 1, "parameter-shift")
    (circuit,) = job.circuits
    assert (circuit.width, circuit.depth, circuit.two_qubit_gates) == (4, 4, 3)
    assert circuit.gate_counts == {"cx": 3, "ry": 4}
    assert job.provider_job_id == job.job_id == completed.data.job_id
    assert (completed.data.shots_executed, completed.data.executions) == (100, 1)
    assert completed.data.duration_seconds > 0


def test_a_parameter_shift_gradient_is_one_job_of_two_tapes_for_each_parameter(installed, events):
    made = node("parameter-shift")
    qml.grad(made)(X)
    forward, gradient = [event.data for event in events("job.created")]
    assert forward.executions == 1
    # RY on wires 2 and 3 does not reach the observable, so one of the four parameters is left out by PennyLane.
    assert gradient.executions == len(gradient.circuits) == 6
    assert {forward.gradient_method, gradient.gradient_method} == {"parameter-shift"}
    assert len({circuit.identity for circuit in gradient.circuits}) == 6


@pytest.mark.parametrize(
    ("diff_method", "name", "primitive"),
    [
        ("backprop", "default.qubit", "execute"),
        ("adjoint", "default.qubit", "execute_and_compute_derivatives"),
        ("adjoint", "lightning.qubit", "execute_and_compute_derivatives"),
    ],
)
def test_backprop_and_adjoint_take_value_and_gradient_in_one_execution(installed, events, diff_method, name, primitive):
    gradient = qml.grad(node(diff_method, name))(X)
    (created,) = events("job.created")
    assert (created.data.primitive, created.data.executions) == (primitive, 1)
    assert created.data.gradient_method == diff_method
    (measured,) = events("shots.measured")
    assert measured.data.expectation.values == pytest.approx([float(node()(X))])
    assert gradient[1] == pytest.approx(-np.sin(0.2))


def test_a_batch_of_a_thousand_circuits_is_one_job_with_64_of_them(installed, events):
    tapes = [qml.tape.QuantumScript([qml.RX(0.001 * number, 0)], [qml.expval(qml.Z(0))]) for number in range(1000)]
    qml.device("default.qubit", wires=1).execute(tapes)
    (created,) = events("job.created")
    assert created.data.executions == 1000
    assert len(created.data.circuits) == 64
    assert len(events("shots.measured")) == 256


def test_shots_too_many_for_the_queue_are_told_apart_from_the_end_of_the_job(installed, events):
    tape = qml.tape.QuantumScript([qml.X(0)], [qml.sample(wires=range(3))], shots=2_000_000)
    samples = np.tile(np.array([1, 0, 0]), (2_000_000, 1))

    class Ready(qml.devices.Device):
        def execute(self, circuits, execution_config=None):
            return (samples,)

    Ready(wires=3).execute((tape,))
    (measured,) = events("shots.measured")
    assert (measured.data.outcomes.keys, measured.data.outcomes.counts) == (b"\x01", [2_000_000])
    assert len(events("job.completed")) == 1


def test_a_state_too_large_to_copy_is_a_symbol(installed, events):
    amplitudes = np.zeros(2**17)
    amplitudes[0] = 1.0
    qml.device("default.qubit", wires=17).execute(
        qml.tape.QuantumScript([qml.StatePrep(amplitudes, range(17))], [qml.probs(wires=[0])], shots=5)
    )
    (created,) = events("job.created")
    assert created.data.circuits[0].gate_counts == {"measure": 1, "pennylane.StatePrep": 1}


def test_a_batch_of_nothing_is_no_job(installed, events):
    assert list(qml.device("default.qubit", wires=1).execute(())) == []
    assert events("job.created", "job.completed") == []


def test_a_device_that_returns_an_iterator_leaves_it_to_the_user(recorder, instrumentation, events):
    class Lazy(qml.devices.DefaultQubit):
        def execute(self, circuits, execution_config=None):
            return iter([0.5 for _ in circuits])

    undo = instrumentation.install(recorder, qml)
    try:
        results = Lazy(wires=1).execute([qml.tape.QuantumScript([qml.X(0)], [qml.expval(qml.Z(0))])])
    finally:
        undo()
    assert list(results) == [0.5]
    assert len(events("job.completed")) == 1
    assert recorder.stats().reasons == {"instrumentation_failed": 1}
