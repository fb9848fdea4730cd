"""The log as the owner of partitions sees it: delivered records in, one transaction a batch out.

While a partition is opened, reads come straight from Kafka (a recovery's replay); once it is followed, they come
from its feed. A commit is under way while the next batch is processed: its failure shows at the next call,
and ends the process.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from qml_processors.worker.delivery import Chunk, Delivery, RawRecord
from qml_processors.worker.feed import Feed
from qml_processors.worker.store import Bounds, Store
from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Checkpoint, Commit, Misplaced, Record, Stream, Undecodable
from quantum_mlops.transports.kafka.records import ANY_PARTITION, decode_record
from quantum_mlops.transports.partitioning import partition_of

_T = TypeVar("_T")
PATIENCE_SECONDS = 30.0
COMMIT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class CommitTimes(Struct):
    """How long the commits of a partition took: how many within each of `COMMIT_BUCKETS` (the last: longer)."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_BUCKETS) + 1))
    sum_seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[next((n for n, bound in enumerate(COMMIT_BUCKETS) if seconds <= bound), len(COMMIT_BUCKETS))] += 1
        self.sum_seconds += seconds


class OwnedPartition:
    """One partition in the hands of this process. `rest` are records taken from the feed and not yet done with."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.opening: Future[Checkpoint] | None = None
        self.committing: Future[None] | None = None
        self.following = False
        self.rest: list[Record] = []
        self.bounds: Bounds = (0, 0)
        self.committed = 0.0  # when the last commit began, monotonic seconds
        self.times = CommitTimes()

    def is_committing(self) -> bool:
        """Whether a commit is under way."""
        return self.committing is not None and not self.committing.done()

    def backlog(self) -> int:
        """Return how many records wait in this process."""
        return len(self.rest) + self.feed.records


class OwnedLog:
    """The `HomeLog` of a runner in a worker. Used from the main thread, but for `accept`.

    Args:
        store: Kafka.
        delivery: the engine, for `seek` and `resume`.

    """

    def __init__(self, store: Store, delivery: Delivery, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.partitions = store.partitions
        self._store = store
        self._patience = patience_seconds
        self._read: dict[str, bytes | None] = {}
        self._moved: dict[str, bytes | None] = {}
        self._parts = [OwnedPartition(_make_feed(store, delivery, number)) for number in range(store.partitions)]

    def accept(self, chunk: Chunk) -> bool:
        """Take what the engine delivers; any thread."""
        return self._parts[chunk.partition].feed.accept(chunk)

    def part(self, partition: int) -> OwnedPartition:
        """Return what is known of a partition, for metrics."""
        return self._parts[partition]

    def prepare(self, partitions: Iterable[int]) -> None:
        """Begin to fence and to read the states of these partitions, all at once."""
        for partition in partitions:
            self._parts[partition].opening = self._store.open(partition)

    def follow(self, partition: int, offset: int) -> None:
        """From now on read what is delivered, from `offset` on; an end before it is another log's.

        Raises:
            LogError: the partition ends before what was reached.

        """
        part = self._parts[partition]
        part.opening = None
        self.look([partition])
        start, end = part.bounds
        if offset > end:
            raise LogError(
                f"the events of partition {partition} end at offset {end}, its state at {offset}: the topic was made "
                "anew under the states of an older one"
            )
        part.rest = []
        part.following = True
        part.feed.begin(max(offset, start))

    def halt(self, partition: int) -> None:
        """Take nothing more that is delivered. What is under way goes on."""
        part = self._parts[partition]
        part.feed.halt()
        part.rest = []
        part.opening = None
        part.following = False

    def release(self, partition: int) -> None:
        """The partition is another's."""
        self.halt(partition)
        part = self._parts[partition]
        part.committing = None
        self._store.release(partition)

    def look(self, partitions: Collection[int]) -> None:
        """Ask where partitions start and end, and wait for the answer.

        Raises:
            LogError: the broker fails.

        """
        self.learn(self._result(self._store.bounds(partitions), "asking for offsets"))

    def learn(self, bounds: Mapping[int, Bounds]) -> None:
        """Take where partitions start and end."""
        for partition, known in bounds.items():
            self._parts[partition].bounds = known

    def check(self, partitions: Iterable[int]) -> None:
        """Raise what a commit that has ended failed with.

        Raises:
            LogError: it failed; LogFencedError: another owns the partition now.

        """
        for partition in partitions:
            committing = self._parts[partition].committing
            if committing is not None and committing.done():
                self.flush(partition)

    def flush(self, partition: int) -> None:
        """Wait until the commit under way is stored.

        Raises:
            LogError: it failed.

        """
        part = self._parts[partition]
        if part.committing is not None:
            self._result(part.committing, f"committing partition {partition}")
            part.committing = None

    def partition_of(self, partitionkey: str) -> int:
        """See `Log.partition_of`."""
        return partition_of(partitionkey, self.partitions)

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`; events only."""
        if stream is not Stream.EVENTS:
            raise LogError(f"the owner of a partition reads events, not {stream}")
        part = self._parts[partition]
        if not part.following:
            return [_place(record, partition, self.partitions) for record in self._store.read(partition, offset, limit)]
        rest = part.rest
        done = 0
        while done < len(rest) and rest[done].offset < offset:
            done += 1
        if done:
            del rest[:done]
        if len(rest) < limit:
            believed = part.feed.believed
            rest += [self._decode(record, partition) for record in part.feed.take(limit - len(rest))]
            if part.feed.believed != believed:
                self.look([partition])
                if part.bounds[0] > offset:
                    return []  # a loss: to be said before anything after it is read
        return rest[:limit] if len(rest) > limit else list(rest)

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`; as of the last look."""
        return self._parts[partition].bounds[1] if stream is Stream.EVENTS else 0

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`; as of the last look."""
        return self._parts[partition].bounds[0] if stream is Stream.EVENTS else 0

    def commit(self, partition: int, commit: Commit) -> None:
        """Begin to store a commit, once the one before is stored.

        Raises:
            LogError: the one before failed.

        """
        self.flush(partition)
        part = self._parts[partition]
        started = part.committed = time.monotonic()
        part.committing = self._store.commit(partition, commit)
        part.committing.add_done_callback(lambda _: part.times.add(time.monotonic() - started))

    def checkpoint(self, partition: int) -> Checkpoint:
        """Return the states; the partition is this process's alone from here on. Where it starts is looked up."""
        part = self._parts[partition]
        if part.opening is None:
            self.prepare([partition])
        if part.opening is None:
            raise LogError(f"partition {partition} is not being opened")
        found = self._result(part.opening, f"opening partition {partition}")
        self.look([partition])
        return found

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        found = self._store.cursor(name)
        self._read[name] = found
        return found

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        self._moved.update(cursors)
        self._store.move_cursors(cursors)

    def take_back(self, timeout_seconds: float) -> None:
        """Put cursors back to where this process found them: its end tells nothing about what it was trying.

        Raises:
            LogError: the broker fails.

        """
        if self._moved:
            before = {name: self._read.get(name) for name in self._moved}
            self._store.move_cursors(before, timeout_seconds)

    def _decode(self, raw: RawRecord, partition: int) -> Record:
        return _place(decode_record(Stream.EVENTS, raw.offset, raw.timestamp, raw.value), partition, self.partitions)

    def _result(self, future: "Future[_T]", doing: str) -> _T:
        try:
            return future.result(self._patience)
        except FutureTimeoutError:
            raise LogError(f"Kafka: {doing}: no answer within {self._patience:g} s") from None


def _make_feed(store: Store, delivery: Delivery, partition: int) -> Feed:
    return Feed(
        lambda offset, epoch: delivery.seek(partition, offset, epoch),
        lambda: delivery.resume(partition),
        lambda offset: store.first(partition, offset),
    )


def _place(record: Record, partition: int, partitions: int) -> Record:
    """Return the record, told apart where it lies in a partition that is not its key's."""
    event = record.event
    if not isinstance(event, Event):
        return record
    key = event.partitionkey
    if key == ANY_PARTITION or partition_of(key, partitions) == partition:
        return record
    data = encode(replace(event, ingestedtime=None))
    if len(data) > MAX_EVENT_BYTES:
        return Record(
            record.offset, Undecodable(data, "in the wrong partition, and too large to go on"), record.ingestedtime
        )
    return Record(record.offset, Misplaced(event), record.ingestedtime)
