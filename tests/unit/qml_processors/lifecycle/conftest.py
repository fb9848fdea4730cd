from datetime import UTC, datetime

import msgspec
import pytest

from qml_processors.base import Forget
from qml_processors.lifecycle import JobsProcessor, RunsProcessor
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import LifecycleRule, Rules
from quantum_mlops.events import Context, Event, Failure, Job, ProviderTimes, type_name

T0 = 1_800_000_000 * SECOND


class Series:
    """A series as the runner drives it: due timers first, through bytes after every step."""

    def __init__(self, processor, key, rule):
        self.processor = processor
        self.state = processor.open(key)
        self.rules = Rules(lifecycle=rule)
        self.floor = 0

    def feed(self, *events):
        found = []
        for event in events:
            found += self.until(event.ingestedtime)
            found += self._keep(self.processor.apply(self.state, event, self.rules))
        return found

    def until(self, now):
        found = []
        while (timer := self.processor.next_timer(self.state, self.rules)) is not None:
            due = max(timer, self.floor)
            if due > now:
                break
            said = self._keep(self.processor.on_timer(self.state, due, self.rules))
            after = self.processor.next_timer(self.state, self.rules)
            assert after is None or after > due
            found += said
        self.floor = max(self.floor, now)
        return found

    def switch(self, rule):
        self.rules = Rules(lifecycle=rule)
        return self.until(self.floor)

    def _keep(self, outputs):
        outputs = list(outputs)
        data = msgspec.msgpack.encode(self.state)
        self.state = msgspec.msgpack.decode(data, type=self.processor.state)
        assert msgspec.msgpack.encode(self.state) == data
        return outputs


def said(found):
    return [(output.transition, output.rule) for output in found if not isinstance(output, Forget)]


def _moment(seconds):
    return None if seconds is None else datetime.fromtimestamp((T0 + round(seconds * SECOND)) / SECOND, UTC)


class Story:
    """Makes events of jobs and runs; seconds count from T0. `at` is the emitter's time, `lag` that of the log."""

    def __init__(self):
        self.number = 0

    def job(self, job, status, at, *, lag=0.0, source="qml://lab/n/0", run="r1", code=None, times=None, **fields):
        provider = None
        if times is not None:
            names = ("created", "queued", "started", "ended")
            provider = ProviderTimes(**{name: _moment(times.get(name)) for name in names})
        data = Job(
            job_id=job, backend=fields.pop("backend", "hanoi"), times=provider,
            failure=None if code is None else Failure(code=code), **fields,
        )  # fmt: skip
        return self.event(f"job.{status}", data, at, lag=lag, source=source, run=run)

    def event(self, kind, data, at, *, lag=0.0, source="qml://lab/n/0", run="r1"):
        self.number += 1
        time = T0 + round(at * SECOND)
        return Event(
            id=f"{self.number:016x}", source=source, type=type_name(kind), time=time, partitionkey="iris", project="iris",
            context=Context(runid=run), ingestedtime=time + round(lag * SECOND), data=data,
        )  # fmt: skip


@pytest.fixture
def story():
    return Story()


@pytest.fixture
def jobs():
    def make(key="backend/hanoi", **rule):
        return Series(JobsProcessor(), key, LifecycleRule(**rule))

    return make


@pytest.fixture
def runs():
    def make(**rule):
        return Series(RunsProcessor(), "r1", LifecycleRule(**rule))

    return make


@pytest.fixture
def transitions():
    return said


@pytest.fixture
def start():
    return T0
