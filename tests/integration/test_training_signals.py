"""Real small trainings on Aer, as `autolog` and `step` see them: from the loop to the findings of the training processor."""

import numpy as np
import pytest
from msgspec.structs import replace
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes, zz_feature_map
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import SamplerV2
from qiskit_machine_learning.algorithms import VQC
from qiskit_machine_learning.optimizers import ADAM, COBYLA, SPSA
from qiskit_machine_learning.utils import algorithm_globals

import quantum_mlops
from qml_processors.base import Finding
from qml_processors.training import TrainingProcessor
from quantum_mlops.config.rules import Rules, TrainingRule
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk import default
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.spool.reader import read_folder

SHOTS = 100


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """Autolog with a recorder of its own: the default one keeps its spool as long as the process lives."""
    recorder = Recorder()
    monkeypatch.setattr(default, "recorder", recorder)
    folder = tmp_path / "spool"
    undo = quantum_mlops.autolog(project="iris", target=f"spool:{folder}")
    yield folder
    undo()
    assert recorder.stats().reasons == {}
    recorder.close()


@pytest.fixture
def events(spool):
    """What was recorded so far, in the order of time."""

    def read():
        assert quantum_mlops.flush(10)
        return sorted(read_folder(spool), key=lambda event: (event.time, event.id))

    return read


def sampler(seed=1):
    return SamplerV2(seed=seed, default_shots=SHOTS, options={"backend_options": {"max_parallel_threads": 1}})


def findings(events, **rule):
    """What the training processor opens on real events, as the log would hand them to it."""
    processor, rules = TrainingProcessor(), Rules(training=TrainingRule(**rule))
    found, states = [], {}
    for event in events:
        for key in processor.keys(event):
            state = states.setdefault(key, processor.open(key))
            found += processor.apply(state, replace(event, ingestedtime=event.time), rules)
    return [output.rule for output in found if isinstance(output, Finding) and output.transition == "opened"]


@pytest.mark.parametrize(
    ("optimizer", "executions"),
    [
        (lambda: ADAM(maxiter=3, lr=0.1), [6 + 2 * 4 * 6] * 2 + [6 + 2 * 4 * 6 + 6]),
        (lambda: SPSA(maxiter=3, learning_rate=0.1, perturbation=0.1), [2 * 6] * 2 + [3 * 6]),
        (lambda: COBYLA(maxiter=8), [(4 + 2) * 6]),
    ],
)
def test_a_classifier_that_trains_tells_loss_gradient_and_executions_of_each_step(events, optimizer, executions):
    algorithm_globals.random_seed = 7
    generator = np.random.default_rng(7)
    features = generator.uniform(0, 1, (6, 2))
    labels = (features[:, 0] > features[:, 1]).astype(int)
    classifier = VQC(
        feature_map=zz_feature_map(2, reps=1),
        ansatz=real_amplitudes(2, reps=1),
        optimizer=optimizer(),
        sampler=sampler(),
        initial_point=np.array([0.1, 0.2, 0.3, 0.4]),
        pass_manager=generate_preset_pass_manager(
            1, basis_gates=["rz", "sx", "cx"], coupling_map=[[0, 1], [1, 0]], seed_transpiler=1
        ),
    )
    with quantum_mlops.run("vqc-1"):
        classifier.fit(features, labels)

    metrics = [event for event in events() if isinstance(event.data, MetricLogged)]
    told = [event.data for event in metrics]
    assert [event.context.step for event in metrics] == list(range(len(metrics)))
    assert [data.values["executions"] for data in told][: len(executions)] == executions
    assert all(data.values["executions"] == data.values["executions_expected"] for data in told)
    assert all(data.values["shots"] == SHOTS * data.values["executions"] for data in told)
    assert all(0 < data.values["loss"] < 3 for data in told)
    if not isinstance(optimizer(), COBYLA):
        assert all(data.gradient.size == 4 and data.gradient.norm > 0 for data in told)
    jobs = [event for event in events() if event.type == "quantum_mlops.job.completed.v1"]
    assert {event.context.step for event in jobs} == {event.context.step for event in metrics}
    assert findings(events()) == []


def parity(model, values, seed):
    """The expectation value of the parity of all qubits, at each row of parameter values."""
    result = sampler(seed).run([(model, values)]).result()[0].data.meas
    odd = np.unpackbits(result.array, axis=-1).sum(axis=-1) % 2
    return 1.0 - 2.0 * odd.mean(axis=-1)


def train(steps, rate, *, gradients):
    """Minimize the parity of a deep circuit over three of its parameters, by parameter shift."""
    circuit = real_amplitudes(10, reps=8)
    circuit.measure_all()
    model = circuit.decompose()
    values = np.random.default_rng(3).uniform(0, 2 * np.pi, model.num_parameters)
    shifts = np.zeros((7, model.num_parameters))
    for index in range(3):
        shifts[1 + 2 * index, index], shifts[2 + 2 * index, index] = np.pi / 2, -np.pi / 2
    with quantum_mlops.run("deep"):
        for step in range(steps):
            measured = parity(model, values + shifts, step + 1)
            gradient = (measured[1::2] - measured[2::2]) / 2
            quantum_mlops.step(
                loss=measured[0], gradient=gradient if gradients else None, parameters=gradient, accuracy=0.5
            )
            values[:3] -= rate * gradient


def test_a_plateau_is_found_from_what_a_real_training_on_it_tells(events):
    train(45, 0.01, gradients=True)
    told = [event.data for event in events() if isinstance(event.data, MetricLogged)]
    assert len(told) == 45
    assert all(data.gradient.size == 3 for data in told)
    assert all((data.values["executions"], data.values["executions_expected"]) == (7, 6) for data in told)
    assert findings(events(), plateau_steps=20) == ["BarrenPlateau"]


def test_a_training_that_does_not_move_is_found(events):
    train(45, 0.0, gradients=False)
    assert findings(events(), stall_steps=20) == ["TrainingStalled"]


def test_a_loss_that_is_not_finite_is_found_at_once(events):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    with quantum_mlops.run("log"), quantum_mlops.step() as step:
        zeros = sampler().run([circuit]).result()[0].data.meas.get_int_counts().get(0, 0)
        with np.errstate(divide="ignore"):
            step.log(loss=-np.log(zeros / SHOTS))
        assert findings(events()) == ["LossNaN"]  # within the step


def test_a_cost_function_that_answers_from_a_cache_shows_fewer_executions_than_its_method_takes(events):
    model = QuantumCircuit(1)
    model.h(0)
    model.measure_all()
    known = {}

    def cost(shift):
        if shift not in known:
            known[shift] = sampler().run([model]).result()[0].data.meas.get_int_counts().get(0, 0) / SHOTS
        return known[shift]

    with quantum_mlops.run("cached"):
        for _ in range(2):
            gradient = [(cost(shift + 1) - cost(shift - 1)) / 2 for shift in range(0, 12, 3)]
            quantum_mlops.step(gradient=gradient, parameters=gradient)
    told = [event.data.values for event in events() if isinstance(event.data, MetricLogged)]
    assert [(values.get("executions"), values["executions_expected"]) for values in told] == [(8, 8), (0, 8)]
