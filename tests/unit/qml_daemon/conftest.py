"""A dispatcher on a memory log, a receiver that keeps what it is told, and findings by the line."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qml_daemon.delivery.outbox import Outbox
from qml_daemon.delivery.store import OutboxStore
from qml_daemon.dispatch.dispatcher import Dispatcher, no_fault
from qml_daemon.dispatch.routes import build_paths
from qml_daemon.notification import Notification
from qml_daemon.notifiers.base import Pace
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.config.sections import Route
from quantum_mlops.errors import DeliveryError
from quantum_mlops.events import Event, FindingChanged, type_name
from quantum_mlops.transports.base import Commit
from quantum_mlops.transports.memory import MemoryLog

START = 1_800_000_000 * SECOND


class RecordingNotifier:
    """Takes everything, or raises what `errors` says next."""

    def __init__(self, lane: str = "team", pace: Pace | None = None) -> None:
        self.lane = lane
        self.pace = pace
        self.messages: list[Sequence[Notification]] = []
        self.errors: list[DeliveryError] = []
        self.closed = False

    def send(self, notifications: Sequence[Notification]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.messages.append(notifications)

    def close(self) -> None:
        self.closed = True


class Bench:
    """One dispatcher with all around it. `restart` is what a crash or a new start comes to."""

    def __init__(self, route: Route, path: Path | None, pace: Pace | None = None) -> None:
        self.route = route
        self.path = path
        self.clock = ManualClock(START)
        self.log = MemoryLog(clock=self.clock)
        self.notifier = RecordingNotifier(pace=pace)
        self.fault: Callable[[str], None] = no_fault
        self.numbers: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        self.store = OutboxStore(self.path)
        notifiers = {("team", "fake"): self.notifier, ("other", "fake"): self.notifier}
        self.outbox = Outbox(self.store, notifiers, self.clock, random.Random(1).random)
        self.dispatcher = Dispatcher(
            self.log, self.store, self.outbox, build_paths(self.route), self.clock, lambda step: self.fault(step)
        )

    def restart(self) -> None:
        self.dispatcher.close()
        self.open()

    def find(self, change: str, finding: str = "f1", **fields: Any) -> None:
        number = self.numbers[finding] = self.numbers.get(finding, -1) + 1
        data = FindingChanged(
            finding_id=finding,
            transition=number,
            rule=fields.pop("rule", "CircuitDrift"),
            series=f"iris/{finding}",
            severity=fields.pop("severity", "critical"),
            labels=fields.pop("labels", {"backend": "ibm_hanoi"}),
            annotations=fields.pop("annotations", {"summary": f"{finding} {change}"}),
            **fields,
        )
        event = Event(
            id=f"{finding}-{number}",
            source="qml://derived/drift",
            type=type_name(f"finding.{change}"),
            time=self.clock(),
            partitionkey="iris",
            project="iris",
            data=data,
        )
        self.log.commit(0, Commit(findings=[event], watermark=b""))

    def step(self, seconds: float = 0.0) -> list[str]:
        """Let time pass, let everything be sent, and return what the receiver was told meanwhile."""
        self.clock.advance_seconds(seconds)
        before = len(self.notifier.messages)
        self.dispatcher.step()
        self.outbox.wait(iter(lambda: 5.0, None))
        self.dispatcher.step()
        return [describe(one) for message in self.notifier.messages[before:] for one in message]


def describe(one: Notification) -> str:
    alerts = " ".join(f"{alert.status}:{alert.finding_id}" for alert in one.alerts)
    return f"{one.receiver} ({one.reason}) {alerts}"


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(on_disk: bool = False, pace: Pace | None = None, **route: Any) -> Bench:
        path = tmp_path / "outbox.sqlite" if on_disk else None
        made.append(Bench(Route(receiver="team", **route), path, pace))
        return made[-1]

    yield make
    for bench in made:
        bench.dispatcher.close()
