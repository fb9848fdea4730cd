"""What the demo sees of the work: it reads the log and the messages, as anybody may."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from qml_daemon.demo.receiver import MESSAGES
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event, FindingChanged, MetricLogged, RunEnded, ShotsMeasured, short_name
from quantum_mlops.transports.base import Record, Stream
from quantum_mlops.transports.sqlite import SqliteLog

CHUNK = 1000
PROJECT = "iris"


class Reader(Protocol):
    """A log that is only read."""

    def partition_of(self, partitionkey: str) -> int:
        """See `Log.partition_of`."""
        ...

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def close(self) -> None:
        """See `Log.close`."""
        ...


def open_file(store: Path) -> Reader | None:
    """Return a reader of the log in a file; None while the daemon has not made it."""
    try:
        return SqliteLog.open_reader(store) if store.is_file() else None
    except LogError:
        return None  # the daemon is just making it


class Canary(Struct, frozen=True):
    """One canary as the log has it: its key, and the calibration id of its footprint."""

    key: tuple[str, str]
    calibration: str | None


class Seen(Struct):
    """What was seen so far. `findings` are the transitions, `messages` what the receiver took."""

    events: int = 0
    step: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    canaries: list[Canary] = field(default_factory=list)
    findings: list[Event] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    run_ended: bool = False

    def first_changed(self) -> int | None:
        """Return the index of the first canary on another calibration than the first one's."""
        return next((i for i, one in enumerate(self.canaries) if one.calibration != self.canaries[0].calibration), None)

    def opened(self) -> list[Event]:
        """Return the openings of drift findings."""
        return [one for one in self._drift() if short_name(one.type) == "finding.opened"]

    def closed(self) -> list[Event]:
        """Return the ends of drift findings."""
        return [one for one in self._drift() if short_name(one.type) == "finding.closed"]

    def told(self, word: str) -> list[dict[str, Any]]:
        """Return the messages whose headline has that state (FIRING, RESOLVED)."""
        return [one for one in self.messages if word in one["text"].partition("]")[0]]

    def _drift(self) -> list[Event]:
        return [
            one for one in self.findings if isinstance(one.data, FindingChanged) and one.data.rule == "CircuitDrift"
        ]


class Watcher:
    """Follows log and messages; `look` reads what is new and never waits."""

    def __init__(self, folder: Path, open_log: Callable[[], Reader | None]) -> None:
        self.seen = Seen()
        self._open_log = open_log
        self._messages = folder / MESSAGES
        self._message_bytes = 0
        self._reader: Reader | None = None
        self._offsets = {Stream.EVENTS: 0, Stream.FINDINGS: 0}

    def look(self) -> Seen:
        """Read what is new."""
        if self._reader is None:
            self._reader = self._open_log()
        if self._reader is not None:
            partition = self._reader.partition_of(PROJECT)
            for stream in self._offsets:
                while records := self._reader.read(stream, partition, self._offsets[stream], CHUNK):
                    self._offsets[stream] = records[-1].offset + 1
                    for record in records:
                        if isinstance(record.event, Event):
                            self._note(record.event)
        self._read_messages()
        return self.seen

    def close(self) -> None:
        """Release the log."""
        if self._reader is not None:
            self._reader.close()

    def _note(self, event: Event) -> None:
        seen, data = self.seen, event.data
        if isinstance(data, FindingChanged):
            seen.findings.append(event)
            return
        seen.events += 1
        if isinstance(data, MetricLogged):
            seen.metrics.update(data.values)
            seen.step = event.context.step if event.context.step is not None else seen.step
        elif isinstance(data, ShotsMeasured) and data.reference == "canary":
            seen.canaries.append(Canary(event.key, data.footprint.calibration_id if data.footprint else None))
        elif isinstance(data, RunEnded):
            seen.run_ended = True

    def _read_messages(self) -> None:
        try:
            with self._messages.open("rb") as file:
                file.seek(self._message_bytes)
                lines = file.read()
        except FileNotFoundError:
            return
        whole = lines[: lines.rfind(b"\n") + 1]
        self._message_bytes += len(whole)
        self.seen.messages += [json.loads(line)["message"] for line in whole.splitlines()]
