"""Optimizers: each step is a step of the run, with its own loss and gradient, and what it took against the theory."""

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp

from quantum_mlops.sdk.expectation import Expectation
from quantum_mlops.sdk.step import take_step

START = [0.1, 0.2, 0.3]


def ansatz(x):
    for wire in range(3):
        qml.RY(x[wire], wires=wire)
    qml.CNOT([0, 1])
    qml.CNOT([1, 2])


def make(diff_method="parameter-shift", shots=None):
    @qml.qnode(qml.device("default.qubit", wires=3, seed=5), diff_method=diff_method)
    def cost(x):
        ansatz(x)
        return qml.expval(qml.Z(0) @ qml.Z(1) @ qml.Z(2))

    return cost if shots is None else qml.set_shots(cost, shots)


def start():
    return pnp.array(START, requires_grad=True)


def steps(events):
    return [(event.context.step, event.data) for event in events("metric.logged")]


def test_a_step_tells_loss_gradient_and_executions_against_two_for_each_parameter(recorder, installed, events):
    cost, optimizer, x = make(), qml.GradientDescentOptimizer(0.1), start()
    gradient = qml.grad(cost)(x)
    with recorder.run("training"):
        for _ in range(2):
            x, loss = optimizer.step_and_cost(cost, x)
    (number, first), (later, second) = steps(events)
    assert (number, later) == (0, 1)
    assert first.values["loss"] == pytest.approx(float(cost(start())))
    assert first.gradient.size == 3
    assert first.gradient.norm == pytest.approx(float(np.linalg.norm(gradient)))
    assert first.gradient.variance == pytest.approx(float(np.var(gradient)))
    assert first.values["executions"] <= first.values["executions_expected"] == 1 + 2 * 3
    assert second.values["loss"] == pytest.approx(float(loss))
    assert {event.context.step for event in events("job.created")} >= {0, 1}


def test_step_without_cost_tells_the_loss_of_the_gradients_forward_pass(recorder, installed, events):
    cost = make("backprop")
    qml.AdamOptimizer(0.1).step(cost, start())
    ((_, logged),) = steps(events)
    assert logged.values["loss"] == pytest.approx(float(cost(start())))
    assert (logged.values["executions"], logged.values["executions_expected"], logged.values["jobs"]) == (1, 1, 1)


OPTIMIZERS = {
    "GradientDescent": (lambda: qml.GradientDescentOptimizer(), 1 + 6),
    "Momentum": (lambda: qml.MomentumOptimizer(), 1 + 6),
    "Nesterov": (lambda: qml.NesterovMomentumOptimizer(), 1 + 6),
    "Adagrad": (lambda: qml.AdagradOptimizer(), 1 + 6),
    "RMSProp": (lambda: qml.RMSPropOptimizer(), 1 + 6),
    "Adam": (lambda: qml.AdamOptimizer(), 1 + 6),
    "SPSA": (lambda: qml.SPSAOptimizer(maxiter=10), 2 + 1),
    "QNSPSA": (lambda: qml.QNSPSAOptimizer(seed=3, blocking=False), 2 + 4 + 1),
    "QNSPSA blocking": (lambda: qml.QNSPSAOptimizer(seed=3, resamplings=2), 2 * 6 + 2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_steps_as_without_us_and_is_told_with_its_theory(recorder, instrumentation, events, name):
    build, theory = OPTIMIZERS[name]

    def train():
        np.random.seed(7)  # noqa: NPY002 - what the optimizers draw from
        cost, optimizer, x, losses = make(shots=200), build(), start(), []
        for _ in range(3):
            x, loss = optimizer.step_and_cost(cost, x)
            losses.append(float(loss))
        return np.asarray(x).tobytes(), losses

    bare = train()
    undo = instrumentation.install(recorder, qml)
    watched = train()
    undo()
    assert watched == bare
    assert [logged.values["loss"] for _, logged in steps(events)] == pytest.approx(watched[1])
    for _, logged in steps(events):
        assert logged.values["executions_expected"] == theory
        assert 0 < logged.values["executions"] <= theory
        # PennyLane takes the overlaps of QNSPSA's metric without shots.
        overlaps = {"QNSPSA": 4, "QNSPSA blocking": 8}.get(name, 0)
        assert logged.values["shots"] == 200 * (logged.values["executions"] - overlaps)
        assert (logged.gradient is None) == name.startswith("QNSPSA")
    assert recorder.stats().reasons == {}


def test_natural_gradient_and_rotosolve_and_adaptive_shots_are_one_step_each(recorder, installed, events):
    cost = make()
    qml.QNGOptimizer(0.1).step(cost, start())
    qml.RotosolveOptimizer().step_and_cost(cost, start(), nums_frequency={"x": {(i,): 1 for i in range(3)}})
    shots = qml.ShotAdaptiveOptimizer(min_shots=50)
    shots.step(make(shots=50), pnp.array([1.0, 1.1, 1.2], requires_grad=True))
    natural, rotosolve, adaptive = [logged for _, logged in steps(events)]
    assert natural.gradient.size == adaptive.gradient.size == 3
    assert natural.values["loss"] == pytest.approx(float(cost(start())))
    assert rotosolve.gradient is None
    assert rotosolve.values["executions"] == rotosolve.values["executions_expected"] == (2 + 1) * 3
    assert adaptive.values["shots"] >= 50 * 2 * 3


def test_a_cost_without_circuits_is_no_step_of_a_training(recorder, installed, events):
    x = start()
    for _ in range(3):
        x = qml.GradientDescentOptimizer(0.1).step(lambda values: pnp.sum(values**2), x)
    assert steps(events) == []


def test_in_a_step_of_the_users_and_after_steps_of_the_users_nothing_is_told_twice(recorder, installed, events):
    cost, optimizer, x = make(), qml.GradientDescentOptimizer(0.1), start()
    with recorder.run("training"):
        with take_step(recorder, None, {}, None, Expectation()):
            x = optimizer.step(cost, x)
        (only,) = steps(events)
        assert only[1].gradient is None  # the user's step, with what we counted
        assert only[1].values["executions"] > 1
        for _ in range(4):
            x, loss = optimizer.step_and_cost(cost, x)
            take_step(recorder, None, {"loss": loss}, None, Expectation())
    told = steps(events)
    assert len([logged for _, logged in told if logged.gradient is not None]) == 1  # before the user's came between


def test_a_step_that_fails_raises_the_optimizers_error_and_is_not_told(recorder, installed, events):
    def broken(x):
        raise ZeroDivisionError("of the user's own")

    with pytest.raises(ZeroDivisionError, match="of the user's own"):
        qml.GradientDescentOptimizer().step(broken, start())
    assert steps(events) == []
    qml.GradientDescentOptimizer().step(make(), start())
    assert [number for number, _ in steps(events)] == [0]


def test_two_arguments_and_those_that_are_not_trained_give_one_gradient(recorder, installed, events):
    @qml.qnode(qml.device("default.qubit", wires=1))
    def cost(x, y, z):
        qml.RX(x[0], wires=0)
        qml.RY(y[0, 0], wires=0)
        qml.RZ(z, wires=0)
        return qml.expval(qml.Z(0))

    qml.GradientDescentOptimizer().step(
        cost,
        pnp.array([0.1, 0.2], requires_grad=True),
        pnp.array([[0.3]], requires_grad=True),
        pnp.array(0.5, requires_grad=False),
    )
    ((_, logged),) = steps(events)
    assert logged.gradient.size == 3


def test_an_optimizer_of_the_users_own_class_is_watched_through_the_one_it_derives_from(recorder, installed, events):
    class Halving(qml.GradientDescentOptimizer):
        def apply_grad(self, grad, args):
            self.stepsize /= 2
            return super().apply_grad(grad, args)

    Halving(0.4).step(make(), start())
    assert len(steps(events)) == 1


def test_undone_the_optimizers_are_what_they_were(recorder, instrumentation):
    before = {
        (kind, name): kind.__dict__.get(name)
        for kind in (qml.GradientDescentOptimizer, qml.SPSAOptimizer, qml.QNGOptimizer)
        for name in ("step", "step_and_cost", "compute_grad")
    }
    undo = instrumentation.install(recorder, qml)
    assert qml.SPSAOptimizer.__dict__["step"] is not before[qml.SPSAOptimizer, "step"]
    undo()
    assert all(kind.__dict__.get(name) is method for (kind, name), method in before.items())
