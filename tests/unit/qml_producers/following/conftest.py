from datetime import UTC, datetime

import pytest

from qml_producers.following.jobs import Jobs
from qml_producers.following.plan import Plan
from qml_producers.observing.door import Sight
from quantum_mlops.clock import SECOND
from quantum_mlops.events import Circuit, Context, Cost, Event, Job, Money, ProviderTimes, type_name

T0 = 1_800_000_000 * SECOND


def moment(seconds):
    return datetime.fromtimestamp((T0 + round(seconds * SECOND)) / SECOND, UTC)


def times(*, created=0.0, started=None, ended=None):
    return ProviderTimes(
        created=moment(created),
        started=None if started is None else moment(started),
        ended=None if ended is None else moment(ended),
    )


class Wrapper:
    """What a trainer's instrumentation tells of one job; seconds count from T0."""

    def __init__(self, job_id="j1", provider="ibm", project="iris", run="r1"):
        self.job_id, self.provider, self.project, self.run = job_id, provider, project, run
        self.number = 0

    def tell(self, status, at, **fields):
        self.number += 1
        given = {
            "provider": self.provider,
            "backend": "ibm_fez",
            "provider_job_id": self.job_id,
            "session_id": "s1",
            "primitive": "SamplerV2",
        }
        if status == "created":
            circuits = [Circuit(identity="c1:ab", width=4, gate_counts={"cx": 3})]
            given |= {"circuits": circuits, "shots_requested": 1024, "executions": 1}
        return Event(
            id=f"{self.number:016x}",
            source=f"qml://lab/{self.job_id}/0",
            type=type_name(f"job.{status}"),
            time=T0 + round(at * SECOND),
            partitionkey=self.project,
            project=self.project,
            context=Context(runid=self.run, step=3, experimentid="e1", mlflowrunid="m1"),
            data=Job(job_id=self.job_id, **(given | fields)),
        )


def money(amount):
    return Cost(final=Money(amount=amount, currency="USD"))


class Desk:
    """Jobs and their plan, driven by hand: one clock for both kinds of time."""

    def __init__(self, providers=("ibm", "braket"), limit=1000, interval=5.0, calls=60):
        self.jobs = Jobs(providers, limit)
        self.plan = Plan(self.jobs, providers, interval, calls)
        self.at = 0.0

    @property
    def now(self):
        return T0 + round(self.at * SECOND)

    def hear(self, *events):
        for event in events:
            self.jobs.take(event, self.now)

    def next(self, provider="ibm"):
        """Wait for the next look and make it; return the job's id."""
        due, key = self.plan.next_look(provider, self.now, self.at)
        self.at = due
        assert self.plan.call(provider, key, self.at) is not None
        return key

    def see(self, sight, provider="ibm"):
        key = self.next(provider)
        told = self.plan.judge(key, sight)
        self.plan.settle(key, sight, told, self.now, self.at)
        return told

    def refuse(self, provider="ibm"):
        key = self.next(provider)
        told = self.plan.refuse(key, "no such job", self.now, self.at)
        self.plan.lose(key, self.now)
        return told


@pytest.fixture
def desk():
    return Desk


@pytest.fixture
def wrapper():
    return Wrapper


@pytest.fixture
def completed():
    def make(**fields):
        return Sight(
            status="completed", times=times(started=60, ended=70), shots_executed=1024, qpu_seconds=3.0, **fields
        )

    return make


@pytest.fixture
def at():
    return times


@pytest.fixture
def billed():
    return money
