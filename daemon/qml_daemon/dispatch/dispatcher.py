"""The dispatcher: reads findings, keeps alerts and groups, and fills the outbox.

One step is one transaction: the position in the findings, the alerts and groups, the new notifications
and what became of the sent ones. Where it fails, memory is read anew from the file.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from qml_daemon.alert import Alert
from qml_daemon.delivery.outbox import Outbox, OutboxStats
from qml_daemon.delivery.store import OutboxStore
from qml_daemon.dispatch.book import AlertBook
from qml_daemon.dispatch.group import flush_group
from qml_daemon.dispatch.groups import Groups
from qml_daemon.dispatch.origin import READER, FindingLog, settle_origin
from qml_daemon.dispatch.routes import Path
from qml_daemon.dispatch.silences import Silences
from quantum_mlops.clock import SECOND, Clock
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Record, Stream

LONGEST_CATCH_UP = 5 * SECOND
ENOUGH_TO_SEND_SECONDS = 1.0

Fault = Callable[[str], None]
Link = Callable[[str], str | None]
_Batch = list[tuple[int, Sequence[Record]]]


def no_fault(step: str) -> None:
    """Do nothing: tests plant their faults here."""


def no_link(rule: str) -> None:
    """Nobody said how people reach the pages on alerts."""


class DispatcherStats(Struct, frozen=True, kw_only=True):
    """What the dispatcher holds now and did since the start."""

    alerts: int
    groups: int
    findings: int
    notifications: int
    outbox: OutboxStats


class Dispatcher:
    """Not thread-safe; sending happens in the outbox's threads, so `step` never waits for a receiver.

    Args:
        log: its findings stream is read; a cursor `dispatcher/findings/<partition>` is kept for retention.
        store: alerts, groups, positions and the outbox.
        outbox: where notifications go.
        route: the tree of routes.
        clock: nanoseconds UTC.
        fault: called with the name of each step of a transaction, for tests.
        link: returns the address of the page on a rule, or None.

    """

    def __init__(
        self,
        log: FindingLog,
        store: OutboxStore,
        outbox: Outbox,
        route: Path,
        clock: Clock,
        fault: Fault = no_fault,
        link: Link = no_link,
    ) -> None:
        self._log = log
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._fault = fault
        self._link = link
        self.silences = Silences(store)
        self._book = AlertBook()
        self._groups = Groups(store, route)
        self._positions: dict[int, int] = {}
        self._loaded = False
        self._flushed_at = 0
        self._findings = self._notifications = 0

    def step(self, limit: int = 500, *, send: bool = True) -> int:
        """Read up to `limit` findings a partition, decide, and hand over what is due; return how much was done.

        Without `send` nothing is handed over: it waits in the outbox.

        Raises:
            LogError: the log or the outbox failed; the next step starts again from what is stored.

        """
        try:
            if not self._loaded:
                self._load()
            read = self._decide(limit)
            return read + (self._outbox.hand_over() if send else 0)
        except BaseException:
            self._loaded = False
            raise

    def stats(self) -> DispatcherStats:
        """Return counts."""
        return DispatcherStats(
            alerts=len(self._book.alerts),
            groups=len(self._groups),
            findings=self._findings,
            notifications=self._notifications,
            outbox=self._outbox.stats(),
        )

    def drain(self, seconds: float) -> None:
        """Send what is due and store what became of it, for at most `seconds`; the rest waits for the next start."""
        deadline = time.monotonic() + seconds
        while True:
            self._outbox.wait(_time_left(deadline))
            self.step(send=time.monotonic() < deadline - ENOUGH_TO_SEND_SECONDS)
            if not self._outbox.flying or time.monotonic() >= deadline:
                return

    def close(self) -> None:
        """End the senders; what was not delivered stays in the store. Idempotent."""
        self._outbox.close()
        self._store.close()

    def _load(self) -> None:
        self._positions = settle_origin(self._log, self._store)
        self.silences.load()
        self._book = AlertBook(self._store.read_all("alerts", Alert))
        with self._store.transaction():
            self._groups.load(self._book.alerts, self._clock())
            for key in [key for key in self._book.alerts if not self._groups.holds(key)]:
                self._forget(key)
        self._outbox.load()
        self._loaded = True

    def _read(self, limit: int) -> _Batch:
        batch = []
        for partition in range(self._log.partitions):
            records = self._log.read(Stream.FINDINGS, partition, self._positions.get(partition, 0), limit)
            if records:
                batch.append((partition, records))
        return batch

    def _decide(self, limit: int) -> int:
        now = self._clock()
        batch = self._read(limit)
        due = self._groups.next_due()
        if batch or self._outbox.has_outcomes or (due is not None and due <= now):
            self._transact(batch, now, caught_up=all(len(records) < limit for _, records in batch))
            self._acknowledge(batch)
        return sum(len(records) for _, records in batch)

    def _transact(self, batch: _Batch, now: int, *, caught_up: bool) -> None:
        self._fault("begin")
        with self._store.transaction():
            self._apply(batch, now)
            if caught_up or now - self._flushed_at > LONGEST_CATCH_UP:
                self._flush(now)
            self._fault("decided")
            self._outbox.settle()
            self._fault("settled")
        self._fault("committed")
        self._outbox.confirm()

    def _apply(self, batch: _Batch, now: int) -> None:
        changed: dict[str, Alert] = {}
        for partition, records in batch:
            for record in records:
                alert = self._book.apply(record.event) if isinstance(record.event, Event) else None
                if alert is not None:
                    changed[alert.key] = alert
            self._positions[partition] = records[-1].offset + 1
            self._store.move(partition, self._positions[partition])
            self._findings += len(records)
        for alert in changed.values():
            if alert.status != "resolved":
                self._groups.join(alert, now)
            if self._groups.holds(alert.key):
                self._store.put("alerts", alert.key, alert)
            else:
                self._book.remove(alert.key)

    def _flush(self, now: int) -> None:
        self._flushed_at = now
        for group, path in list(self._groups.due(now)):
            flush = flush_group(group, path, self._book.alerts, now, lambda alert: self.silences.mutes(alert, now))
            if flush.notification is not None:
                for alert in flush.notification.alerts:
                    alert.link = self._link(alert.rule)
                self._outbox.add(flush.notification)
                self._notifications += 1
            for key in self._groups.apply(group, path, flush, now):
                self._forget(key)

    def _forget(self, key: str) -> None:
        self._book.remove(key)
        self._store.remove("alerts", key)

    def _acknowledge(self, batch: _Batch) -> None:
        """Tell the log's retention how far the findings are read; the position that counts is the store's."""
        if batch:
            names = {f"{READER}/{Stream.FINDINGS}/{partition}": partition for partition, _ in batch}
            self._log.move_cursors({name: self._positions[p].to_bytes(8, "big") for name, p in names.items()})


def _time_left(deadline: float) -> Iterator[float]:
    while True:
        yield deadline - time.monotonic()
