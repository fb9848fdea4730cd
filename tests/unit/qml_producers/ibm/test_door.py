"""The door of the service itself, through the SDK's own clients, against a stand-in with every fault."""

import os
from datetime import timedelta

import pytest
from qiskit_ibm_runtime import SamplerV2

from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.ibm.door import IbmDoor
from qml_producers.observing.door import Asked
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from tests.providers.ibm import Fault, JobScript
from tests.waiting import wait_for

pytestmark = pytest.mark.filterwarnings("ignore:The (Sampler|Estimator)V2 class is deprecated:DeprecationWarning")


@pytest.fixture
def door(cloud):
    door = IbmDoor.open(os.environ, 10)
    yield door
    door.close()
    door.close()


@pytest.fixture
def submit(cloud, backend, bell):
    def run(script, **options):
        cloud.script(script)
        sampler = SamplerV2(backend)
        sampler.options.environment.private = options.get("private", False)
        return Asked(job_id=sampler.run([bell]).job_id(), backend="ibm_hanoi")

    return run


def test_a_job_is_looked_at_from_the_queue_to_the_bill_and_its_result_is_never_read(cloud, door, submit):
    asked = submit(
        JobScript(("Queued", "Running"), bill_after=2, qpu_seconds=2.5, queue_seconds=30, run_seconds=4), private=True
    )
    queued, running, done, billed = (door.look(asked) for _ in range(4))
    assert [sight.status for sight in (queued, running, done, billed)] == [
        "queued",
        "running",
        "completed",
        "completed",
    ]
    assert (queued.pending_jobs, queued.predicted_execution_seconds, queued.qpu_seconds) == (3, 4.0, None)
    assert queued.times.created is not None
    assert (running.queue_seconds, running.times.ended) == (30.0, None)
    assert (done.is_billed, done.qpu_seconds) == (False, None)
    assert (billed.is_billed, billed.qpu_seconds) == (True, 2.5)
    assert billed.times.ended - billed.times.started == timedelta(seconds=4)
    assert cloud.jobs[asked.job_id].results_read == 0


ENDS = {
    "failed": (JobScript((), "Failed", "the device gave up", 1517), "failed", "RuntimeJobFailureError"),
    "ran too long": (JobScript((), "Cancelled", "time limit", 1305), "failed", "RuntimeJobMaxTimeoutError"),
    "older words": (JobScript((), "Cancelled - Ran too long"), "failed", "RuntimeJobMaxTimeoutError"),
    "cancelled": (JobScript((), "Cancelled"), "cancelled", None),
    "older keys": (JobScript(old_metrics=True), "completed", None),
}


@pytest.mark.parametrize("case", ENDS)
def test_ends_are_told_apart_and_billed(case, door, submit):
    script, status, code = ENDS[case]
    sight = door.look(submit(script))
    assert (sight.status, sight.is_billed, sight.qpu_seconds) == (status, True, 2.0)
    assert (sight.failure.code if sight.failure else None) == code
    if script.reason and code:
        assert script.reason in sight.failure.message


def test_words_that_we_do_not_know_are_passed_on(door, submit):
    sight = door.look(submit(JobScript(("Paused",))))
    assert (sight.status, sight.status_text) == ("unknown", "Paused")


def test_the_calibration_is_read_anew_and_is_the_one_that_jobs_are_told_with(cloud, door):
    device = cloud.devices["ibm_hanoi"]
    found = []
    for device.in_force in (0, 1):
        found.append(door.calibration("ibm_hanoi"))
    assert [calibration_id(columns) for columns in found] == [
        calibration_id(columns_of_properties(document)) for document in device.calibrations
    ]
    assert len({calibration_id(columns) for columns in found}) == 2


FAULTS = {
    "a rate limit": (Fault("GET /jobs", status=429, retry_after="7"), RetryableError, 7.0),
    "a rate limit by date": (Fault("GET /jobs", status=429, retry_after="Fri, 01 Jan 2027 00:00:00 GMT"), RetryableError, None),
    "a fault of the server": (Fault("GET /jobs", status=500), RetryableError, None),
    "maintenance": (Fault("GET /jobs", status=503, retry_after="30"), RetryableError, None),
    "half an answer": (Fault("GET /jobs", truncated=True), RetryableError, None),
    "half the metrics": (Fault("GET /jobs/.*/metrics", truncated=True), RetryableError, None),
    "forbidden": (Fault("GET /jobs", status=403), PermanentError, None),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_for_later_or_for_good_and_the_next_look_goes_on(case, cloud, door, submit):
    fault, kind, seconds = FAULTS[case]
    asked = submit(JobScript())
    cloud.requests.clear()
    cloud.faults.append(Fault(fault.request, fault.status, fault.retry_after, truncated=fault.truncated))
    with pytest.raises(kind) as caught:
        door.look(asked)
    assert getattr(caught.value, "retry_after_seconds", None) == seconds
    assert door.look(asked).status == "completed"
    assert len(cloud.asked("GET /jobs/[^/]*$")) == 2  # not tried again by the SDK


def test_what_there_is_not_is_for_good(door):
    with pytest.raises(PermanentError, match="job not found: nope"):
        door.look(Asked(job_id="nope"))
    with pytest.raises(PermanentError, match="no backend ibm_nowhere"):
        door.calibration("ibm_nowhere")


def test_the_queue_does_not_stand_in_the_way_of_the_status(cloud, door, submit):
    asked = submit(JobScript(("Queued",)))
    cloud.faults.append(Fault("GET /backends/.*/status", status=500))
    sight = door.look(asked)
    assert (sight.status, sight.pending_jobs) == ("queued", None)


def test_a_service_that_does_not_answer_blocks_for_the_time_given(cloud, submit):
    door = IbmDoor.open(os.environ, 20)
    asked = submit(JobScript())
    door.look(asked)
    door._link._timeout_seconds = 0.3  # the connection was made at leisure
    cloud.faults.append(Fault("GET /jobs", latency_seconds=1.5))
    with pytest.raises(RetryableError, match="no answer within"):
        door.look(asked)

    def looked():
        try:
            return door.look(asked)
        except RetryableError:
            return None

    assert wait_for(looked, "the door answers again").status == "completed"
    door.close()


def test_a_token_that_was_revoked_is_renewed_once(cloud, door, submit):
    asked = submit(JobScript())
    door.look(asked)
    before, tokens = len(cloud.asked("token")), dict(cloud._tokens)
    cloud.expire_tokens()
    assert door.look(asked).status == "completed"
    assert len(cloud.asked("token")) > before
    cloud._tokens.update(tokens)  # of the other tests
    cloud.faults += [Fault("GET /jobs", status=401), Fault("GET /jobs", status=401)]
    with pytest.raises(PermanentError, match="401"):
        door.look(asked)


def test_a_key_that_is_refused_is_for_good_at_once_and_an_iam_that_is_away_is_not(cloud):
    door = IbmDoor.open({**os.environ, "QISKIT_IBM_TOKEN": "secret-and-wrong"}, 5)
    with pytest.raises(PermanentError, match="IAM refuses the API key") as caught:
        door.look(Asked(job_id="a"))
    assert "secret" not in str(caught.value)
    door.close()
    cloud.faults.append(Fault("POST /identity/token", status=500))
    door = IbmDoor.open(os.environ, 5)
    with pytest.raises(RetryableError, match="no token from IAM"):
        door.look(Asked(job_id="a"))
    door.close()


def test_without_an_account_the_mend_is_named(cloud, monkeypatch, tmp_path):
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    monkeypatch.setattr(
        "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "none.json")
    )
    with pytest.raises(ConfigError, match="set QISKIT_IBM_TOKEN"):
        IbmDoor.open({}, 5)


def test_an_account_that_was_saved_is_taken(cloud, submit, monkeypatch, tmp_path):
    from qiskit_ibm_runtime import QiskitRuntimeService

    file = tmp_path / "accounts.json"
    monkeypatch.setattr("qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(file))
    said = {name: os.environ[f"QISKIT_IBM_{name.upper()}"] for name in ("token", "instance", "url")}
    for name in said:
        monkeypatch.delenv(f"QISKIT_IBM_{name.upper()}")
    QiskitRuntimeService.save_account(**said, channel="ibm_quantum_platform", set_as_default=True)
    door = IbmDoor.open({}, 10)
    assert door.look(submit(JobScript())).status == "completed"
    door.close()


def test_importing_the_door_loads_no_sdk():
    import subprocess
    import sys

    code = "import sys, qml_producers.ibm.door, qml_producers.ibm.instrumentation as i; i.IbmInstrumentation(); sys.exit('qiskit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
