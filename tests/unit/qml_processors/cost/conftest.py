"""A cost processor with its series, as the runner drives it, through bytes after every step."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from qml_processors.base import Finding, Forget
from qml_processors.cost import CostProcessor
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules import CostRule, Rules
from quantum_mlops.events import Context, Cost, Event, Job, Money, ProviderTimes, Session, type_name

START = 20_000 * DAY  # Friday, 2024-10-04
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def money(amount, currency="USD", **more):
    return Money(amount=amount, currency=currency, **more)


class House:
    """All series of one partition."""

    def __init__(self, only="", **rule):
        """Start empty; `only` is what the keys of the series begin with that are looked at."""
        self.only = only
        self.processor, self.rules = CostProcessor(), Rules(cost=CostRule(**rule))
        self.states, self.number, self.now, self.said = {}, 0, START, []

    def rule(self, **rule):
        self.rules = Rules(cost=CostRule(**rule))
        return self.until(self.now)

    def job(
        self, kind="created", job="j-1", *, cost=None, at=None, run="r-1", step=None, time=None, ended=None, **data
    ):
        """Take a job's event; `cost` maps stages to amounts, `ended` is a provider's time in seconds."""
        stages = {stage: money(one) if isinstance(one, str) else one for stage, one in (cost or {}).items()}
        times = None if ended is None else ProviderTimes(ended=EPOCH + timedelta(seconds=ended))
        data = {"backend": "hanoi", "shots_requested": 1000, **data}
        job = Job(job_id=job, cost=Cost(**stages) if stages else None, times=times, **data)
        return self._take(f"job.{kind}", job, at, run, step, time)

    def session(self, kind, *, at=None, cost=None, time=None, **data):
        stages = Cost(final=money(cost)) if cost else None
        return self._take(
            f"session.{kind}", Session(session_id="s-1", backend="hanoi", cost=stages, **data), at, None, None, time
        )

    def _take(self, kind, data, at, run, step, time):
        now = self.now if at is None else at
        self.number += 1
        event = Event(
            id=f"{self.number:016x}", source="qml://lab/n/1", type=type_name(kind), time=now if time is None else time,
            partitionkey="iris", project="iris", context=Context(runid=run, step=step), data=data, ingestedtime=now,
        )  # fmt: skip
        return self.take(event)

    def take(self, event):
        found = self.until(event.ingestedtime)
        for key in self.processor.keys(event):
            if not key.startswith(self.only):
                continue
            state = self.states.get(key) or self.processor.open(key)
            found += self._step(key, state, self.processor.apply(state, event, self.rules))
        return found

    def until(self, now):
        """Fire what is due."""
        found = []
        while True:
            owed = [
                (max(due, self.now), key)
                for key, state in self.states.items()
                if (due := self.processor.next_timer(state, self.rules)) is not None and due <= now
            ]
            if not owed:
                self.now = max(now, self.now)
                return found
            due, key = min(owed)
            self.now = due
            state = self.states[key]
            found += self._step(key, state, self.processor.on_timer(state, due, self.rules))

    def _step(self, key, state, outputs):
        found = list(outputs)
        raw = msgspec.msgpack.encode(state)
        self.states[key] = msgspec.msgpack.decode(raw, type=self.processor.state)
        assert msgspec.msgpack.encode(self.states[key]) == raw
        if found and isinstance(found[-1], Forget):
            del self.states[key]
        self.said += [(one.transition, one.rule) for one in found if isinstance(one, Finding)]
        return [one for one in found if not isinstance(one, Forget)]


@pytest.fixture
def house():
    return House
