"""Jobs of the real SDK on a stand-in for the service: told once each, and nothing asked that the user did not ask."""

import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import qiskit_ibm_runtime
from qiskit_ibm_runtime import EstimatorV2, Executor, QuantumProgram, RuntimeJobV2, SamplerV2
from qiskit_ibm_runtime.decoders.result_decoder import ResultDecoder
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler

from qml_producers.ibm.instrumentation import IbmInstrumentation
from tests.providers.ibm import Fault, JobScript
from tests.providers.ibm_device import Device

pytestmark = pytest.mark.filterwarnings("ignore:The (Sampler|Estimator)V2 class is deprecated:DeprecationWarning")

PRIMITIVES = {"SamplerV2": SamplerV2, "EstimatorV2": EstimatorV2, "Sampler": Sampler, "Estimator": Estimator}
QUICK = {"poll_interval": 0.1}
TERMINAL = ("job.completed", "job.failed", "job.cancelled")


def pubs(name, bell, estimate):
    return [bell] if "Sampler" in name else [estimate]


def values(result):
    found = result[0].data
    return found.meas.array.tobytes() if "meas" in found else np.asarray(found.evs).tobytes()


def outcome(call):
    try:
        return "returned", call()
    except Exception as error:  # noqa: BLE001
        return type(error), re.sub("[0-9a-f]{20}", "JOB", str(error))


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_job_is_told_once_with_the_result_and_the_requests_that_it_has_without_us(
    name, cloud, backend, bell, estimate, watching, events
):
    def work():
        cloud.requests.clear()
        job = PRIMITIVES[name](backend).run(pubs(name, bell, estimate))
        result = job.result(**QUICK)
        asked = [re.sub("[0-9a-f]{20}", "JOB", str(request)) for request in cloud.requests]
        return values(result), sorted(result.metadata), asked

    bare = work()
    watching()
    assert work() == bare
    (created,), (completed,), (measured,) = (
        events(kind) for kind in ("job.created", "job.completed", "shots.measured")
    )
    assert len([event for event in events() if ".job." in event.type]) == 2
    job = list(cloud.jobs.values())[-1]
    assert created.data.job_id == created.data.provider_job_id == completed.data.job_id == job.id
    assert (created.data.provider, created.data.backend, created.data.primitive) == ("ibm", "ibm_hanoi", name)
    assert created.data.pending_jobs == 3
    assert (created.data.footprint.qubits, created.data.footprint.edges) == ([0, 1], [(0, 1)])
    assert measured.data.footprint == created.data.footprint
    assert measured.data.shots == completed.data.shots_executed == 4096
    assert completed.data.duration_seconds >= completed.data.submit_seconds > 0


def test_samples_and_expectation_values_are_those_of_the_result(installed, backend, bell, estimate, events):
    sampled = SamplerV2(backend).run([bell]).result(**QUICK)[0].data.meas.get_int_counts()
    estimated = EstimatorV2(backend).run([estimate]).result(**QUICK)[0].data
    samples, expectation = (event.data for event in events("shots.measured"))
    assert dict(zip(samples.outcomes.keys, samples.outcomes.counts, strict=True)) == sampled
    assert expectation.expectation.values == [float(estimated.evs)]
    assert samples.registers[0].name == "meas"


def test_the_changes_of_status_that_the_polls_of_result_see_are_told(installed, cloud, backend, bell, events, kinds):
    cloud.script(JobScript(("Queued", "Queued", "Running")))
    job = SamplerV2(backend).run([bell])
    job.result(**QUICK)
    assert kinds() == ["job.completed", "job.created", "job.queued", "job.running", "shots.measured"]
    (running,), (completed,) = events("job.running"), events("job.completed")
    assert 0.2 <= running.data.queue_seconds == completed.data.queue_seconds < 5
    assert completed.data.qpu_seconds is None


def test_the_start_of_a_job_that_nobody_saw_gives_no_queue_time(installed, cloud, backend, bell, events, monkeypatch):
    cloud.script(JobScript(("Running",)))
    monkeypatch.setattr("qml_producers.ibm.life.SEEN_WITHIN_SECONDS", 0.0)
    job = SamplerV2(backend).run([bell])
    assert job.running()
    job.result(**QUICK)
    assert [event.data.queue_seconds for event in events("job.running", "job.completed")] == [None, None]


def test_a_status_that_we_do_not_know_is_told_once_with_its_words(installed, cloud, backend, bell, events):
    cloud.script(JobScript(("Paused", "Paused", "Queued", "Paused", "Defrosting")))
    job = SamplerV2(backend).run([bell])
    job.result(**QUICK)
    assert [event.data.status_text for event in events("job.unknown")] == ["PAUSED", "DEFROSTING"]
    assert len(events("job.completed")) == 1


def test_a_user_who_polls_is_told_of_the_end_once_and_of_the_shots_when_they_are_read(
    installed, cloud, backend, bell, events, kinds
):
    cloud.script(JobScript(("Queued",)))
    job = SamplerV2(backend).run([bell])
    assert [job.in_final_state(), job.done()] == [False, True]
    assert kinds() == ["job.completed", "job.created", "job.queued"]
    assert cloud.jobs[job.job_id()].results_read == 0
    for _ in range(2):
        job.result()
    assert kinds() == ["job.completed", "job.created", "job.queued", "shots.measured"]


def test_the_result_of_a_private_job_is_read_by_the_user_alone(cloud, backend, bell, watching, kinds):
    """The service gives it out once."""

    def work():
        sampler = SamplerV2(backend)
        sampler.options.environment.private = True
        job = sampler.run([bell])
        return job, [outcome(lambda: values(job.result())) for _ in range(2)]

    _, bare = work()
    watching()
    job, watched = work()
    assert watched == bare
    assert (bare[0][0], bare[1][0]) == ("returned", bare[1][0])
    assert bare[1][0] != "returned"
    assert cloud.jobs[job.job_id()].results_read == 2
    assert kinds() == ["job.completed", "job.created", "shots.measured"]


def test_a_result_that_is_not_there_in_time_is_no_end(installed, cloud, backend, bell, kinds):
    cloud.script(JobScript(("Queued",) * 3))
    job = SamplerV2(backend).run([bell])
    with pytest.raises(qiskit_ibm_runtime.RuntimeJobTimeoutError):
        job.result(timeout=0.05, **QUICK)
    assert kinds() == ["job.created", "job.queued"]
    job.result(**QUICK)
    assert kinds() == ["job.completed", "job.created", "job.queued", "shots.measured"]


def test_a_service_that_fails_while_the_user_asks_is_no_end(installed, cloud, backend, bell, kinds):
    job = SamplerV2(backend).run([bell])
    cloud.faults.append(Fault("GET /jobs", status=403))
    with pytest.raises(qiskit_ibm_runtime.api.exceptions.RequestsApiError):
        job.result()
    assert kinds() == ["job.created"]
    assert job.done()
    assert kinds() == ["job.completed", "job.created"]


FAILURES = {
    "failed": (JobScript(("Queued",), "Failed", "the device gave up", 1517), "RuntimeJobFailureError"),
    "ran too long": (JobScript(("Queued",), "Cancelled", "time limit", 1305), "RuntimeJobMaxTimeoutError"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_job_that_fails_raises_what_it_raises_without_us_and_has_failed_once(
    case, cloud, backend, bell, watching, events
):
    script, code = FAILURES[case]

    def work():
        cloud.script(script)
        job = SamplerV2(backend).run([bell])
        return [outcome(lambda: job.result(**QUICK)) for _ in range(2)]

    bare = work()
    watching()
    assert work() == bare
    (ended,) = events(*TERMINAL)
    assert ended.type == "quantum_mlops.job.failed.v1"
    assert (ended.data.failure.code, bare[0][0].__name__) == (code, code)
    assert str(script.reason_code) in ended.data.failure.message


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_that_a_poll_sees_is_named_as_result_would(case, installed, cloud, backend, bell, events):
    script, code = FAILURES[case]
    cloud.script(script)
    job = SamplerV2(backend).run([bell])
    while not job.errored():
        pass
    (ended,) = events(*TERMINAL)
    assert ended.data.failure.code == code
    assert script.reason in ended.data.failure.message


def test_the_older_words_for_a_job_that_ran_too_long_are_a_failure(installed, cloud, backend, bell, events):
    cloud.script(JobScript((), "Cancelled - Ran too long"))
    job = SamplerV2(backend).run([bell])
    assert job.status() == "CANCELLED - RAN TOO LONG"  # the SDK's own `result()` would wait for ever
    (ended,) = events(*TERMINAL)
    assert (ended.type, ended.data.failure.code) == ("quantum_mlops.job.failed.v1", "RuntimeJobMaxTimeoutError")


def test_a_cancelled_job_was_cancelled_and_did_not_fail(installed, cloud, backend, bell, events):
    cloud.script(JobScript(("Queued",), "Cancelled"), JobScript(("Queued",) * 9))
    by_service, by_user = (SamplerV2(backend).run([bell]) for _ in range(2))
    with pytest.raises(qiskit_ibm_runtime.RuntimeInvalidStateError, match="was cancelled"):
        by_service.result(**QUICK)
    by_user.cancel()
    with pytest.raises(qiskit_ibm_runtime.RuntimeInvalidStateError):
        by_user.result()
    assert [event.type for event in events(*TERMINAL)] == ["quantum_mlops.job.cancelled.v1"] * 2


def test_a_cancellation_that_is_refused_is_none(installed, cloud, backend, bell, kinds):
    job = SamplerV2(backend).run([bell])
    with pytest.raises(qiskit_ibm_runtime.RuntimeInvalidStateError, match="cannot be cancelled"):
        job.cancel()
    job.result()
    assert kinds() == ["job.completed", "job.created", "shots.measured"]


@pytest.mark.parametrize("old", [False, True])
def test_the_bill_is_told_once_it_is_final_from_the_users_own_question(old, installed, cloud, backend, bell, events):
    cloud.script(JobScript(bill_after=1, qpu_seconds=2.5, queue_seconds=30, old_metrics=old))
    job = SamplerV2(backend).run([bell])
    job.result()
    before = len(cloud.asked("metrics"))
    job.metrics()
    assert events("job.billed") == []
    job.metrics()
    job.metrics()
    (billed,) = events("job.billed")
    assert (billed.data.qpu_seconds, billed.data.queue_seconds) == (2.5, 30.0)
    assert (billed.data.times.started - billed.data.times.created).total_seconds() == 30
    assert len(cloud.asked("metrics")) == before + 3


def test_a_refused_submission_raises_the_same_error_and_has_failed(cloud, backend, bell, watching, events):
    def work():
        cloud.faults.append(Fault("POST /jobs", status=400))
        return outcome(lambda: SamplerV2(backend).run([bell]))

    bare = work()
    watching()
    assert work() == bare
    (failed,) = events("job.failed")
    assert (failed.data.provider, failed.data.backend) == ("ibm", "ibm_hanoi")
    assert failed.data.failure.code == bare[0].__name__ == "IBMRuntimeError"
    assert events("job.created") == []


def test_jobs_are_the_sdks_own_in_all_that_one_asks_of_them(cloud, backend, bell, watching, kinds):
    def work():
        job = SamplerV2(backend).run([bell])
        job.result()
        return (
            isinstance(job, RuntimeJobV2),
            job.__class__,
            re.sub("[0-9a-f]{20}", "JOB", repr(job)),
            outcome(lambda: pickle.dumps(job))[0],
            type(copy.copy(job)),
            copy.copy(job).status(),
            job.backend() is backend,
            job.primitive_id,
            job.error_message(),
            job.usage(),
            sorted(job.inputs),
            outcome(lambda: job.no_such_thing),
        )

    bare = work()
    watching()
    assert work() == bare
    assert kinds() == ["job.completed", "job.created", "shots.measured"]


def test_a_decoder_of_the_users_own_gets_what_it_gets_without_us(installed, cloud, backend, bell, kinds):
    class Length(ResultDecoder):
        @classmethod
        def decode(cls, data):
            return len(data)

    job = SamplerV2(backend).run([bell])
    assert job.result(decoder=Length) == len(cloud.jobs[job.job_id()].result)
    assert kinds() == ["job.completed", "job.created"]


def test_pubs_from_a_generator_are_read_once(installed, backend, bell, events):
    result = SamplerV2(backend).run((pub for pub in [bell, bell]), shots=100).result()
    assert len(result) == 2
    assert [event.data.pub for event in events("shots.measured")] == [0, 1]
    assert events("job.created")[0].data.shots_requested == 100


def test_what_was_asked_for_against_errors_is_told(installed, backend, bell, estimate, events):
    sampler = SamplerV2(backend, options={"dynamical_decoupling": {"enable": True, "sequence_type": "XY4"}})
    sampler.options.default_shots = 64
    sampler.run([bell]).result()
    estimator = EstimatorV2(backend, options={"resilience_level": 2, "twirling": {"enable_gates": True}})
    estimator.run([estimate]).result()
    estimator.options.resilience_level = 0
    told = [event.data for event in events("job.created")]
    assert [each.mitigation for each in told] == [
        {"dynamical_decoupling": "XY4"},
        {"resilience_level": "2", "twirling": "gates"},
    ]
    assert told[0].shots_requested == 64


def test_a_calibration_is_told_from_what_the_backend_has_read_and_anew_when_the_user_refreshes_it(
    installed, cloud, service, bell, events
):
    backend = service.backend("ibm_hanoi")
    for in_force in (0, 1):
        cloud.devices["ibm_hanoi"].in_force = in_force
        backend.properties(refresh=True)
        cloud.requests.clear()
        SamplerV2(backend).run([bell]).result()
        assert cloud.asked("properties") == []
    snapshots = {event.data.calibration_id: event for event in events("calibration.snapshot")}
    used = [event.data.footprint.calibration_id for event in events("job.created")]
    assert len(snapshots) == len(set(used)) == 2
    column = next(each for each in events("calibration.snapshot")[0].data.columns if each.name == "t1")
    recorded = cloud.devices["ibm_hanoi"].calibrations[0]["qubits"][0][0]
    assert column.values[0] == pytest.approx(recorded["value"] * 1e-6)


def test_a_dry_run_is_a_job_of_the_mock_device_whose_shots_are_random(installed, cloud, service, bell, events):
    mock = Device("hanoi", ("2024-05-27",))
    mock.name = mock.configuration["backend_name"] = "mock_hanoi"
    cloud.devices[mock.name] = mock
    SamplerV2(service.backend("ibm_hanoi")).run([bell], dry_run=True).result()
    del cloud.devices[mock.name]
    told = {event.data.backend for event in events("job.created", "job.completed", "shots.measured")}
    assert told == {"mock_hanoi"}


def test_a_program_of_the_users_own_is_a_job_on_the_service(installed, cloud, backend, bell, events, kinds):
    program = QuantumProgram(shots=50)
    program.append_circuit_item(bell)
    cloud.script(JobScript(("Running",)))
    job = Executor(backend).run(program)
    assert job.result(**QUICK)[0]["meas"].shape == (50, 2)
    assert kinds() == ["job.completed", "job.created", "job.running"]
    (created,) = events("job.created")
    assert (created.data.primitive, created.data.shots_requested) == ("Executor", 50)
    assert created.data.footprint.qubits == [0, 1]


def test_wrapping_one_primitive_needs_no_hooks(recorder, cloud, backend, bell, kinds, events):
    sampler = IbmInstrumentation().wrap(recorder, SamplerV2(backend))
    cloud.script(JobScript(("Queued", "Running")))
    assert isinstance(sampler, SamplerV2)
    sampler.run([bell]).result(**QUICK)
    SamplerV2(backend).run([bell]).result()
    assert kinds() == ["job.completed", "job.created", "job.queued", "job.running", "shots.measured"]
    assert recorder.stats().reasons == {}
    assert IbmInstrumentation().wrap(recorder, backend) is None


def test_a_fault_of_ours_does_not_reach_the_user(recorder, watching, backend, bell, monkeypatch):
    watching()

    def broken(*_):
        raise RuntimeError("planted")

    for name in ("saw", "read", "charged"):
        monkeypatch.setattr(f"qml_producers.ibm.life.Life.{name}", broken)
    job = SamplerV2(backend).run([bell])
    assert job.result()[0].data.meas.num_shots == 4096
    assert job.metrics()["usage"]["status"] == "complete"
    assert recorder.stats().reasons == {"instrumentation_failed": 3}


def test_a_job_that_many_threads_read_is_told_once(installed, cloud, backend, bell, events):
    cloud.default_script = JobScript(("Running",))
    job = SamplerV2(backend).run([bell])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: values(job.result(**QUICK)), range(4)))
    assert len(set(found)) == 1
    assert len(events("job.completed")) == len(events("shots.measured")) == len(events("job.running")) == 1
