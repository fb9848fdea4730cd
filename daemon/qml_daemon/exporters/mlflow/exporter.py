"""The MLflow exporter: one lane a run, at most one call a second in each, waiting where the server cannot.

A call that failed is tried again with a growing pause, at most a minute; the log keeps what waits.
"""

import os
import time
from collections.abc import Callable

from msgspec import Struct

from qml_daemon.exporters.base import Figures, Ticket
from qml_daemon.exporters.mlflow.caller import Caller
from qml_daemon.exporters.mlflow.client import Client, choose_folder
from qml_daemon.exporters.mlflow.door import Door, UnreachableError
from qml_daemon.exporters.mlflow.entries import Target
from qml_daemon.exporters.mlflow.lane import Lane
from qml_daemon.exporters.mlflow.mapping import map_event
from qml_daemon.exporters.mlflow.mismatch import Mismatches
from qml_daemon.exporters.mlflow.tally import Tally
from qml_daemon.exporters.mlflow.targets import Targets
from qml_daemon.exporters.store import ExporterStore
from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.config.address import strip_address
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.events import Event

GATHER_ENTRIES = 500
LONGEST_PAUSE_SECONDS = 60.0
MOST_WAITING = 50_000
MOST_WAITING_BYTES = 32 * 1024 * 1024
MOST_LANES = 5_000
PASS_SECONDS = 1.0


class Means(Struct, frozen=True, kw_only=True):
    """What the exporter takes from outside: a server, a store, the time, and its pace.

    `call_seconds` lie between two calls for a run; entries gather for `gather_seconds`, or until there are 500.
    """

    door: Door
    store: ExporterStore
    address: str
    external_url: str | None = None
    clock: Clock = system_clock
    monotonic: Callable[[], float] = time.monotonic
    call_seconds: float = 1.0
    gather_seconds: float = 5.0


class MlflowExporter:
    """See the module; an `Exporter`."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._tally = Tally(means.clock)
        self._targets = Targets(means.store.find_asked)
        self._mismatches = Mismatches(means.address)
        self._caller = Caller(means.door, means.store, self._tally, self._mismatches)
        self._busy: dict[Target, Lane] = {}
        self._idle: dict[Target, Lane] = {}
        self._waiting = self._waiting_bytes = 0
        self._blocked_until = 0.0
        self._silences = 0

    @property
    def has_room(self) -> bool:
        """See `Exporter.has_room`."""
        lanes, size = len(self._busy), self._waiting_bytes
        return self._waiting < MOST_WAITING and size < MOST_WAITING_BYTES and lanes < MOST_LANES

    def take(self, event: Event, ticket: Ticket) -> None:
        """See `Exporter.take`."""
        self._mismatches.see(event)
        entries = map_event(event, self._means.external_url)
        targets = self._targets.choose(event)
        if not entries:
            return
        now = self._means.monotonic()
        for target in targets:
            lane = self._lane(target, now)
            lane.started_ms = lane.started_ms or max(0, event.time // 1_000_000)
            for entry in entries:
                size = lane.add(entry, ticket, now)
                self._waiting += size > 0
                self._waiting_bytes += size
            if not lane:
                self._rest(lane)

    def send(self, *, finish: bool) -> float:
        """See `Exporter.send`."""
        began = self._means.monotonic()
        for lane in sorted(self._busy.values(), key=lambda one: one.due):
            now = self._means.monotonic()
            if now < self._blocked_until or now - began > PASS_SECONDS:
                break
            if now >= self._ready_at(lane, finish=finish):
                self._turn(lane, now)
        if not self._busy:
            return self._means.gather_seconds
        earliest = min(self._ready_at(lane, finish=finish) for lane in self._busy.values())
        return max(0.0, max(earliest, self._blocked_until) - self._means.monotonic())

    def figures(self) -> Figures:
        """See `Exporter.figures`."""
        return self._tally.figures(self._waiting, self._mismatches.notes())

    def _lane(self, target: Target, now: float) -> Lane:
        lane = self._busy.get(target)
        if lane is None:
            lane = self._idle.pop(target, None) or Lane(target, now)
            self._busy[target] = lane
        return lane

    def _rest(self, lane: Lane) -> None:
        """Put a lane without work aside; of those the ones longest aside are forgotten."""
        self._busy.pop(lane.target, None)
        self._idle[lane.target] = lane
        while len(self._idle) > MOST_LANES:
            self._idle.pop(next(iter(self._idle)))

    def _ready_at(self, lane: Lane, *, finish: bool) -> float:
        if finish or lane.urgent or lane.failures or len(lane) >= GATHER_ENTRIES or not self.has_room:
            return lane.due
        return max(lane.due, lane.oldest + self._means.gather_seconds)

    def _turn(self, lane: Lane, now: float) -> None:
        """Make one call for a lane, and give it its next time."""
        lane.due = now + self._means.call_seconds
        count = size = 0
        try:
            count, size = self._caller.call(lane)
        except UnreachableError as error:
            self._silences += 1
            self._blocked_until = self._means.monotonic() + self._pause(self._silences)
            self._tally.fail(error)
        except RetryableError as error:
            self._silences = 0
            lane.failures += 1
            lane.due = self._means.monotonic() + self._pause(lane.failures)
            self._tally.fail(error)
            if self._caller.is_stubborn(lane):
                count, size = self._caller.refuse(lane, error)
        except PermanentError as error:
            self._silences = 0
            count, size = self._caller.refuse(lane, error)
        else:
            self._silences = lane.failures = 0
            self._tally.succeed()
        self._waiting -= count
        self._waiting_bytes -= size
        if not lane:
            self._rest(lane)

    def _pause(self, failures: int) -> float:
        """Return the seconds after the n-th failure in a row: doubled each time, a minute at most."""
        return min(LONGEST_PAUSE_SECONDS, self._means.call_seconds * 2.0 ** min(failures - 1, 6))


class MlflowKind:
    """What the entry point names; an `ExporterKind`."""

    @staticmethod
    def address(config: Config) -> str | None:
        """Return the tracking address without anything secret, None where none is configured."""
        section = config.exporters.mlflow
        return None if section is None else strip_address(section.tracking_uri)

    @staticmethod
    def build(config: Config, store: ExporterStore) -> MlflowExporter:
        """Return the exporter of a configuration. Imports MLflow, and moves to the folder that it works in.

        Raises:
            ConfigError: no address is configured.
            MissingExtraError: MLflow is not installed.

        """
        section = config.exporters.mlflow
        if section is None:
            raise ConfigError('no tracking server is configured: add [exporters.mlflow] tracking_uri = "http://…"')
        door = Client(section.tracking_uri)
        os.chdir(choose_folder(section.tracking_uri, config.state_dir))
        means = Means(
            door=door,
            store=store,
            address=strip_address(section.tracking_uri),
            external_url=config.http.external_url,
        )
        return MlflowExporter(means)
