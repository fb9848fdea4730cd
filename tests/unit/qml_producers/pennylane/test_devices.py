"""Devices, watched and not: the same results and errors, whatever class they are of and whenever it was made."""

import copy
import inspect
import pickle
import threading
from contextlib import contextmanager

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support

from qml_producers.pennylane.instrumentation import PennylaneInstrumentation
from qml_producers.pennylane.methods import METHODS
from quantum_mlops.testing.conformance.child import run_in_child

X = pnp.array([0.3, -0.7], requires_grad=True)


def ansatz(x):
    qml.RX(x[0], wires=0)
    qml.CNOT([0, 1])
    qml.RY(x[1], wires=1)


def expect(x):
    ansatz(x)
    return qml.expval(qml.Z(0) @ qml.X(1))


def count(x):
    ansatz(x)
    return qml.counts(), qml.sample(wires=0), qml.probs(wires=[1]), qml.expval(qml.Z(1))


def work(name):
    """What a user gets of one device: values, gradients, shots."""
    options = {"seed": 9} if name.startswith(("default.qubit", "default.mixed", "lightning")) else {}
    device = qml.device(name, wires=2, **options)
    counts, samples, probabilities, value = qml.set_shots(qml.QNode(count, device), 300)(X)
    found = [sorted(counts.items()), np.asarray(samples).tobytes(), np.asarray(probabilities).tobytes(), float(value)]
    methods = {
        "default.qubit": ("backprop", "adjoint", "parameter-shift", "finite-diff"),
        "lightning.qubit": ("adjoint", "parameter-shift"),
    }
    for method in methods.get(name, ("parameter-shift",)):
        node = qml.QNode(expect, device, diff_method=method)
        found += [np.asarray(node(X)).tobytes(), np.asarray(qml.grad(node)(X)).tobytes()]
    return found


@contextmanager
def watching(recorder):
    undo = PennylaneInstrumentation().install(recorder, qml)
    try:
        yield
    finally:
        undo()


@pytest.mark.parametrize("name", ["default.qubit", "default.mixed", "lightning.qubit", "reference.qubit"])
def test_results_are_those_without_us_bit_by_bit(recorder, events, name):
    if name == "reference.qubit":

        def run():
            node = qml.QNode(expect, qml.device(name, wires=2), diff_method="parameter-shift")
            return np.asarray(node(X)).tobytes(), np.asarray(qml.grad(node)(X)).tobytes()
    else:

        def run():
            return work(name)

    bare = run()
    with watching(recorder):
        assert run() == bare
    assert run() == bare
    assert {event.data.backend for event in events("job.created")} == {name}
    assert len(events("job.created")) == len(events("job.completed"))
    assert recorder.stats().reasons == {}


def test_second_derivatives_go_through_boxes_in_boxes(recorder):
    node = qml.QNode(expect, qml.device("default.qubit", wires=2), diff_method="backprop")

    def run():
        return np.asarray(qml.jacobian(qml.grad(node))(X)).tobytes()

    bare = run()
    with watching(recorder):
        assert run() == bare
    recorder.flush(10)
    assert recorder.stats().reasons == {}


def test_the_users_tracker_sees_what_it_sees_without_us(recorder, events):
    def run():
        device = qml.device("default.qubit", wires=2, seed=3)
        node = qml.set_shots(qml.QNode(expect, device, diff_method="parameter-shift"), 50)
        seen = []
        with qml.Tracker(node.device, callback=lambda totals, history, latest: seen.append(dict(latest))) as tracker:
            node(X)
            qml.grad(node)(X)
        return tracker.totals, [sorted(each) for each in seen]

    bare = run()
    with watching(recorder):
        assert run() == bare
    assert [event.data.executions for event in events("job.created")] == [1, 1, 4]
    assert sum(event.data.executions for event in events("job.created")) == bare[0]["executions"]


class Plain(Device):
    """A device of the user's own, with no more than it needs."""

    def execute(self, circuits, execution_config=None):
        if isinstance(circuits, qml.tape.QuantumScript):
            return 0.5
        return tuple(0.5 for _ in circuits)


TAPE = qml.tape.QuantumScript([qml.RX(0.1, 0)], [qml.expval(qml.Z(0))])


def test_a_class_of_the_users_own_is_watched_from_before_and_from_after(recorder, installed, events):
    assert Plain(wires=1).execute(TAPE) == 0.5

    @simulator_tracking
    @single_tape_support
    class Later(Device):
        def execute(self, circuits, execution_config=None):
            return tuple(0.25 for _ in circuits)

    class Latest(Later):
        """With nothing of its own."""

    class Calling(Later):
        def execute(self, circuits, execution_config=None):
            return super().execute(circuits, execution_config)

    for kind in (Later, Latest, Calling):
        device = kind(wires=1)
        with device.tracker:
            assert device.execute(TAPE) == 0.25
        assert device.tracker.totals["batches"] == 1
    created = events("job.created")
    assert [event.data.backend for event in created] == ["Plain", "Later", "Latest", "Calling"]
    assert {event.data.provider for event in created} == {"pennylane"}


def test_undone_every_method_of_every_class_is_what_it_was_later_classes_too(recorder, instrumentation):
    def everything():
        kinds, waiting = [Device], [Device]
        while waiting:
            waiting += (found := waiting.pop().__subclasses__())
            kinds += found
        return {(kind, name): kind.__dict__.get(name) for kind in kinds for name in (*METHODS, "__init__")}

    undo = instrumentation.install(recorder, qml)

    class Late(Device):
        def execute(self, circuits, execution_config=None):
            return ()

    original = Late.__dict__["execute"]
    Late(wires=1)
    assert Late.__dict__["execute"] is not original
    undo()
    undo()
    assert Late.__dict__["execute"] is original
    after = everything()
    instrumentation.install(recorder, qml)()
    assert all(after[key] is method for key, method in everything().items())


def test_signatures_derivative_support_and_pickles_are_untouched(recorder, installed):
    device = qml.device("default.qubit", wires=2)
    assert list(inspect.signature(device.execute).parameters) == ["circuits", "execution_config"]
    assert device.supports_derivatives(ExecutionConfig(gradient_method="adjoint"))
    assert not Plain(wires=1).supports_derivatives(ExecutionConfig(gradient_method="device"))
    plain = pickle.loads(pickle.dumps(Plain(wires=1)))  # noqa: S301 - our own
    assert plain.execute(TAPE) == 0.5
    assert copy.deepcopy(device).execute(TAPE) == pytest.approx(np.cos(0.1))


@pytest.mark.parametrize("watched", [False, True])
def test_errors_are_the_users_and_told_as_a_failed_job(recorder, events, watched):
    class Broken(Device):
        def execute(self, circuits, execution_config=None):
            raise ZeroDivisionError("the fridge is warm")

    undo = PennylaneInstrumentation().install(recorder, qml) if watched else (lambda: None)
    with pytest.raises(ZeroDivisionError, match="^the fridge is warm$"):
        Broken(wires=1).execute(TAPE)
    with pytest.raises(TypeError, match="circuits"):
        qml.device("default.qubit").execute()
    undo()
    failed = events("job.failed")
    assert [event.data.failure.message for event in failed][:1] == (["the fridge is warm"] if watched else [])
    assert events("job.completed") == []


def test_an_interrupted_execution_is_cancelled(recorder, installed, events):
    class Stopped(Device):
        def execute(self, circuits, execution_config=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stopped(wires=1).execute(TAPE)
    assert len(events("job.cancelled")) == 1


def test_circuits_from_a_generator_are_all_run_and_all_told(recorder, installed, events):
    device = qml.device("default.mixed", wires=1)
    results = device.execute(TAPE for _ in range(3))
    assert results == pytest.approx([np.cos(0.1)] * 3)
    (created,) = events("job.created")
    assert created.data.executions == 3
    assert len(created.data.circuits) == 1  # three times the same
    assert len(events("shots.measured")) == 3
    with pytest.raises(TypeError, match="generator"):  # as without us
        qml.device("default.qubit", wires=1).execute(TAPE for _ in range(3))
    assert len(events("job.failed")) == 1


def test_what_the_user_changes_afterwards_is_not_told(recorder, installed, events):
    matrix, state = np.eye(2, dtype=complex), np.array([1.0, 0.0])
    tape = qml.tape.QuantumScript(
        [qml.StatePrep(state, 0), qml.QubitUnitary(matrix, 0)], [qml.probs(wires=0)], shots=10
    )
    result = qml.device("default.qubit", wires=1).execute(tape)
    matrix[:], state[:], result[:] = 0, 0, 0
    first = events("job.created")[0].data.circuits[0].identity
    (measured,) = events("shots.measured")
    assert measured.data.outcomes.counts == [10]
    fresh = [qml.StatePrep(np.array([1.0, 0.0]), 0), qml.QubitUnitary(np.eye(2, dtype=complex), 0)]
    qml.device("default.qubit", wires=1).execute(qml.tape.QuantumScript(fresh, [qml.probs(wires=0)], shots=10))
    assert events("job.created")[1].data.circuits[0].identity == first


def test_threads_each_have_their_own_jobs(recorder, installed, events):
    def train():
        node = qml.QNode(expect, qml.device("default.qubit", wires=2), diff_method="parameter-shift")
        for _ in range(5):
            qml.grad(node)(X)

    threads = [threading.Thread(target=train) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    executions = [event.data.executions for event in events("job.created")]
    assert sorted(executions) == [1] * 20 + [4] * 20


def test_a_forked_child_runs_on_without_the_parents_jobs(recorder, installed, events):
    node = qml.QNode(expect, qml.device("default.qubit", wires=2))
    node(X)
    assert run_in_child(lambda: float(node(X))) == pytest.approx(float(node(X)))
    assert len(events("job.created")) >= 1


def test_traced_values_of_a_foreign_interface_are_left_alone(recorder, installed, events):
    class Tracer:
        """As jax's: whatever is asked of it but its shape raises."""

        shape, ndim = (), 0

        def __array__(self, *_, **__):
            raise RuntimeError("a tracer has no value")

        __float__ = __array__

    operation = qml.RX(0.1, 0)
    operation.data = (Tracer(),)
    Plain(wires=1).execute([qml.tape.QuantumScript([operation], [qml.expval(qml.Z(0))])])
    (created,) = events("job.created")
    assert created.data.circuits[0].gate_counts == {"rx": 1}


def test_a_device_that_breaks_what_we_read_still_runs_and_is_counted(recorder, instrumentation):
    class Odd(Plain):
        @property
        def wires(self):
            raise RuntimeError("no wires today")

    undo = instrumentation.install(recorder, qml)
    assert Odd(wires=1).execute(TAPE) == 0.5
    undo()
    recorder.flush(10)
    assert recorder.stats().reasons == {"instrumentation_failed": 1}


def test_a_qnode_inside_a_device_is_part_of_the_outer_job(recorder, installed, events):
    inner = qml.QNode(expect, qml.device("default.qubit", wires=2))

    class Layered(Device):
        def execute(self, circuits, execution_config=None):
            return tuple(inner(X) for _ in circuits)

    assert Layered(wires=2).execute((TAPE, TAPE))[0] == pytest.approx(float(inner(X)))
    assert [event.data.backend for event in events("job.created")] == ["Layered", "default.qubit"]
