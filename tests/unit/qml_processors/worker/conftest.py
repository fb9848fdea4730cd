"""An engine and a Kafka in memory, under the test's control."""

from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from qml_processors.worker.delivery import Chunk
from quantum_mlops.codec import encode
from quantum_mlops.errors import LogError, LogFencedError
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.partitioning import partition_of


@dataclass
class Raw:
    offset: int
    timestamp: int = 1000
    key: bytes | None = None
    value: bytes | None = b""
    headers: tuple = ()


class Engine:
    """A delivery engine that does nothing by itself: the test delivers. `sought` are (partition, offset, epoch)."""

    def __init__(self):
        self.sought = []
        self.resumed = []
        self.hints = []
        self.handover = None
        self.stopped = False

    def start(self, handover):
        self.handover = handover

    def seek(self, partition, offset, epoch):
        self.sought.append((partition, offset, epoch))

    def resume(self, partition):
        self.resumed.append(partition)

    def hint(self, offsets):
        self.hints.append(dict(offsets))

    def stop(self, timeout_seconds):
        self.stopped = True

    def epoch(self, partition):
        return next(epoch for number, _, epoch in reversed(self.sought) if number == partition)

    def chunk(self, offsets, *, partition=0, start=None, end=None, epoch=None, records=None):
        records = [Raw(offset) for offset in offsets] if records is None else records
        end = end or (records[-1].offset + 1 if records else start)
        return Chunk(
            partition, self.epoch(partition) if epoch is None else epoch, start, end, records, 10 * len(records)
        )


@dataclass
class MemoryStore:
    """A `Store` over a log in memory. With `held` commits wait for the test; `owners` counts openings: fencing."""

    log: MemoryLog
    owners: dict = field(default_factory=dict)
    mine: dict = field(default_factory=dict)
    commits: list = field(default_factory=list)
    waiting: list = field(default_factory=list)
    held: bool = False
    broken: str | None = None

    @property
    def partitions(self):
        return self.log.partitions

    def open(self, partition):
        self.owners[partition] = self.mine[partition] = self.owners.get(partition, 0) + 1
        return done(self.log.checkpoint(partition))

    def commit(self, partition, commit):
        future = Future()
        self.waiting.append((partition, commit, future))
        if not self.held:
            self.let_go()
        return future

    def let_go(self):
        while self.waiting:
            partition, commit, future = self.waiting.pop(0)
            if self.owners[partition] != self.mine[partition]:
                future.set_exception(LogFencedError("another process has taken over"))
                continue
            self.log.commit(partition, commit)
            self.commits.append(partition)
            future.set_result(None)

    def release(self, partition):
        self.mine.pop(partition, None)

    def read(self, partition, offset, limit):
        return self.log.read(Stream.EVENTS, partition, offset, limit)

    def first(self, partition, offset):
        found = self.read(partition, offset, 1)
        return found[0].offset if found else None

    def bounds(self, partitions):
        if self.broken:
            return done(error=LogError(self.broken))
        return done({n: (self.log.start(Stream.EVENTS, n), self.log.end(Stream.EVENTS, n)) for n in partitions})

    def cursor(self, name):
        return self.log.cursor(name)

    def move_cursors(self, cursors, timeout_seconds=None):
        self.log.move_cursors(cursors)


def done(value=None, error=None):
    future = Future()
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
    return future


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def make_store():
    return lambda partitions=1: MemoryStore(MemoryLog(partitions))


@pytest.fixture
def metric():
    """Return a function that makes the n-th event of a project."""

    def make(number, project="iris"):
        return Event(
            id=f"{number:016x}", source="qml://lab/0123456789ab/0", type=type_name("metric.logged"), time=number,
            partitionkey=project, project=project, context=Context(runid="r"), data=MetricLogged(values={"loss": 2.0}),
        )  # fmt: skip

    return make


@pytest.fixture
def produce():
    """Return a function that appends an event to the store's log and returns it as an engine hands it over."""

    def make(store, event, partition=None):
        home = partition_of(event.partitionkey, store.partitions) if partition is None else partition
        offset = store.log.end(Stream.EVENTS, home)
        store.log.append([event], partition=home)
        (record,) = store.log.read(Stream.EVENTS, home, offset, 1)
        return Raw(offset, record.ingestedtime // 1_000_000, None, encode(replace(record.event)))

    return make
