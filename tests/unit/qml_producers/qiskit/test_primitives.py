"""The six primitives, watched and not: same results, same errors; one report for each call of the user."""

import inspect
import pickle
import sys
import threading
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import qiskit
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import (
    BackendEstimatorV2,
    BackendSamplerV2,
    PrimitiveJob,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import PassManager
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2, SamplerV2

from qml_producers.qiskit.instrumentation import QiskitInstrumentation

OBSERVABLE = SparsePauliOp(["ZZI", "IXX"], [1.0, -0.5])


def aer():
    return AerSimulator(max_parallel_threads=1)


PRIMITIVES = {
    "StatevectorSampler": lambda: StatevectorSampler(seed=7),
    "BackendSamplerV2": lambda: BackendSamplerV2(backend=aer(), options={"seed_simulator": 7}),
    "AerSampler": lambda: SamplerV2(seed=7, options={"backend_options": {"max_parallel_threads": 1}}),
    "StatevectorEstimator": lambda: StatevectorEstimator(seed=7),
    "BackendEstimatorV2": lambda: BackendEstimatorV2(backend=aer(), options={"seed_simulator": 7}),
    "AerEstimator": lambda: EstimatorV2(options={"run_options": {"seed_simulator": 7}}),
}
SAMPLERS = [name for name in PRIMITIVES if "Sampler" in name]


def ansatz(*, measured):
    circuit = real_amplitudes(3, reps=1)
    if measured:
        circuit.measure_all()
    return circuit


def work(name):
    """Run one job of two pubs on a new primitive, and return everything that its results hold."""
    primitive = PRIMITIVES[name]()
    values = np.random.default_rng(3).uniform(-3, 3, (2, 6))
    if name in SAMPLERS:
        circuit = ansatz(measured=True)
        result = primitive.run([(circuit, values), (circuit, values[0])], shots=200).result()
        found = [(pub.data.meas.array.tobytes(), pub.data.meas.array.shape) for pub in result]
    else:
        circuit = ansatz(measured=False)
        result = primitive.run([(circuit, OBSERVABLE, values), (circuit, "ZZZ", values[0])], precision=0.05).result()
        found = [(np.asarray(pub.data.evs).tobytes(), np.asarray(pub.data.stds).tobytes()) for pub in result]
    return found, sorted(result.metadata), [sorted(pub.metadata) for pub in result]


@contextmanager
def watching(recorder):
    instrumentation = QiskitInstrumentation()
    undos = [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules]
    try:
        yield instrumentation
    finally:
        for undo in undos:
            undo()


@pytest.mark.parametrize("name", PRIMITIVES)
def test_results_are_bitwise_those_without_us(name, recorder, events):
    bare = work(name)
    with watching(recorder):
        watched = work(name)
    assert watched == bare
    kinds = [event.type.split(".")[1:3] for event in events() if ".run." not in event.type]
    assert kinds.count(["job", "created"]) == kinds.count(["job", "completed"]) == 1
    assert kinds.count(["shots", "measured"]) == (3 if name in SAMPLERS else 2)
    assert recorder.stats().dropped == 0


def outcome(call):
    try:
        return "returned", repr(call())
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)


MISTAKES = {
    "no pubs at all": lambda primitive: primitive.run(),
    "not iterable": lambda primitive: primitive.run(5),
    "a bare circuit": lambda primitive: primitive.run(ansatz(measured=True)),
    "unbound parameters": lambda primitive: primitive.run([ansatz(measured=True)]),
    "too many values": lambda primitive: primitive.run([(ansatz(measured=True), np.zeros(9))]),
    "no shots": lambda primitive: primitive.run([ansatz(measured=True)], shots=0),
    "unknown keyword": lambda primitive: primitive.run([], colour="red"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", PRIMITIVES)
def test_mistakes_raise_the_same_error_and_count_as_a_failed_attempt(name, mistake, recorder, events):
    bare = outcome(lambda: MISTAKES[mistake](PRIMITIVES[name]()))
    with watching(recorder):
        watched = outcome(lambda: MISTAKES[mistake](PRIMITIVES[name]()))
    assert watched == bare
    assert isinstance(bare[0], type)
    (failed,) = events("job.failed")
    assert (failed.data.failure.code, failed.data.failure.message) == (bare[0].__name__, bare[1])
    assert events("job.created") == []


def test_an_error_in_the_job_is_raised_by_result_as_without_us_and_reported_once(recorder, events):
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.measure(0, 0)  # a statevector cannot measure in the middle

    def twice():
        job = StatevectorSampler().run([circuit])
        first = outcome(job.result)
        assert outcome(job.result) == first
        return first

    bare = twice()
    with watching(recorder):
        watched = twice()
    assert watched == bare
    assert isinstance(bare[0], type)
    ends = events("job.failed", "job.completed", "job.cancelled")
    assert [(event.data.failure.code, event.data.failure.message) for event in ends] == [(bare[0].__name__, bare[1])]
    assert [event.data.job_id for event in events("job.created")] == [ends[0].data.job_id]


@pytest.mark.parametrize("name", SAMPLERS)
def test_jobs_pickle_as_without_us(name, recorder, bell):
    """Qiskit 2 lets jobs be pickled, Qiskit 1 refuses."""

    def pickled():
        job = PRIMITIVES[name]().run([bell], shots=50)
        again = pickle.loads(pickle.dumps(job))  # noqa: S301 - our own bytes
        return (
            type(again),
            again.job_id() == job.job_id(),
            again.result()[0].data.meas.get_counts(),
            sorted(vars(again)),
        )

    bare = outcome(pickled)
    with watching(recorder):
        assert outcome(pickled) == bare
    if qiskit.__version__ >= "2":
        assert bare[0] == "returned"


def test_primitives_inside_primitives_are_one_job(installed, events, bell):
    class Device(AerSimulator):
        """A backend that samples with a primitive of its own, as local runtime services do."""

        def run(self, circuits, **options):
            SamplerV2().run([bell], shots=10).result()
            return super().run(circuits, **options)

    BackendSamplerV2(backend=Device()).run([bell], shots=30).result()
    (created,) = events("job.created")
    assert created.data.primitive == "BackendSamplerV2"
    assert [event.data.shots for event in events("shots.measured")] == [30]


def test_jobs_of_many_threads_are_all_reported_and_belong_to_their_run(installed, recorder, events, bell):
    def work(number):
        with recorder.run(f"run {number}"):
            for _ in range(3):
                SamplerV2().run([bell], shots=20 + number).result()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {event.context.runid: event.data.name for event in events("run.started")}
    shots = sorted((names[event.context.runid], event.data.shots) for event in events("shots.measured"))
    assert shots == sorted((f"run {number}", 20 + number) for number in range(4) for _ in range(3))


def test_a_result_belongs_to_the_step_in_which_its_job_was_submitted(installed, recorder, events, bell):
    slow = threading.Event()

    class Device(AerSimulator):
        def run(self, circuits, **options):
            assert slow.wait(10)
            return super().run(circuits, **options)

    sampler = BackendSamplerV2(backend=Device())
    with recorder.run("asynchronous") as run:
        jobs = []
        for run.step in range(3):
            jobs.append(sampler.run([bell], shots=5))
        slow.set()
        for job in jobs:
            job.result()
    steps = {event.data.job_id: event.context.step for event in events("job.created")}
    assert sorted(steps.values()) == [0, 1, 2]
    assert {event.data.job_id: event.context.step for event in events("job.completed")} == steps
    assert {event.data.job_id: event.context.step for event in events("shots.measured")} == steps


def test_a_job_whose_result_nobody_reads_is_reported_all_the_same(installed, events, bell):
    job = SamplerV2().run([bell], shots=40)
    while not job.in_final_state():
        threading.Event().wait(0.01)
    job._future.result()
    assert len(events("job.completed")) == 1
    assert [event.data.shots for event in events("shots.measured")] == [40]


def test_a_one_shot_iterator_of_pubs_is_read_once(installed, events, bell):
    result = SamplerV2(seed=1).run((pub for pub in [bell, bell]), shots=16).result()
    assert len(result) == 2
    assert [event.data.pub for event in events("shots.measured")] == [0, 1]


def test_later_changes_by_the_user_do_not_reach_the_report(installed, events):
    circuit = ansatz(measured=True)
    values = np.full(6, 0.5)
    sampler = StatevectorSampler(seed=1)
    sampler.run([(circuit, values)], shots=10).result()
    first = sampler.run([(circuit, values)], shots=10)
    result = first.result()
    values[:] = 9.0
    circuit.x(0)
    result[0].data.meas.array[:] = 7
    created, measured = events("job.created"), events("shots.measured")
    assert created[0].data.circuits == created[1].data.circuits
    assert measured[0].data.parameters == measured[1].data.parameters
    assert measured[0].data.outcomes == measured[1].data.outcomes


def test_a_changed_circuit_gets_another_identity_although_it_is_the_same_object(installed, events, bell):
    SamplerV2().run([bell]).result()
    bell.data[0] = bell.data[0].replace(operation=bell.data[0].operation.inverse())  # still H
    SamplerV2().run([bell]).result()
    bell.x(0)
    SamplerV2().run([bell]).result()
    names = [event.data.circuits[0].identity for event in events("job.created")]
    assert names[0] == names[1] != names[2]


def test_undoing_puts_back_what_was_there_and_reports_no_more(recorder, events, bell):
    owners = [(owner, "run") for owner in (StatevectorSampler, StatevectorEstimator, BackendSamplerV2)]
    owners += [(owner, "run") for owner in (BackendEstimatorV2, SamplerV2, EstimatorV2, PassManager)]
    owners.append((PrimitiveJob, "_submit"))
    before = [owner.__dict__[name] for owner, name in owners]
    sampler = SamplerV2()
    with watching(recorder):
        during = [owner.__dict__[name] for owner, name in owners]
        assert inspect.signature(SamplerV2.run) == inspect.signature(before[4])
    assert all(now is not then for now, then in zip(during, before, strict=True))
    assert [owner.__dict__[name] for owner, name in owners] == before
    sampler.run([bell]).result()
    assert events("job.created") == []


def test_undoing_leaves_a_wrapper_of_somebody_else_in_place(recorder, events, bell, monkeypatch):
    original = SamplerV2.run
    with watching(recorder):
        ours = SamplerV2.run

        def theirs(self, *args, **kwargs):
            return ours(self, *args, **kwargs)

        SamplerV2.run = theirs
    try:
        SamplerV2().run([bell]).result()
        assert SamplerV2.__dict__["run"] is theirs
        assert events("job.created") == []
    finally:
        SamplerV2.run = original


def test_a_recorder_that_fails_does_not_reach_the_user(installed, recorder, monkeypatch, bell):
    reported = []

    def broken(*args, **kwargs):
        raise RuntimeError("planted")

    monkeypatch.setattr(recorder, "defer", broken)
    monkeypatch.setattr(recorder, "report", lambda *args: reported.append(args[0]))
    assert SamplerV2(seed=1).run([bell], shots=8).result()[0].data.meas.num_shots == 8
    assert set(reported) == {"instrumentation_failed"}


class Unreadable(QuantumCircuit):
    """A circuit of the user's own that nobody can copy."""

    def copy(self, name=None):
        raise RuntimeError("planted")


def test_a_circuit_that_cannot_be_copied_is_a_job_without_circuits(recorder, events, bell):
    circuit = Unreadable(1, 1)
    circuit.measure(0, 0)
    with watching(recorder):
        job = SamplerV2(seed=1).run([circuit], shots=8)
        assert job.result()[0].data.c.num_shots == 8
    assert events("job.created")[0].data.circuits == []
    assert len(events("job.completed")) == 1
    assert recorder.stats().reasons == {"instrumentation_failed": 1}


def test_a_gate_that_cannot_be_read_is_a_job_without_that_circuit(recorder, events, bell):
    class Broken(Gate):
        def _define(self):
            raise RuntimeError("planted")

    class Tolerant(AerSimulator):
        def run(self, circuits, **options):
            return super().run([bell] * len(circuits), **options)

    circuit = QuantumCircuit(2, 2)
    circuit.append(Broken("broken", 1, []), [0])
    circuit.measure([0, 1], [0, 1])
    with watching(recorder):
        BackendSamplerV2(backend=Tolerant()).run([circuit, bell], shots=8).result()
    assert [each.name for each in events("job.created")[0].data.circuits] == ["bell"]
    assert len(events("job.completed")) == 1
    assert [event.data.pub for event in events("shots.measured")] == [1]
    assert set(recorder.stats().reasons) == {"instrumentation_failed"}


def test_an_error_while_the_pubs_are_listed_is_the_users(installed, bell):
    def pubs():
        yield bell
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        SamplerV2().run(pubs())


def test_nothing_happens_while_the_recorder_is_disabled(tmp_path, bell):
    from quantum_mlops.sdk.recorder import Recorder
    from quantum_mlops.sdk.settings import Settings

    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), enabled=False))
    with watching(recorder):
        job = SamplerV2().run([bell])
        assert type(job) is PrimitiveJob
        job.result()
    assert recorder.stats().written == recorder.stats().queued == 0


def test_a_circuit_without_registers_warns_as_without_us_and_measures_nothing(installed, events):
    circuit = QuantumCircuit(1)
    with pytest.warns(UserWarning, match="no output classical registers"):
        SamplerV2().run([circuit]).result()
    assert len(events("job.completed")) == 1
    assert events("shots.measured") == []


def test_importing_the_door_loads_no_qiskit():
    import subprocess

    code = (
        "import sys, qml_producers.qiskit.instrumentation; sys.exit('qiskit' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_watching_adds_no_warning(name, recorder, bell):
    def warned():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            PRIMITIVES[name]().run([bell]).result()
        return [(each.category, str(each.message)) for each in caught]

    bare = warned()
    with watching(recorder):
        assert warned() == bare
