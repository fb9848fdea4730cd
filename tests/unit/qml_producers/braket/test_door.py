"""The door for those who ask later: what the service says of a task, and when to ask again."""

import os

import pytest
from braket.circuits import Circuit

from qml_producers.braket.door import BraketDoor
from qml_producers.braket.statuses import sight_of
from qml_producers.observing.door import Asked
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from tests.providers.braket import FORTE, GARNET, SV1, Fault, Script

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def opened(running):
    door = BraketDoor.open(dict(os.environ), 5)
    yield door
    door.close()
    door.close()


@pytest.fixture
def door(opened, cloud):
    return opened


def test_a_task_is_seen_through_all_its_statuses(door, garnet, cloud):
    cloud.scripts.append(
        Script(
            statuses=("CREATED", "QUEUED", "QUEUED", "RUNNING", "COMPLETED"),
            queue_positions=("5", ">2000"),
            successful_shots=80,
        )
    )
    asked = Asked(job_id=garnet.run(Circuit().x(0), shots=100).id)
    sights = [door.look(asked) for _ in range(5)]
    assert [sight.status for sight in sights] == ["created", "queued", "queued", "running", "completed"]
    assert [sight.queue_position for sight in sights] == [None, 5, None, None, None]
    assert sights[2].status_text == "queue position >2000"
    assert [sight.is_billed for sight in sights] == [False] * 4 + [True]
    assert sights[0].cost.estimated.amount == "0.445"
    assert sights[1].cost.reserved.amount == sights[3].cost.reserved.amount == "0.445"
    last = sights[-1]
    assert (last.shots_executed, last.cost.final.amount) == (80, "0.416")
    assert last.times.created <= last.times.ended
    assert last.times.created.tzinfo is not None
    assert not cloud.requested("GET /amazon-braket-tests")  # never the result


def test_a_failed_task_says_why(door, garnet, cloud):
    cloud.scripts.append(Script(statuses=("FAILED",), failure_reason="the device went away"))
    sight = door.look(Asked(job_id=garnet.run(Circuit().x(0), shots=100).id))
    assert (sight.status, sight.failure.message, sight.cost.final.amount) == ("failed", "the device went away", "0")


def test_a_task_being_cancelled_is_not_cancelled(door, garnet):
    task = garnet.run(Circuit().x(0), shots=100)
    task.cancel()
    first, second = door.look(Asked(job_id=task.id)), door.look(Asked(job_id=task.id))
    assert (first.status, first.status_text, first.is_billed, first.cost.final) == ("queued", "CANCELLING", False, None)
    assert (second.status, second.cost.final.amount) == ("cancelled", "0")


def test_a_simulators_cost_is_not_known_here(door, sv1):
    sight = door.look(Asked(job_id=sv1.run(Circuit().x(0), shots=100).id))
    assert (sight.status, sight.cost) == ("queued", None)


def test_an_unknown_word_is_unknown(door, garnet, cloud):
    cloud.scripts.append(Script(statuses=("PAUSED",)))
    sight = door.look(Asked(job_id=garnet.run(Circuit().x(0), shots=100).id))
    assert (sight.status, sight.status_text, sight.cost) == ("unknown", "PAUSED", None)


FAULTS = {
    "throttled": (
        Fault("GET /quantum-task", 429, "ThrottlingException", headers={"Retry-After": "7"}),
        RetryableError,
        7.0,
    ),
    "broken": (Fault("GET /quantum-task", 500, "InternalServiceException"), RetryableError, None),
    "expired": (Fault("GET /quantum-task", 403, "ExpiredTokenException"), PermanentError, None),
    "denied": (Fault("GET /quantum-task", 403, "AccessDeniedException"), PermanentError, None),
    "gone": (Fault("GET /quantum-task", 404, "ResourceNotFoundException"), PermanentError, None),
    "cut": (Fault("GET /quantum-task", 200, truncated=True), RetryableError, None),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_goes_wrong_is_to_be_retried_or_not(name, door, garnet, cloud):
    fault, expected, after = FAULTS[name]
    asked = Asked(job_id=garnet.run(Circuit().x(0), shots=100).id)
    cloud.requests.clear()
    cloud.faults.append(Fault(**{**vars(fault), "times": 1}))
    with pytest.raises(expected) as caught:
        door.look(asked)
    assert len(cloud.requests) == 1  # no second try inside
    assert "AKIATEST" not in str(caught.value)
    if expected is RetryableError:
        assert caught.value.retry_after_seconds == after
    assert door.look(asked).status in {"queued", "running"}


def test_a_server_that_does_not_answer_is_waited_for_within_the_bound(cloud, garnet):
    door = BraketDoor.open(dict(os.environ), 0.4)
    asked = Asked(job_id=garnet.run(Circuit().x(0), shots=100).id)
    cloud.faults.append(Fault("GET /quantum-task", status=200, latency_seconds=1.0))
    with pytest.raises(RetryableError, match="ReadTimeoutError"):
        door.look(asked)
    door.close()


def test_what_is_no_quantum_task_is_refused_without_asking(door, cloud):
    with pytest.raises(PermanentError, match="no quantum task"):
        door.look(Asked(job_id="0b6e4f"))
    assert not cloud.requests


def test_calibrations_are_read_anew(door, cloud):
    before = {column.name: column for column in door.calibration(GARNET)}
    assert before["t1"].values[0] == pytest.approx(3.2e-05)
    capabilities = cloud.devices[GARNET]["deviceCapabilities"]
    capabilities["standardized"]["oneQubitProperties"]["1"]["T1"]["value"] = 1e-06
    after = {column.name: column for column in door.calibration(GARNET)}
    assert after["t1"].values[0] == pytest.approx(1e-06)
    assert door.calibration(FORTE)
    assert list(door.calibration(SV1)) == []
    with pytest.raises(PermanentError):
        door.calibration(GARNET + "-9")


def test_without_credentials_the_mend_is_told(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="AWS_PROFILE"):
        BraketDoor.open({}, 5)


def test_without_the_sdk_the_mend_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"pip install 'quantum-mlops\[braket\]'"):
        BraketDoor.open({}, 5)


def test_an_unknown_profile_is_the_users_mistake():
    with pytest.raises(ConfigError, match="nobody"):
        BraketDoor.open({"AWS_PROFILE": "nobody"}, 5)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"status": None},
        {"status": "QUEUED", "queueInfo": None},
        {"status": "COMPLETED", "numSuccessfulShots": "7", "createdAt": "now"},
    ],
)
def test_an_answer_that_lacks_things_is_no_error(document):
    assert sight_of(document).status in {"unknown", "queued", "completed"}


def test_shots_of_a_program_set_are_those_of_one_execution():
    answer = {"status": "COMPLETED", "numSuccessfulShots": 60, "actionMetadata": {"executableCount": 3}}
    assert sight_of(answer).shots_executed == 20
    assert sight_of({**answer, "numSuccessfulShots": 50}).shots_executed is None
    assert sight_of({"status": "COMPLETED", "numSuccessfulShots": 60}, 3).shots_executed == 20
