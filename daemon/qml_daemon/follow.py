"""The one follower: reads the log once, in its own thread, for all who want to see its records.

Views, metrics and server-sent events are consumers. Each has its own position, so one that fails or lags
never stops the others: what raises LogError (a full disk) gets the same records again a second later, any
other error is the consumer's own and its records are passed over, counted.
"""

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field

from quantum_mlops.errors import LogError, QuantumMlopsError
from quantum_mlops.transports.base import Record, Stream

FOLLOWED = (Stream.EVENTS, Stream.FINDINGS, Stream.SUMMARIES)
BATCH = 500
BUSY_SECONDS, IDLE_SECONDS = 0.05, 0.2
BUSY_FOR_SECONDS = 5.0
RETRY_SECONDS = 1.0
DRAIN_SECONDS = 1.0

Place = tuple[Stream, int]
_logger = logging.getLogger(__name__)


class PassedOverError(QuantumMlopsError):
    """A consumer took a batch but for `count` of its records; it is to be counted, and not to come again."""

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(reason)
        self.count = count


class Consumer(Protocol):
    """Whoever is shown the records of the log, in the follower's thread, in the order of each (stream, partition)."""

    def take(self, stream: Stream, partition: int, records: Sequence[Record]) -> None:
        """Take up to 500 records. Offsets grow and may have holes; ticks and undecodable records are among them.

        Raises:
            LogError: cannot be stored now; the same records come again.
            PassedOverError: all but some were taken.

        """
        ...


class Followed(Protocol):
    """The reading half of a log: `SqliteLog.open_reader(path)`, or a log in memory itself."""

    partitions: int

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...


class Seat(Struct, frozen=True, kw_only=True):
    """A consumer and where it begins: at `start` (0 for a place it does not name), or, with None, at the log's end."""

    name: str
    consumer: Consumer
    start: Mapping[Place, int] | None = None


class ConsumerStats(Struct, frozen=True, kw_only=True):
    """`failures` counts calls that raised; `passed_over` the records not taken for it; `behind` those yet to come."""

    failures: int
    passed_over: int
    behind: int
    fault: str | None


class FollowerStats(Struct, frozen=True, kw_only=True):
    """What was read since the start. `fault` is the last error of the log, None while all is well."""

    records: int
    log_errors: int
    fault: str | None
    consumers: dict[str, ConsumerStats]


class _Seated(Struct):
    """Where a seat is, and how it fares."""

    seat: Seat
    positions: dict[Place, int]
    failures: int = 0
    passed_over: int = 0
    again_at: float = 0.0
    fault: str | None = None
    logged: set[str] = field(default_factory=set)


class Follower:
    """Shows every consumer every record once. `start` and `close` from one thread; `stats` from any.

    Raises:
        LogError: from the constructor, the log cannot be read.

    """

    def __init__(self, log: Followed, seats: Sequence[Seat]) -> None:
        self._log = log
        self._places = [(stream, number) for stream in FOLLOWED for number in range(log.partitions)]
        self._seated = [_Seated(seat, self._begin(seat)) for seat in seats]
        self._records = self._log_errors = 0
        self._fault: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qml-follower", daemon=True)

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Read what is there, for a second at most, and end the thread; idempotent. The log stays open."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(DRAIN_SECONDS + RETRY_SECONDS)

    def step(self) -> int:
        """Show one batch of every place to whom it is new; return how many records were read.

        Raises:
            LogError: the log cannot be read.

        """
        read = 0
        now = time.monotonic()
        seated = [one for one in self._seated if one.again_at <= now]
        if not seated:
            return 0
        for place in self._places:
            offset = min(one.positions[place] for one in seated)
            records = self._log.read(*place, offset, BATCH)
            if records:
                read += len(records)
                for one in seated:
                    _show(one, place, records)
        self._records += read
        return read

    def stats(self) -> FollowerStats:
        """Return the counts, and how far each consumer is behind the log.

        Raises:
            LogError: the log cannot be read.

        """
        ends = {place: self._log.end(*place) for place in self._places}
        return FollowerStats(
            records=self._records,
            log_errors=self._log_errors,
            fault=self._fault,
            consumers={
                one.seat.name: ConsumerStats(
                    failures=one.failures,
                    passed_over=one.passed_over,
                    behind=sum(max(0, end - one.positions[place]) for place, end in ends.items()),
                    fault=one.fault,
                )
                for one in self._seated
            },
        )

    def _begin(self, seat: Seat) -> dict[Place, int]:
        if seat.start is None:
            return {place: self._log.end(*place) for place in self._places}
        return {place: seat.start.get(place, 0) for place in self._places}

    def _run(self) -> None:
        active = time.monotonic()
        deadline: float | None = None
        while True:
            if deadline is None and self._stop.is_set():
                deadline = time.monotonic() + DRAIN_SECONDS
            began = time.monotonic()
            try:
                read = self.step()
                self._fault = None
            except LogError as error:
                self._report(error)
                if deadline is not None or self._stop.wait(RETRY_SECONDS):
                    return
                continue
            now = time.monotonic()
            if deadline is not None and (not read or now > deadline):
                return
            if read:
                active = now
            if deadline is not None:
                continue
            if read >= BATCH:
                # The log's writer comes first: with one interpreter lock, who never rests takes it from the other.
                self._stop.wait(now - began)
            else:
                self._stop.wait(BUSY_SECONDS if now - active < BUSY_FOR_SECONDS else IDLE_SECONDS)

    def _report(self, error: LogError) -> None:
        self._log_errors += 1
        if str(error) != self._fault:
            self._fault = str(error)
            _logger.error("%s; reading again every second", error)


def _show(one: _Seated, place: Place, records: Sequence[Record]) -> None:
    """Hand over what is new to this consumer and move its position."""
    if one.again_at > time.monotonic():
        return  # it failed at an earlier place of this round
    position = one.positions[place]
    if position > records[0].offset:
        records = records[bisect_left(records, position, key=lambda record: record.offset) :]
        if not records:
            return
    try:
        one.seat.consumer.take(*place, records)
    except LogError as error:
        one.again_at = time.monotonic() + RETRY_SECONDS
        _blame(one, f"{error}; trying again every second")
        return
    except PassedOverError as error:
        one.passed_over += error.count
        _blame(one, str(error))
    except Exception as error:  # noqa: BLE001 - a consumer's own error must not stop the others; counted and shown
        one.passed_over += len(records)
        _blame(one, f"{type(error).__name__}: {error}")
    else:
        one.fault = None
    one.positions[place] = records[-1].offset + 1


def _blame(one: _Seated, fault: str) -> None:
    one.failures += 1
    one.fault = fault
    if fault not in one.logged and len(one.logged) < BATCH:
        one.logged.add(fault)
        _logger.error("%s does not take what the log holds: %s", one.seat.name, fault)
