from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from qml_processors.base import Finding, Forget, Output
from qml_processors.threshold import ThresholdProcessor, ThresholdState
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import Context, Cost, Event, Job, MetricLogged, Money, RunEnded, type_name


class Stream:
    """All series of a project as the runner drives them: due timers first, encode and decode after every step."""

    def __init__(self, *rules: ThresholdRule) -> None:
        self.processor = ThresholdProcessor()
        self.rules = Rules(threshold=list(rules))
        self.states: dict[str, ThresholdState] = {}
        self.number = 0

    def feed(
        self,
        kind: str,
        data: msgspec.Struct,
        time: int,
        *,
        run: str | None = "r1",
        ingested: int | None = None,
        source: str = "qml://lab/n/1",
    ) -> list[Output]:
        self.number += 1
        now = time if ingested is None else ingested
        event = Event(
            id=f"{self.number:016x}", source=source, type=type_name(kind), time=time, partitionkey="iris",
            project="iris", context=Context(runid=run), ingestedtime=now, data=data,
        )  # fmt: skip
        found = self.until(now)
        for key in self.processor.keys(event):
            state = self.states.get(key) or self.processor.open(key)
            found += self._step(key, state, self.processor.apply(state, event, self.rules))
        return found

    def until(self, now: int) -> list[Output]:
        found: list[Output] = []
        for key in list(self.states):
            while (due := self._due(key)) is not None and due <= now:
                found += self._step(key, self.states[key], self.processor.on_timer(self.states[key], due, self.rules))
                after = self._due(key)
                assert after is None or after > due
        return found

    def _due(self, key: str) -> int | None:
        return self.processor.next_timer(self.states[key], self.rules) if key in self.states else None

    def _step(self, key: str, state: ThresholdState, outputs: Iterable[Output]) -> Sequence[Output]:
        found = [*outputs]
        data = msgspec.msgpack.encode(state)
        self.states[key] = msgspec.msgpack.decode(data, type=ThresholdState)
        assert msgspec.msgpack.encode(self.states[key]) == data
        if any(isinstance(output, Forget) for output in found):
            del self.states[key]
        return found

    def job(self, status: str, name: str, time: int, *, cost: Cost | None = None, run: str | None = "r1",
            ingested: int | None = None) -> list[Output]:  # fmt: skip
        return self.feed(f"job.{status}", Job(job_id=name, cost=cost), time, run=run, ingested=ingested)

    def metric(self, time: int, *, ingested: int | None = None, run: str = "r1", **values: float) -> list[Output]:
        return self.feed("metric.logged", MetricLogged(values=values), time, ingested=ingested, run=run)

    def end(self, time: int, status: str = "completed", run: str = "r1") -> list[Output]:
        return self.feed("run.ended", RunEnded(status=status, duration_seconds=1.0), time, run=run)


@pytest.fixture(scope="session")
def stream() -> type[Stream]:
    return Stream


@pytest.fixture(scope="session")
def said() -> Callable[[Iterable[Output]], list[tuple[str, str]]]:
    return lambda found: [(one.transition, one.rule) for one in found if isinstance(one, Finding)]


@pytest.fixture(scope="session")
def euros() -> Callable[..., Cost]:
    def _euros(currency: str = "EUR", **amounts: str) -> Cost:
        return Cost(**{name: Money(amount=amount, currency=currency) for name, amount in amounts.items()})

    return _euros
