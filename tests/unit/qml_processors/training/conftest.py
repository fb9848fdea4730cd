import math
from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from qml_processors.base import Finding, Forget, Output
from qml_processors.training import TrainingProcessor
from qml_processors.training.state import TrainingState
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import Rules, TrainingRule
from quantum_mlops.events import Context, Event, GradientStatistics, MetricLogged, RunEnded, type_name

Seen = tuple[float | None, Sequence[float] | None]


class Training:
    """A run as the runner drives it: due timers first, encode and decode after every step, one step a second."""

    def __init__(self, **rule: object) -> None:
        self.processor = TrainingProcessor()
        self.state = self.processor.open("r1")
        self.rules = Rules(training=TrainingRule(**rule))
        self.step = 0

    def log(
        self,
        data: MetricLogged | RunEnded,
        *,
        time: int | None = None,
        source: str = "qml://lab/n/1",
        through: bool = True,
    ) -> list[Output]:
        self.step += 1
        now = self.step * SECOND
        kind = "run.ended" if isinstance(data, RunEnded) else "metric.logged"
        event = Event(
            id=f"{self.step:016x}", source=source, type=type_name(kind), time=now if time is None else time,
            partitionkey="iris", project="iris", context=Context(runid="r1", step=self.step), ingestedtime=now, data=data,
        )  # fmt: skip
        found = [*self.until(now), *self.processor.apply(self.state, event, self.rules)]
        if through:
            self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=TrainingState)
        return found

    def losses(self, values: Iterable[float]) -> list[Output]:
        found: list[Output] = []
        for value in values:
            found += self.log(MetricLogged(values={"loss": float(value)}), through=False)
        return found

    def gradients(self, seen: Iterable[Seen]) -> list[Output]:
        found: list[Output] = []
        for loss, gradient in seen:
            values = {} if loss is None else {"loss": float(loss)}
            statistics = None if gradient is None else describe(gradient)
            found += self.log(MetricLogged(values=values, gradient=statistics), through=False)
        return found

    def until(self, now: int) -> list[Output]:
        found: list[Output] = []
        while (due := self.processor.next_timer(self.state, self.rules)) is not None and due <= now:
            found += self.processor.on_timer(self.state, due, self.rules)
            after = self.processor.next_timer(self.state, self.rules)
            assert after is None or after > due
        return found


def describe(gradient: Sequence[float]) -> GradientStatistics:
    return GradientStatistics(size=len(gradient), norm=math.hypot(*gradient))


@pytest.fixture(scope="session")
def training() -> Callable[..., Training]:
    return Training


@pytest.fixture
def said() -> Callable[[Iterable[Output]], list[tuple[str, str]]]:
    def _said(found: Iterable[Output]) -> list[tuple[str, str]]:
        assert all(isinstance(output, Finding | Forget) for output in found)
        return [(output.transition, output.rule) for output in found if isinstance(output, Finding)]

    return _said
