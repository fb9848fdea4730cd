"""How far the partitions are: who owns them, what was processed, what waits, how large the states are."""

from msgspec import Struct

from qml_daemon.kafka.access import ask_broker
from qml_processors.runner import watermark
from qml_processors.runner.position import next_offset
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.kafka.admin import Member, describe_group, newest_watermark
from quantum_mlops.transports.kafka.fetch import Fetcher
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics

_WATERMARK_SECONDS = 120.0
_COUNTED = 1000


class PartitionProgress(Struct, frozen=True, kw_only=True):
    """One partition of events. `processed` is the offset of the next event to be processed.

    `time` is the time of the last one that was (nanoseconds UTC, None: none was). `lag` are the events that
    wait; over a thousand, transaction markers between them are counted, too.
    `rows` and `row_bytes` are the checkpoint's, None where not asked.
    """

    partition: int
    owner: str | None
    host: str | None
    processed: int | None
    time: int | None
    start: int
    end: int
    lag: int
    rows: int | None = None
    row_bytes: int | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """All partitions of a group; `idle` are members that own none."""

    group: str
    topic: str
    partitions: list[PartitionProgress]
    idle: list[str]

    @property
    def lag(self) -> int:
        """What waits in all partitions."""
        return sum(one.lag for one in self.partitions)


class Observer:
    """Looks at a log and its group, again and again if wanted. Takes nothing over and writes nothing.

    Raises:
        ConfigError, LogError: see `KafkaLog`.

    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic_prefix)
        self._log = KafkaLog(settings, writer="observer")
        self._loop = KafkaLoop(settings.servers)
        self._fetcher = Fetcher(settings)

    def look(self, *, states: bool) -> Progress:
        """Return how far all is now. `states`: read the states, to say how large they are.

        Raises:
            LogError: the broker fails.

        """
        members = ask_broker(
            self._settings, describe_group(self._settings, self._topics.events), "looking at the group"
        )
        owners = {number: member for member in members for number in member.partitions}
        return Progress(
            group=self._settings.group,
            topic=self._topics.events,
            partitions=[
                self._look_at(number, owners.get(number), states=states) for number in range(self._log.partitions)
            ],
            idle=[name_of(member) for member in members if not member.partitions],
        )

    def close(self) -> None:
        """Release the connections."""
        self._loop.run(self._fetcher.close(), "closing")
        self._loop.close()
        self._log.close()

    def _look_at(self, partition: int, owner: Member | None, *, states: bool) -> PartitionProgress:
        rows = size = None
        if states:
            found = self._log.peek(partition)
            mark, rows = found.watermark, len(found.rows)
            size = sum(len(key) + len(row) for key, row in found.rows.items())
        else:
            asked = newest_watermark(self._fetcher, self._topics.state, partition)
            mark = self._loop.run(asked, "reading the watermarks", _WATERMARK_SECONDS)
        known = None if mark is None else watermark.decode(mark)
        start, end = self._log.start(Stream.EVENTS, partition), self._log.end(Stream.EVENTS, partition)
        processed = None if known is None else next_offset(known.position)
        return PartitionProgress(
            partition=partition,
            owner=None if owner is None else name_of(owner),
            host=None if owner is None else owner.host,
            processed=processed,
            time=None if known is None else known.now,
            start=start,
            end=end,
            lag=self._lag(partition, max(start, processed or 0), end),
            rows=rows,
            row_bytes=size,
        )

    def _lag(self, partition: int, after: int, end: int) -> int:
        """Return the events that wait; many of them are taken for the offsets between, a few are counted."""
        if end - after > _COUNTED:
            return end - after
        count = 0
        while after < end and (records := self._log.read(Stream.EVENTS, partition, after, _COUNTED)):
            count += len(records)
            after = records[-1].offset + 1
        return count


def name_of(member: Member) -> str:
    """Return what a member calls itself, or where it does not, the broker's name for it."""
    return member.client if member.client and not member.id.startswith(f"{member.client}-") else member.id
