"""The follower with IonQ's real door at a server that speaks its protocol: busy, broken, failed, cancelled, endless."""

import json
import time
import urllib.request

import pytest

from qml_producers.ionq.door import IonqDoor
from tests.providers.ionq import IonqCloud

BODY = {
    "type": "ionq.circuit.v1", "backend": "qpu.forte-1", "shots": 100,
    "input": {"qubits": 1, "circuit": [{"gate": "h", "target": 0}]},
}  # fmt: skip


class Opener:
    """How the follower opens the door."""

    def __init__(self, cloud, key=None):
        self.environ = {"IONQ_API_URL": cloud.url, "IONQ_API_KEY": key or cloud.key}

    def open(self):
        return IonqDoor.open(self.environ, 5.0)


@pytest.fixture
def cloud():
    with IonqCloud() as cloud:
        yield cloud


@pytest.fixture
def submit(cloud, room):
    """Submit a job as a trainer does that is killed then, and return its id."""

    def submit(*statuses):
        cloud.statuses = statuses
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{cloud.url}/jobs", json.dumps(BODY).encode(), {"Authorization": f"apiKey {cloud.key}"}
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            job = json.load(answer)["id"]
        room.tell(room.event("created", job, "ionq"))
        return job

    return submit


def events_of(room, job):
    return {str(event.type).split(".")[2]: event.data for event in room.events() if event.data.job_id == job}


def test_a_job_is_billed_in_the_money_that_ionq_tells(room, cloud, submit):
    job = submit("ready", "started", "completed")
    room.drive(room.follow({"ionq": Opener(cloud)}), lambda: "job.billed" in room.kinds(job))
    assert room.kinds(job) == ["job.queued", "job.running", "job.completed", "job.billed"]
    bill = events_of(room, job)["billed"]
    assert (bill.cost.final.amount, bill.cost.final.currency) == ("24.83", "USD")
    assert events_of(room, job)["completed"].times.started is not None


def test_retry_after_is_kept_to_for_all_jobs(room, cloud, submit):
    first, second = submit("completed"), submit("completed")
    cloud.fail("/jobs/", 429, Retry_After="1")
    follower = room.follow({"ionq": Opener(cloud)})
    began = time.monotonic()
    room.drive(follower, lambda: follower.providers.tallies["ionq"].errors == 1)
    asked = len(cloud.requests)
    room.drive(follower, lambda: len(cloud.requests) > asked)
    assert time.monotonic() - began >= 1.0
    room.drive(follower, lambda: "job.billed" in room.kinds(first) and "job.billed" in room.kinds(second))


def test_a_server_that_fails_and_cuts_its_answers_costs_pauses_only(room, cloud, submit, short_pauses):
    job = submit("completed")
    cloud.fail("/jobs/", 500)
    follower = room.follow({"ionq": Opener(cloud)})
    room.drive(follower, lambda: "job.billed" in room.kinds(job))
    assert follower.providers.tallies["ionq"].errors == 1
    assert room.kinds(job) == ["job.completed", "job.billed"]


@pytest.mark.parametrize(("word", "kind"), [("failed", "job.failed"), ("canceled", "job.cancelled")])
def test_other_ends_are_told_too_and_release_what_was_reserved(room, cloud, submit, word, kind):
    job = submit("ready", word)
    follower = room.follow({"ionq": Opener(cloud)})
    room.drive(follower, lambda: "job.billed" in room.kinds(job))
    assert room.kinds(job) == ["job.queued", kind, "job.billed"]
    told = events_of(room, job)
    assert (told["queued"].cost.reserved.amount, told["billed"].cost.final.amount) == ("25.5", "0")
    assert (told[kind.removeprefix("job.")].failure is not None) == (word == "failed")


def test_a_job_that_never_ends_is_told_once_and_asked_for_on(room, cloud, submit):
    job = submit("ready")
    follower = room.follow({"ionq": Opener(cloud)})
    room.drive(follower, lambda: cloud.asked(f"/jobs/{job}") > 6)
    assert room.kinds(job) == ["job.queued"]
    assert follower.status("running").providers["ionq"].open_jobs == 1


def test_a_wrong_key_tells_nothing_about_jobs(room, cloud, submit):
    job = submit("completed")
    follower = room.follow({"ionq": Opener(cloud, "another-key")})
    room.drive(follower, lambda: follower.providers.tallies["ionq"].refusals == 1)
    figures = follower.status("running").providers["ionq"]
    assert (room.kinds(job), figures.open_jobs) == ([], 1)
    assert "another-key" not in figures.last_error
