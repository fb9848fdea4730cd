"""What the passes of a network should take, beside what the primitives execute."""

import numpy as np
import pytest
import qiskit.primitives
import qiskit_algorithms.optimizers
import qiskit_machine_learning.optimizers
import scipy.optimize
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms import gradients as algorithms
from qiskit_algorithms.gradients import ReverseEstimatorGradient
from qiskit_machine_learning.gradients import (
    LinCombEstimatorGradient,
    ParamShiftEstimatorGradient,
    ParamShiftSamplerGradient,
    SPSAEstimatorGradient,
)
from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN

from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from quantum_mlops.sdk.step import Step


@pytest.fixture
def qiskit_installed(recorder):
    undo = QiskitInstrumentation().install(recorder, qiskit.primitives)
    yield
    undo()


def circuit():
    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 3)
    made = QuantumCircuit(2)
    made.ry(inputs[0], 0)
    made.ry(inputs[1], 1)
    made.ry(weights[0], 0)
    made.cx(0, 1)
    made.ry(weights[1], 1)
    made.rx(weights[2], 0)
    return made, list(inputs), list(weights)


def estimator_network(gradient=ParamShiftEstimatorGradient, observables=1, **options):
    made, inputs, weights = circuit()
    estimator = StatevectorEstimator(seed=1)
    return EstimatorQNN(
        circuit=made,
        estimator=estimator,
        observables=[SparsePauliOp("ZZ"), SparsePauliOp("XI")][:observables],
        input_params=inputs,
        weight_params=weights,
        gradient=gradient(estimator, **options),
    )


def took(recorder, metrics, network, samples, *passes):
    """What a step took that makes these passes."""
    inputs, weights = np.linspace(0, 1, 2 * samples).reshape(samples, 2), np.array([0.1, 0.2, 0.3])
    with recorder.run("r") as run, Step(recorder, run):
        for name in passes:
            getattr(network, name)(inputs, weights)
    ((_, data),) = metrics()
    return data.values["executions"], data.values["executions_expected"]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda: estimator_network(), 5 + 2 * 3 * 5),
        (lambda: estimator_network(observables=2), (5 + 2 * 3 * 5) * 2),
        (lambda: estimator_network(LinCombEstimatorGradient), 5 + 3 * 5),
        (lambda: estimator_network(SPSAEstimatorGradient, epsilon=0.1, batch_size=4, seed=1), 5 + 2 * 4 * 5),
    ],
)
def test_a_forward_and_a_backward_pass_take_what_the_method_says(
    installed, qiskit_installed, recorder, metrics, network, expected
):
    assert took(recorder, metrics, network(), 5, "forward", "backward") == (expected, expected)


def test_a_samplers_network_takes_what_the_method_says(installed, qiskit_installed, recorder, metrics):
    made, inputs, weights = circuit()
    sampler = StatevectorSampler(seed=1)
    network = SamplerQNN(
        circuit=made, sampler=sampler, input_params=inputs, weight_params=weights,
        interpret=lambda x: x % 2, output_shape=2, gradient=ParamShiftSamplerGradient(sampler),
    )  # fmt: skip
    assert took(recorder, metrics, network, 4, "forward", "backward") == (4 + 24, 4 + 24)


def test_a_cached_pass_shows(installed, qiskit_installed, recorder, metrics):
    class Cached(StatevectorEstimator):
        """Answers a question that it was asked before without running it."""

        known = None

        def run(self, pubs, *, precision=None):
            self.known = self.known or super().run(pubs, precision=precision)
            return self.known

    network = estimator_network()
    network.estimator = Cached(seed=1)
    executions, expected = took(recorder, metrics, network, 5, "forward", "forward", "forward")
    assert (executions, expected) == (5, 15)


def test_gradients_that_run_nothing_or_are_unknown_expect_nothing(installed, recorder, metrics):
    made, _, _ = circuit()
    with recorder.run("r") as run, Step(recorder, run):
        ReverseEstimatorGradient().run([made], [SparsePauliOp("ZZ")], [np.zeros(5)]).result()
    assert metrics() == []


@pytest.mark.parametrize(
    ("make", "parameters", "expected"),
    [
        (lambda estimator: algorithms.ParamShiftEstimatorGradient(estimator), None, 2 * 2 * 5),
        (lambda estimator: algorithms.ParamShiftEstimatorGradient(estimator), 2, 2 * 2 * 2),
        (lambda estimator: algorithms.FiniteDiffEstimatorGradient(estimator, 0.01), None, 2 * 2 * 5),
        (lambda estimator: algorithms.FiniteDiffEstimatorGradient(estimator, 0.01, method="forward"), 2, 2 * 3),
        (lambda estimator: algorithms.SPSAEstimatorGradient(estimator, 0.01, batch_size=3, seed=1), None, 2 * 2 * 3),
        (lambda estimator: algorithms.LinCombEstimatorGradient(estimator), 1, 2),
    ],
)
def test_gradients_take_what_their_method_says(
    installed, qiskit_installed, recorder, metrics, make, parameters, expected
):
    made, _, _ = circuit()
    chosen = None if parameters is None else [list(made.parameters)[:parameters]] * 2
    with recorder.run("r") as run, Step(recorder, run):
        gradient = make(StatevectorEstimator(seed=1))
        gradient.run([made] * 2, [SparsePauliOp("ZZ")] * 2, [np.zeros(5)] * 2, chosen).result()
    ((_, data),) = metrics()
    assert (data.values["executions"], data.values["executions_expected"]) == (expected, expected)


def test_what_a_gradient_refuses_it_refuses_in_the_same_words(installed):
    gradient = algorithms.ParamShiftEstimatorGradient(StatevectorEstimator())
    with pytest.raises(TypeError, match="missing 3 required positional arguments"):
        gradient.run()


@pytest.mark.parametrize("method", ["L-BFGS-B", "SLSQP", "BFGS", "TNC"])
def test_values_that_an_optimizer_asks_for_beside_gradients_are_expected_too(
    installed, qiskit_installed, recorder, metrics, method
):
    made, _, _ = circuit()
    estimator = StatevectorEstimator(seed=1)
    gradient = algorithms.ParamShiftEstimatorGradient(estimator)
    observable = SparsePauliOp("ZZ")
    slopes = []

    def slope(x):
        slopes.append(gradient.run([made], [observable], [x]).result().gradients[0])
        return slopes[-1]

    with recorder.run("r"):
        result = scipy.optimize.minimize(
            lambda x: float(estimator.run([(made, observable, x)]).result()[0].data.evs),
            np.full(5, 0.3),
            jac=slope,
            method=method,
            options={"maxfun" if method == "TNC" else "maxiter": 4},
        )
    told = [data.values for _, data in metrics()]
    assert [values["executions"] for values in told] == [values["executions_expected"] for values in told]
    assert sum(values["executions"] for values in told) == result.nfev + 10 * len(slopes)


@pytest.mark.parametrize("package", [qiskit_algorithms.optimizers, qiskit_machine_learning.optimizers])
def test_a_natural_gradient_takes_its_fidelities_too(installed, qiskit_installed, recorder, metrics, package):
    made, _, _ = circuit()
    estimator = StatevectorEstimator(seed=1)
    fidelity = package.QNSPSA.get_fidelity(made, sampler=StatevectorSampler(seed=1))
    optimizer = package.QNSPSA(fidelity, maxiter=3, learning_rate=0.05, perturbation=0.1)
    with recorder.run("r"):
        optimizer.minimize(
            lambda x: float(estimator.run([(made, SparsePauliOp("ZZ"), x)]).result()[0].data.evs), np.full(5, 0.3)
        )
    told = [data.values for _, data in metrics()]
    assert [values["executions"] for values in told] == [values["executions_expected"] for values in told]
    assert told[1]["executions"] == 2 + 4 + 1
    assert told[1]["evaluations"] == 2 + 1
