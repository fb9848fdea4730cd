"""Our topics: names, what they are made with, and whether what is there fits.

Nothing is created by the way: `create` is for `quantum-mlops kafka init`, all others `check`.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from quantum_mlops.errors import ConfigError, LogError
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.kafka.settings import KafkaSettings

MAX_ROW_BYTES = 16 * 1024 * 1024
"""The largest checkpoint row or dead letter; a segment packs many states."""
_MAX_RECORD_BYTES = MAX_ROW_BYTES + 64 * 1024
_DAY_MS = 86_400_000
_APPENDED = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
COMPACTED_READ_SECONDS = 600.0
"""How long reading a compacted topic may take: a tombstone that goes meanwhile would bring its row back to life."""
_COMPACT = {
    "cleanup.policy": "compact",
    # Each commit leaves tombstones and a marker, up to 20 times a second: with the broker's day they would outweigh
    # the states by far, and each recovery reads them. Three times what a reader may take is enough.
    "delete.retention.ms": str(round(3 * COMPACTED_READ_SECONDS * 1000)),
    "max.compaction.lag.ms": str(10 * 60_000),
    "min.cleanable.dirty.ratio": "0.1",
    "segment.bytes": str(32 * 1024 * 1024),
    "segment.ms": str(10 * 60_000),
    "max.message.bytes": str(_MAX_RECORD_BYTES),
}


class Topics(Struct, frozen=True):
    """The names of our topics under a prefix.

    >>> Topics("qml.").events
    'qml.events.v1'
    """

    prefix: str

    @property
    def events(self) -> str:
        """What emitters send."""
        return f"{self.prefix}events.v1"

    @property
    def findings(self) -> str:
        """Findings."""
        return f"{self.prefix}findings.v1"

    @property
    def summaries(self) -> str:
        """Summaries."""
        return f"{self.prefix}summaries.v1"

    @property
    def dead_letters(self) -> str:
        """What could not be processed."""
        return f"{self.prefix}dead-letters.v1"

    @property
    def state(self) -> str:
        """Checkpoint rows and watermarks, compacted."""
        return f"{self.prefix}state.v1"

    @property
    def cursors(self) -> str:
        """Named positions, compacted, one partition."""
        return f"{self.prefix}cursors.v1"

    def of(self, stream: Stream) -> str:
        """Return the topic of a stream."""
        return f"{self.prefix}{stream.value.replace('_', '-')}.v1"

    @property
    def partitioned(self) -> tuple[str, ...]:
        """Those that share one number of partitions."""
        return (self.events, self.findings, self.summaries, self.state, self.dead_letters)


def wanted(topics: Topics, partitions: int) -> Mapping[str, tuple[int, Mapping[str, str]]]:
    """Return the partitions and settings of each topic."""
    return {
        topics.events: (partitions, _APPENDED | {"retention.ms": str(7 * _DAY_MS)}),
        topics.findings: (partitions, _APPENDED | {"retention.ms": str(30 * _DAY_MS)}),
        topics.summaries: (partitions, _APPENDED | {"retention.ms": str(30 * _DAY_MS)}),
        topics.dead_letters: (
            partitions,
            _APPENDED | {"retention.ms": str(30 * _DAY_MS), "max.message.bytes": str(_MAX_RECORD_BYTES)},
        ),
        topics.state: (partitions, _COMPACT),
        topics.cursors: (1, _COMPACT),
    }


def count_partitions(topics: Topics, found: Mapping[str, int], expected: int | None = None) -> int:
    """Return the number of partitions of events, after a look at all of our topics.

    `found` are the partitions by topic, `expected` what the configuration says.

    Raises:
        ConfigError: a topic is missing, or the numbers do not fit each other.

    """
    for line in find_mismatches(topics, found, expected):
        raise ConfigError(line)
    return found[topics.events]


def find_mismatches(topics: Topics, found: Mapping[str, int], expected: int | None = None) -> Iterator[str]:
    """Yield a line for each topic that is missing or has the wrong number of partitions."""
    missing = [name for name in (*topics.partitioned, topics.cursors) if name not in found]
    if missing:
        yield (
            f"Kafka has no topic {', '.join(missing)}, or does not show it to this user; "
            "mend: quantum-mlops kafka init, or the rights that docs/kafka.md names"
        )
        return
    partitions = found[topics.events]
    if expected is not None and partitions != expected:
        yield (
            f"topic {topics.events} has {partitions} partitions and kafka.partitions says {expected}; the number "
            "is fixed for the life of the topics: set kafka.partitions to it, or export and import into new topics"
        )
    for name in topics.partitioned:
        if found[name] != partitions:
            yield f"topic {name} has {found[name]} partitions, {topics.events} has {partitions}; they must be equal"
    if found[topics.cursors] != 1:
        yield f"topic {topics.cursors} has {found[topics.cursors]} partitions; it must have 1"


async def create(settings: KafkaSettings, partitions: int, more: Mapping[str, str] | None = None) -> list[str]:
    """Create the topics that are not there and return their names; what is there is left as it is.

    `more` settings go over ours, for tests. Returns when a broker leads every partition.

    Raises:
        LogError: the broker refuses. Errors of aiokafka pass through to `KafkaLoop.run`.

    """
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415 - an extra

    client = AIOKafkaAdminClient(**settings.client_arguments())
    try:
        await client.start()
        there = set(await client.list_topics())
        new = {
            name: NewTopic(name, count, settings.replication_factor, topic_configs=dict(config) | dict(more or {}))
            for name, (count, config) in wanted(Topics(settings.topic_prefix), partitions).items()
            if name not in there
        }
        if not new:
            return []
        answer = await client.create_topics(list(new.values()), timeout_ms=15_000)
        for name, code, *text in answer.topic_errors:
            if code not in {0, 36}:  # 36: somebody else was quicker
                raise LogError(f"topic {name} cannot be created: {text[0] if text and text[0] else f'error {code}'}")
        await _wait_for_leaders(client, list(new))
    finally:
        await client.close()
    return list(new)


async def _wait_for_leaders(client: Any, names: list[str], seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while True:
        found = await client.describe_topics(names)
        leaders = [part["leader"] for topic in found for part in topic["partitions"]]
        if leaders and -1 not in leaders and not any(topic["error_code"] for topic in found):
            return
        if time.monotonic() > until:
            raise LogError(f"topics {', '.join(names)} have no leader yet")
        await asyncio.sleep(0.05)
