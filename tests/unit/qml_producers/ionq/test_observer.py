"""Real qiskit-ionq against the API's v0.4 on this machine: what is told of each job."""

import copy
import pickle
import threading

import numpy as np
import pytest
import qiskit.transpiler
import qiskit_ionq
from qiskit import QuantumCircuit, transpile
from qiskit_ionq import ErrorMitigation
from qiskit_ionq.exceptions import IonQGateError, IonQJobError, IonQJobFailureError

from qml_producers.observing.nesting import INSIDE, NESTED
from qml_producers.qiskit.circuits import read_circuit
from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from quantum_mlops.events import Cost, Money, short_name

JOBS = ("job.created", "job.queued", "job.running", "job.completed", "job.failed", "job.cancelled", "job.unknown")


def _kinds(found):
    return [short_name(event.type) for event in found]


@pytest.mark.usefixtures("installed")
def test_a_job_is_told_from_submission_to_its_shots(cloud, qpu, ghz, events):
    cloud.statuses = ("submitted", "ready", "started", "completed")
    polled = []

    job = qpu.run(ghz, shots=1000)
    result = job.result(wait=0, callback=lambda *seen: polled.append(seen[1].name))

    assert polled == ["INITIALIZING", "QUEUED", "RUNNING"]
    found = events(*JOBS)
    assert _kinds(found) == ["job.created", "job.queued", "job.running", "job.completed"]
    created, queued, running, completed = [event.data for event in found]
    assert {(each.job_id, each.provider, each.backend) for each in (created, queued, running, completed)} == {
        (job.job_id(), "ionq", "qpu.forte-1")
    }
    assert (created.provider_job_id, created.primitive) == (job.job_id(), "backend.run")
    assert (created.shots_requested, created.executions) == (1000, 1)
    (circuit,) = created.circuits
    assert circuit == read_circuit(ghz).circuit
    assert (queued.predicted_queue_seconds, queued.predicted_execution_seconds) == (5.0, 0.3)
    assert running.queue_seconds == 4.0
    assert completed.times.started.timestamp() - completed.times.created.timestamp() == pytest.approx(4.0)
    assert completed.times.ended.timestamp() - completed.times.started.timestamp() == pytest.approx(0.25)
    assert (completed.qpu_seconds, completed.queue_seconds, completed.shots_executed) == (0.25, 4.0, 1000)
    assert 0 < completed.duration_seconds < 10
    (measured,) = [event.data for event in events("shots.measured")]
    assert measured.circuit == circuit.identity
    assert [(register.name, register.bits) for register in measured.registers] == [("meas", 3)]
    keys = [f"{key:03b}" for key in measured.outcomes.keys]
    assert dict(zip(keys, measured.outcomes.counts, strict=True)) == dict(sorted(result.get_counts().items()))
    assert measured.shots == sum(result.get_counts().values())


@pytest.mark.usefixtures("installed")
def test_no_request_and_no_random_number_is_ours(cloud, simulator, ghz, events):
    asked = []
    for _ in range(2):
        cloud.requests.clear()
        np.random.seed(5)  # noqa: NPY002 - the global state is what must stay untouched
        before = np.random.get_state()[1].tolist()  # noqa: NPY002
        simulator.run(ghz, shots=100, sampler_seed=11).result()
        assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
        asked.append([(method, path.rpartition("/")[2][:8]) for method, path in cloud.requests])

    assert len(asked[0]) == len(asked[1]) == 3
    assert len(events("shots.measured")) == 2


def test_results_are_those_without_us(installed, simulator, ghz, recorder, instrumentation):
    with_us = simulator.run(ghz, shots=500, sampler_seed=3).result().get_counts()
    installed_undo = instrumentation.install(recorder, qiskit_ionq)
    installed_undo()
    without = simulator.run(ghz, shots=500, sampler_seed=3).result().get_counts()

    assert installed is instrumentation
    assert with_us == without


@pytest.mark.usefixtures("installed")
def test_the_first_reading_of_a_result_is_told_and_no_second(simulator, ghz, events):
    job = simulator.run(ghz, shots=100)
    first = job.result().get_counts()
    job.result()
    job.get_counts()

    (measured,) = [event.data for event in events("shots.measured")]
    assert sum(measured.outcomes.counts) == 100
    assert measured.outcomes.counts == [first[key] for key in sorted(first)]
    assert _kinds(events(*JOBS)) == ["job.created", "job.completed"]


@pytest.mark.usefixtures("installed")
def test_a_batch_is_one_job_of_several_circuits(cloud, qpu, ghz, ones, events):
    job = qpu.run([ghz, ones, ghz], shots=200)
    result = job.result()
    job.status(detailed=True)

    created = events("job.created")[0].data
    assert (created.executions, created.shots_requested) == (3, 200)
    assert [circuit.name for circuit in created.circuits] == ["ghz", "ones"]
    measured = [event.data for event in events("shots.measured")]
    assert [(each.pub, each.circuit_name) for each in measured] == [(0, "ghz"), (1, "ones"), (2, "ghz")]
    assert measured[1].outcomes.keys == b"\x03" or 3 in measured[1].outcomes.keys
    assert [each.shots for each in measured] == [sum(counts.values()) for counts in result.get_counts()]
    assert _kinds(events(*JOBS)) == ["job.created", "job.completed"]  # and none of the children
    assert len(cloud.jobs) == 4


@pytest.mark.usefixtures("installed")
def test_a_noisy_simulator_goes_by_its_model_and_has_no_qpu_seconds(simulator, ghz, events):
    simulator.run(ghz, shots=300, noise_model="aria-1").result()
    simulator.run(ghz, shots=300).result()

    noisy, ideal = [event.data for event in events("job.completed")]
    assert (noisy.backend, ideal.backend) == ("simulator.aria-1", "simulator")
    assert noisy.qpu_seconds is None
    assert (noisy.times.ended - noisy.times.started).total_seconds() == 0.25


@pytest.mark.usefixtures("installed")
def test_counts_are_told_as_the_user_has_them_even_where_their_sum_is_not_the_shots(cloud, qpu, ones, events):
    job = qpu.run(ones, shots=1000)
    cloud.jobs[job.job_id()].probabilities = {"0": 0.3333, "1": 0.3334, "2": 0.0004, "3": 0.3329}

    counts = job.result().get_counts()

    (measured,) = [event.data for event in events("shots.measured")]
    assert sum(counts.values()) == measured.shots == 999
    assert events("job.completed")[0].data.shots_executed == 1000


@pytest.mark.usefixtures("installed")
def test_a_failed_job_is_told_with_the_services_words_though_status_raises(cloud, qpu, ghz, events):
    cloud.statuses = ("failed",)
    job = qpu.run(ghz)

    with pytest.raises(IonQJobFailureError):
        job.status()
    assert job.result() is None

    (failed,) = [event.data for event in events("job.failed")]
    assert (failed.failure.code, failed.failure.message) == ("QuantumComputerError", "the ions were lost")
    assert _kinds(events(*JOBS)) == ["job.created", "job.failed"]


@pytest.mark.usefixtures("installed")
@pytest.mark.filterwarnings("ignore:Unable to retrieve result for job:UserWarning")
def test_a_cancelled_job_is_told_at_once_whoever_cancels(cloud, qpu, ghz, events):
    cloud.statuses = ("ready",)
    job, other = qpu.run(ghz), qpu.run(ghz)
    job.status()
    job.cancel()
    assert _kinds(events(*JOBS)) == ["job.created", "job.created", "job.queued", "job.cancelled"]
    cloud.jobs[other.job_id()].statuses = ["canceled"]
    job.status()
    other.status()

    told = [(event.data.job_id, event.data.times is not None) for event in events("job.cancelled")]
    assert told == [(job.job_id(), False), (job.job_id(), True), (other.job_id(), True)]


@pytest.mark.usefixtures("installed")
def test_a_job_that_completes_though_it_was_to_be_cancelled_is_told_as_completed(cloud, qpu, ghz, events):
    cloud.statuses = ("ready",)
    job = qpu.run(ghz)
    job.cancel()
    cloud.jobs[job.job_id()].statuses = ["completed"]
    job.result()

    assert _kinds(events(*JOBS, "shots.measured")) == [
        "job.created",
        "job.cancelled",
        "job.completed",
        "shots.measured",
    ]


@pytest.mark.usefixtures("installed")
def test_inside_another_observed_call_nothing_is_told(simulator, ghz, events):
    outside = INSIDE.set(NESTED)
    simulator.run(ghz, memory=True).result()
    INSIDE.reset(outside)

    assert events(*JOBS, "shots.measured") == []


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("word", "kind", "text"), [("running", "job.running", None), ("paused", "job.unknown", "paused")]
)
def test_words_that_the_sdk_refuses_are_told(cloud, qpu, ghz, events, word, kind, text):
    cloud.statuses = (word,)
    job = qpu.run(ghz)

    with pytest.raises(IonQJobError, match=f"Unknown or unmappable job status {word}"):
        job.status()

    assert _kinds(events(*JOBS)) == ["job.created", kind]
    assert events(kind)[0].data.status_text == text


@pytest.mark.usefixtures("installed")
def test_a_circuit_that_is_refused_is_a_failed_job(cloud, qpu, events):
    strange = QuantumCircuit(1, 1)
    strange.unitary(np.eye(2), 0)
    strange.measure(0, 0)

    with pytest.raises(IonQGateError, match="unitary"):
        qpu.run(strange)

    (failed,) = [event.data for event in events("job.failed")]
    assert (failed.failure.code, failed.backend, failed.provider) == ("IonQGateError", "qpu.forte-1", "ionq")
    assert cloud.asked("/jobs") == 0


@pytest.mark.usefixtures("installed")
def test_a_service_that_answers_again_later_is_asked_by_the_sdk_alone(cloud, qpu, ghz, events):
    cloud.fail("/jobs", 429, times=1, Retry_After="0")
    with pytest.warns(UserWarning, match="Retrying submit_job"):
        job = qpu.run(ghz, shots=10)
    cloud.fail(job.job_id(), 503, times=1)
    with pytest.warns(UserWarning, match="Retrying retrieve_job"):
        job.result()

    assert _kinds(events(*JOBS)) == ["job.created", "job.completed"]


@pytest.mark.usefixtures("installed")
def test_error_mitigation_and_session_are_told(qpu, ghz, events):
    qpu.run(ghz, shots=100, error_mitigation=ErrorMitigation.NO_DEBIASING, session_id="s-1")
    qpu.run(ghz, shots=2500)
    qpu.run(ghz, shots=100)

    created = [event.data for event in events("job.created")]
    assert [each.mitigation for each in created] == [
        {"debiasing": "false"},
        {"debiasing": "true", "default": "true"},
        {},
    ]
    assert [each.session_id for each in created] == ["s-1", None, None]


@pytest.mark.usefixtures("installed")
def test_an_estimate_comes_from_the_users_own_contract_alone(cloud, qpu, ghz, events, tmp_path, monkeypatch):
    book = tmp_path / "prices.toml"
    book.write_text(
        'name = "contract"\nversion = "7"\n[[prices]]\nprovider = "ionq"\ndevices = ["qpu.*"]\ncurrency = "USD"\n'
        "effective_from = 2026-01-01\none_qubit_gate_shot = 0.0001\ntwo_qubit_gate_shot = 0.001\n"
    )
    monkeypatch.setenv("QML_PRICES", str(book))

    cloud.statuses = ("ready",)
    qpu.run([ghz, ghz], shots=100).status()
    wide = QuantumCircuit(3)
    wide.ccx(0, 1, 2)
    wide.measure_all()
    qpu.run(wide, shots=100)

    first, second = [event.data for event in events("job.created")]
    amount = 100 * (2 * 0.0001 + 4 * 0.001)
    assert float(first.cost.estimated.amount) == pytest.approx(amount)
    assert first.cost.estimated.price_version == "contract 7"
    assert isinstance(first.cost.estimated, Money)
    assert events("job.queued")[0].data.cost == Cost(reserved=first.cost.estimated)
    assert second.cost is None  # what a gate on three qubits becomes is IonQ's affair


@pytest.mark.usefixtures("installed")
def test_what_the_user_changes_after_run_is_not_told(simulator, ghz, events):
    expected = read_circuit(ghz).circuit.identity
    job = simulator.run(ghz, shots=10)
    ghz.x(0)
    job.result()

    assert events("job.created")[0].data.circuits[0].identity == expected
    assert events("shots.measured")[0].data.circuit == expected


@pytest.mark.usefixtures("installed")
def test_jobs_pickle_and_copy_and_a_pickled_one_is_still_known(simulator, ghz, events):
    job = simulator.run(ghz, shots=10, sampler_seed=1)

    again = pickle.loads(pickle.dumps(job))  # noqa: S301 - our own bytes
    assert type(copy.copy(job)) is type(again) is type(job)
    assert again.result().get_counts() == job.result().get_counts()
    assert len(events("shots.measured")) == 1


@pytest.mark.usefixtures("installed")
def test_jobs_of_several_threads_are_told_once_each(simulator, ghz, events):
    def work():
        for _ in range(3):
            simulator.run(ghz, shots=20).result()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for kind in ("job.created", "job.completed", "shots.measured"):
        assert len({event.data.job_id for event in events(kind)}) == len(events(kind)) == 12


@pytest.mark.usefixtures("installed")
def test_a_transpiled_circuit_names_its_source(recorder, qpu, ghz, events):
    undo = QiskitInstrumentation().install(recorder, qiskit.transpiler)
    source = QuantumCircuit(2)
    source.u(0.1, 0.2, 0.3, 0)
    source.cx(0, 1)
    source.measure_all()
    qpu.run([transpile(source, qpu, optimization_level=0), ghz], shots=10)
    undo()

    transpiled, own = events("job.created")[0].data.circuits
    assert transpiled.source_identity == read_circuit(source).circuit.identity
    assert transpiled.identity != transpiled.source_identity
    assert own.source_identity is None


def test_a_job_of_another_process_is_not_told(cloud, simulator, ghz, installed, recorder, instrumentation, events):
    stranger = simulator.run(ghz, shots=20)
    instrumentation._observers.of(recorder).submissions.forget(
        instrumentation._observers.of(recorder).submissions.of(stranger.job_id())
    )
    simulator.retrieve_job(stranger.job_id()).result()

    assert installed is instrumentation
    assert _kinds(events(*JOBS)) == ["job.created"]
    assert cloud.asked(stranger.job_id()) == 2


def test_undoing_leaves_every_class_as_it_was(recorder, instrumentation):
    classes = (qiskit_ionq.ionq_backend.IonQBackend, qiskit_ionq.ionq_job.IonQJob, qiskit_ionq.ionq_client.IonQClient)
    before = [{name: id(value) for name, value in vars(each).items()} for each in classes]

    def now():
        return [{name: id(value) for name, value in vars(each).items()} for each in classes]

    undo = instrumentation.install(recorder, qiskit_ionq)
    changed = [
        name
        for old, new in zip(before, now(), strict=True)
        for name in old.items() ^ new.items()
        if name in old.items()
    ]
    assert sorted(name for name, _ in changed) == ["cancel_job", "result", "retrieve_job", "run"]
    undo()
    undo()

    assert now() == before


@pytest.mark.usefixtures("installed")
def test_an_error_that_quotes_the_key_or_has_no_words_is_the_users_own(backend, ghz, events, monkeypatch):
    class UntoldError(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    device = backend("ionq_qpu.forte-1")
    for error in (ValueError("Invalid header value: 'apiKey 5f2c9ab1'"), UntoldError()):

        def submit(*_args, error=error, **_kwargs):
            raise error

        monkeypatch.setattr(type(device.client), "submit_job", submit)
        with pytest.raises(type(error)) as caught:
            device.run(ghz)
        assert caught.value is error
    quoted, untold = [event.data.failure for event in events("job.failed")]
    assert quoted.message == "Invalid header value: 'apiKey [redacted]'"
    assert (untold.code, untold.message) == ("UntoldError", "")
