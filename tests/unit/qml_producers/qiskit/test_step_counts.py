"""What jobs of Qiskit count for the step in which they are submitted."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp

from qml_producers.qiskit.canary import QiskitCanary
from quantum_mlops.sdk.step import Step
from quantum_mlops.sdk.tally import Counts


@pytest.fixture
def swept():
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    return circuit


def test_each_element_of_a_sweep_is_an_execution_with_its_shots(installed, recorder, bell, swept):
    measured = swept.copy()
    measured.measure_all()
    with recorder.run("r") as run, Step(recorder, run) as step:
        StatevectorSampler(seed=1).run([bell, (measured, np.zeros((3, 2, 1)), 50)], shots=100).result()
    assert step.tally.total() == Counts(jobs=1, executions=7, shots=100 + 6 * 50)


def test_each_expectation_value_of_an_estimator_is_an_execution(installed, recorder, swept):
    with recorder.run("r") as run, Step(recorder, run) as step:
        StatevectorEstimator(seed=1).run([(swept, SparsePauliOp("Z"), np.zeros((5, 1)))]).result()
    assert step.tally.total() == Counts(jobs=1, executions=5)


def test_canaries_do_not_count(installed, recorder, bell):
    sampler = StatevectorSampler(seed=1)
    with recorder.run("r") as run, Step(recorder, run) as step:
        canary: QiskitCanary = installed.make_canary(recorder, bell, 1, 64, None)
        sampler.run([bell], shots=10).result()
        canary.cancel()
    assert step.tally.total() == Counts(jobs=1, executions=1, shots=10)


def test_a_refused_job_counts_nothing(installed, recorder, swept):
    with recorder.run("r") as run, Step(recorder, run) as step, pytest.raises(ValueError, match="."):
        StatevectorEstimator(seed=1).run([(swept, SparsePauliOp("Z"))]).result()
    assert step.tally.total() == Counts()
