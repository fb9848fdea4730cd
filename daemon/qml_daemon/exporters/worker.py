"""One exporter at work: from the log to the other system, the cursor behind what has arrived."""

import logging
import os
import threading
import time
from collections.abc import Mapping

from qml_daemon.exporters.base import Exporter, Figures, Ticket
from qml_daemon.exporters.feed import STREAMS, Feed, Place
from qml_daemon.exporters.ledger import Ledger
from qml_daemon.exporters.status import ExporterStatus, write_exporter_status
from qml_daemon.exporters.store import ExporterStore
from qml_daemon.history import LogReader
from quantum_mlops.clock import Clock
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.version import __version__

BATCH, STRIDE = 500, 50
IDLE_SECONDS = 0.5
SAVE_SECONDS = 1.0
STATUS_SECONDS = 2.0
LOG_ID = "log-id"

_logger = logging.getLogger(__name__)


class Worker:
    """Reads the log and drives one exporter. Used from one thread; `stop` may be set from any.

    Args:
        name, address: of the exporter, for its status.
        exporter: open; not closed here.
        store: its positions; closed by `close`.
        reader: of the log; closed by `close`.
        config: for its folder.
        clock: the wall clock.

    """

    def __init__(
        self,
        name: str,
        address: str,
        exporter: Exporter,
        store: ExporterStore,
        reader: LogReader,
        config: Config,
        clock: Clock,
    ) -> None:
        self.stop = threading.Event()
        self._name, self._address = name, address
        self._exporter, self._store, self._reader = exporter, store, reader
        self._state_dir = config.state_dir
        self._clock = clock
        self._started = clock()
        self._log_errors = 0
        self._fault: str | None = None
        store.settle(reader.cursor(LOG_ID), address)
        self._begin(store.positions())
        self._saved_at = self._status_at = 0.0

    def rewind(self, since: int) -> None:
        """Begin again with what was ingested at or after `since`; what arrived already arrives once more, unchanged.

        Raises:
            LogError: the log cannot be read.

        """
        places = [(stream, partition) for stream in STREAMS for partition in range(self._reader.partitions)]
        self._store.move({place: self._reader.seek(*place, since) for place in places})
        self._begin(self._store.positions())

    def run(self, *, until_end: bool = False) -> None:
        """Work until `stop` is set; with `until_end` until everything of the log has arrived."""
        while not self.stop.is_set():
            try:
                taken = self._read()
                finish = until_end and not taken
                wait = self._exporter.send(finish=finish)
                self._save()
            except LogError as error:
                self._report(error)
                taken, wait, finish = 0, SAVE_SECONDS, False
            if finish and not self._exporter.figures().waiting:
                break
            if not (taken and self._exporter.has_room):
                self.stop.wait(min(wait, IDLE_SECONDS))

    def figures(self) -> Figures:
        """Return what the exporter did."""
        return self._exporter.figures()

    def close(self) -> None:
        """Store how far it came, and let go."""
        try:
            self._save(now=True, state="stopped")
        except LogError as error:
            self._report(error)
        finally:
            self._store.close()
            self._reader.close()

    def _begin(self, positions: Mapping[Place, int]) -> None:
        """Read on from `positions`; from its start what ends before: a restored log, whose new records come again."""
        known = {place: at for place, at in positions.items() if place[1] < self._reader.partitions}
        whole = {place: at for place, at in known.items() if at <= self._reader.end(*place)}
        self._feed = Feed(self._reader, whole)
        self._ledgers = {place: Ledger(at) for place, at in self._feed.next.items()}
        self._saved = dict(self._feed.next)

    def _read(self) -> int:
        taken = 0
        while taken < BATCH and self._exporter.has_room:
            before = taken
            for place, record in self._feed.take(STRIDE):
                taken += 1
                ticket = Ticket(record.offset)
                if isinstance(record.event, Event):
                    self._exporter.take(record.event, ticket)
                self._ledgers[place].note(ticket)
            if taken - before < STRIDE:
                break
        return taken

    def _save(self, *, now: bool = False, state: str = "running") -> None:
        moment = time.monotonic()
        if now or moment - self._saved_at >= SAVE_SECONDS:
            self._saved_at = moment
            positions = {place: ledger.position() for place, ledger in self._ledgers.items()}
            changed = {place: at for place, at in positions.items() if self._saved.get(place) != at}
            if changed:
                self._store.move(changed)
                self._saved |= changed
        if now or moment - self._status_at >= STATUS_SECONDS:
            self._status_at = moment
            self._write_status(state)

    def _write_status(self, state: str) -> None:
        status = ExporterStatus(
            name=self._name,
            version=__version__,
            pid=os.getpid(),
            state="running" if state == "running" else "stopped",
            address=self._address,
            started=self._started,
            written=self._clock(),
            cursor={f"{stream.value}/{partition}": at for (stream, partition), at in self._saved.items()},
            lag_records=self._feed.lag(self._saved),
            removed=self._feed.removed,
            log_errors=self._log_errors,
            figures=self._exporter.figures(),
        )
        try:
            write_exporter_status(self._state_dir, status)
        except OSError as error:
            raise LogError(f"{self._state_dir}: the exporter's status cannot be written: {error.strerror}") from error

    def _report(self, error: LogError) -> None:
        self._log_errors += 1
        if str(error) != self._fault:
            self._fault = str(error)
            _logger.error("%s; trying again every second", error)
