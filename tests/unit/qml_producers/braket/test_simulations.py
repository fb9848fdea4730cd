"""The local simulator: no seed, so distributions are compared; each circuit is one job."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest
from braket.circuits import Circuit, FreeParameter, Observable
from braket.circuits.noise_model import GateCriteria, NoiseModel
from braket.circuits.noises import BitFlip
from braket.devices import LocalSimulator
from braket.program_sets import CircuitBinding, ProgramSet
from braket.tasks.local_quantum_task import LocalQuantumTask

from qml_producers.observing.nesting import INSIDE, NESTED
from quantum_mlops.circuits import parameters_digest

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_a_run_is_one_job_with_its_outcomes(installed, events):
    result = LocalSimulator().run(Circuit().x(0).i(1).i(2), shots=50).result()
    assert result.measurement_counts == {"100": 50}
    (created,), (completed,), (measured,) = events("job.created"), events("job.completed"), events("shots.measured")
    assert (created.data.provider, created.data.backend, created.data.shots_requested) == ("braket", "braket_sv", 50)
    assert created.data.job_id == completed.data.job_id == measured.data.job_id
    assert completed.data.provider_job_id == result.task_metadata.id
    assert (completed.data.shots_executed, completed.data.executions) == (50, 1)
    assert (measured.data.outcomes.bits, measured.data.outcomes.keys, measured.data.outcomes.counts) == (
        3,
        b"\x01",
        [50],
    )
    assert created.data.circuits[0].identity == measured.data.circuit
    assert created.data.cost is None


def test_distributions_are_those_without_us(installed, events):
    circuit = Circuit().ry(0, 0.8).cnot(0, 1).ry(1, 1.3)
    exact = LocalSimulator().run(copy.copy(circuit).probability(), shots=0).result().values[0]
    counts = LocalSimulator().run(circuit, shots=4000).result().measurement_counts
    found = np.array([counts[format(key, "02b")] for key in range(4)]) / 4000
    assert np.abs(found - exact).max() < 5 * np.sqrt(0.25 / 4000)
    told = events("shots.measured")[-1].data.outcomes
    mirrored = {int(key): count for key, count in zip(told.keys, told.counts, strict=True)}
    assert mirrored == {int(key[::-1], 2): count for key, count in counts.items()}


def test_only_the_measured_qubits_are_bits_in_their_order(installed, events):
    LocalSimulator().run(Circuit().x(2).i(0).i(1).measure([2, 0]), shots=5).result()
    (measured,) = (event.data for event in events("shots.measured"))
    assert (measured.outcomes.bits, measured.outcomes.keys) == (2, b"\x01")


def test_many_qubits_become_statistics(installed, events):
    circuit = Circuit()
    for qubit in range(13):
        circuit.h(qubit)
    LocalSimulator().run(circuit, shots=8000).result()
    (measured,) = (event.data for event in events("shots.measured"))
    assert measured.outcomes is None
    assert (measured.statistics.bits, measured.shots) == (13, 8000)


def test_without_shots_expectation_values_are_told_as_an_estimators(installed, events):
    from qml_producers.observing.expectations import observables_label

    circuit = Circuit().h(0).cnot(0, 1).rx(1, FreeParameter("a"))
    circuit.expectation(Observable.X() @ Observable.Y(), [0, 1]).expectation(Observable.Z(), 0).state_vector()
    result = LocalSimulator().run(circuit, inputs={"a": 0.7}).result()
    (created,), (measured,) = events("job.created"), events("shots.measured")
    assert (created.data.shots_requested, created.data.circuits[0].gate_counts) == (0, {"cx": 1, "h": 1, "rx": 1})
    assert measured.data.expectation.values == result.values[:2]
    assert measured.data.expectation.observables == observables_label([{"YX": 1.0}, {"IZ": 1.0}])
    assert (measured.data.shots, measured.data.parameters) == (0, parameters_digest([0.7]))
    assert measured.data.circuit == created.data.circuits[0].identity
    assert len(events("job.completed")) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda circuit: circuit.state_vector(),
        lambda circuit: circuit.probability(),
        lambda circuit: circuit.variance(Observable.Z(), 0),
        lambda circuit: circuit.expectation(Observable.Hermitian(np.eye(2)), 0),
        lambda circuit: circuit.expectation(Observable.Z()),
    ],
)
def test_other_exact_results_are_a_job_without_outcomes(ask, installed, events):
    LocalSimulator().run(ask(Circuit().h(0).cnot(0, 1)))
    assert len(events("job.created")) == len(events("job.completed")) == 1
    assert not events("shots.measured")


def test_a_batch_is_a_job_for_each_circuit_with_its_inputs(installed, events):
    circuit = Circuit().rx(0, FreeParameter("a"))
    batch = LocalSimulator().run_batch([circuit, circuit], shots=10, inputs=[{"a": 0.0}, {"a": np.pi}], max_parallel=1)
    assert [dict(result.measurement_counts) for result in batch.results()] == [{"0": 10}, {"1": 10}]
    measured = sorted((event.data for event in events("shots.measured")), key=lambda data: data.outcomes.keys)
    assert [each.outcomes.keys for each in measured] == [b"\x00", b"\x01"]
    assert [each.parameters for each in measured] == [parameters_digest([0.0]), parameters_digest([np.pi])]
    assert len({event.data.job_id for event in events("job.created")}) == len(events("job.completed")) == 2


def test_one_circuit_with_many_inputs_is_many_jobs(installed, events):
    circuit = Circuit().rx(0, FreeParameter("a"))
    LocalSimulator().run_batch(circuit, shots=10, inputs=[{"a": 0.0}, {"a": 1.0}, {"a": 2.0}], max_parallel=1)
    assert len(events("job.created")) == len(events("shots.measured")) == 3


def test_a_program_set_is_one_job_of_many_executions(installed, events):
    binding = CircuitBinding(Circuit().rx(0, FreeParameter("a")), {"a": [0.0, np.pi]})
    LocalSimulator().run(ProgramSet([binding, Circuit().x(0)], shots_per_executable=10)).result()
    (created,) = (event.data for event in events("job.created"))
    assert (created.shots_requested, created.executions, len(created.circuits)) == (10, 3, 2)
    measured = [(event.data.pub, event.data.part, event.data.outcomes.keys) for event in events("shots.measured")]
    assert measured == [(0, 0, b"\x00"), (0, 1, b"\x01"), (1, 0, b"\x01")]


def test_a_noise_model_is_no_obstacle(installed, events):
    model = NoiseModel().add_noise(BitFlip(0.0), GateCriteria())
    LocalSimulator("braket_dm", noise_model=model).run(Circuit().x(0), shots=10).result()
    (measured,) = (event.data for event in events("shots.measured"))
    assert (measured.backend, measured.outcomes.keys) == ("braket_dm", b"\x01")


MISTAKES = {
    "no program": lambda device: device.run(),
    "no program at all": lambda device: device.run("H"),
    "unbound": lambda device: device.run(Circuit().rx(0, FreeParameter("a")), shots=10),
    "an empty circuit": lambda device: device.run(Circuit(), shots=10),
    "no shots": lambda device: device.run(Circuit().h(0), shots=-1),
    "shots of each": lambda device: device.run_batch([Circuit().h(0)], shots=[1]),
    "batch unbound": lambda device: device.run_batch([Circuit().rx(0, FreeParameter("a"))], shots=1),
    "batch of other length": lambda device: device.run_batch([Circuit().h(0)], shots=1, inputs=[{}, {}]),
}


def mistake(name):
    try:
        MISTAKES[name](LocalSimulator())
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises
        return type(error), str(error)
    return None


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_the_same_mistake(name, recorder, events, instrumentation):
    bare = mistake(name)
    import braket.devices.local_simulator as module

    undo = instrumentation.install(recorder, module)
    watched = mistake(name)
    undo()
    assert watched == bare
    assert recorder.stats().reasons == {}
    if bare is not None:
        assert not events("job.completed")


def test_a_failed_run_is_a_failed_job(installed, events):
    with pytest.raises(NotImplementedError):
        LocalSimulator().run("H")
    (created,), (failed,) = events("job.created"), events("job.failed")
    assert created.data.job_id == failed.data.job_id
    assert failed.data.failure.code == "NotImplementedError"


def test_a_run_inside_another_observed_call_is_not_told_again(installed, events):
    token = INSIDE.set(NESTED)
    LocalSimulator().run(Circuit().h(0), shots=10)
    LocalSimulator().run_batch([Circuit().h(0)], shots=10, max_parallel=1)
    INSIDE.reset(token)
    assert not events("job.created", "job.completed", "shots.measured")


def test_a_task_is_the_sdks_own_and_pickles(installed):
    task = LocalSimulator().run(Circuit().x(0), shots=5)
    assert type(task) is LocalQuantumTask
    assert pickle.loads(pickle.dumps(task)).result().measurement_counts == {"1": 5}  # noqa: S301 - our own
    assert copy.deepcopy(task).result().measurement_counts == {"1": 5}


def test_threads_each_have_their_jobs(installed, recorder, events):
    def work(number):
        with recorder.run(f"run {number}"):
            for _ in range(3):
                LocalSimulator().run(Circuit().x(0), shots=number + 1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = {event.context.runid: event.data.shots_requested for event in events("job.created")}
    assert sorted(runs.values()) == [1, 2, 3, 4]
    assert len(events("shots.measured")) == 12


def test_a_forked_child_goes_on(installed, recorder, tmp_path):
    from quantum_mlops.spool.reader import read_folder

    LocalSimulator().run(Circuit().x(0), shots=5)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            LocalSimulator().run(Circuit().x(0), shots=6)
            status = 0 if recorder.flush(10) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    recorder.flush(10)
    created = [event for event in read_folder(tmp_path / "spool") if event.type.endswith("job.created.v1")]
    assert sorted(event.data.shots_requested for event in created) == [5, 6]


def test_undoing_leaves_every_attribute_as_it_was(recorder, instrumentation):
    import braket.aws
    import braket.devices.local_simulator as module
    from braket.aws.aws_quantum_task_batch import AwsQuantumTaskBatch
    from braket.jobs import metrics

    owners = [
        LocalSimulator,
        braket.aws.AwsDevice,
        braket.aws.AwsQuantumTask,
        braket.aws.AwsSession,
        AwsQuantumTaskBatch,
        metrics,
    ]
    before = [dict(vars(owner)) for owner in owners]
    undos = [instrumentation.install(recorder, each) for each in (module, braket.aws, metrics)]
    assert [dict(vars(owner)) for owner in owners] != before
    for undo in undos:
        undo()
        undo()
    assert [dict(vars(owner)) for owner in owners] == before


def test_what_the_user_changes_later_is_not_told(installed, events):
    circuit = Circuit().x(0)
    result = LocalSimulator().run(circuit, shots=5).result()
    result.measurements[:] = 0
    circuit.h(0)
    (measured,) = (event.data for event in events("shots.measured"))
    assert measured.outcomes.keys == b"\x01"
    assert events("job.created")[0].data.circuits[0].gate_counts == {"measure": 1, "x": 1}


def test_jobs_count_for_the_step(installed, recorder):
    with recorder.run("train") as run:
        LocalSimulator().run(Circuit().x(0), shots=5)
        LocalSimulator().run_batch([Circuit().x(0)] * 2, shots=7, max_parallel=1)
        assert run.steps.counted


def test_importing_the_door_loads_no_braket():
    import subprocess
    import sys

    code = (
        "import sys, qml_producers.braket.instrumentation, qml_producers.braket.door; "
        "sys.exit(any(name in sys.modules for name in ('braket', 'boto3', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_watching_the_simulator_loads_nothing_of_aws():
    """It takes 1.7 s, and who simulates need not have it loaded: only the hooks import it, when it is there."""
    import ast
    from pathlib import Path

    import qml_producers.braket

    for path in Path(qml_producers.braket.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith(("braket.aws", "boto")) for name in names), path.name
