"""Rules reach processors only through the log: one `config.applied`, written to every partition."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import json

from qml_processors.runner.rules_schedule import Config, ConfigKey
from quantum_mlops import codec
from quantum_mlops.clock import SECOND, Clock
from quantum_mlops.codec import digest
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import ConfigApplied, Event, Tick, type_name
from quantum_mlops.transports.base import Log, Stream

LEAD = 5 * SECOND
"""How far after the greatest partition `now` new rules act, so that every partition has them by then."""

LATEST = "rules/latest"
EVERY_PARTITION = "*"


class Known(Protocol):
    """What is known of the log's partitions beside its cursors; a `Runner` with all of them open knows all."""

    def known_configs(self) -> Mapping[int, Sequence[Config]]:
        """Return the configs by partition, pending ones included; a partition may be absent."""
        ...

    def now(self) -> int:
        """Return the greatest `now` of the partitions, nanoseconds UTC; 0 where all are empty."""
        ...


def tick_event(source: str, number: int, time: int) -> Event:
    """Return a tick: it only moves `now`. Append the same one to every partition.

    `time` is the daemon's wall clock at its start plus monotonic time since (nanoseconds UTC).
    """
    return Event(
        id=f"{number:016x}",
        source=source,
        type=type_name("tick"),
        time=time,
        partitionkey=EVERY_PARTITION,
        data=Tick(),
    )


def config_event(rules: Rules, source: str, *, effective: int, time: int) -> Event:
    """Return the event that puts `rules` in force from `effective` on (nanoseconds UTC)."""
    return Event(
        id=f"{effective:016x}-{digest(rules, 4)}",
        source=source,
        type=type_name("config.applied"),
        time=time,
        partitionkey=EVERY_PARTITION,
        data=ConfigApplied(effective=effective, hash=digest(rules), rules=rules),
    )


def apply_config(log: Log, known: Known, rules: Rules, clock: Clock, source: str) -> Event | None:
    """Write `rules` to every partition that lacks them; None where all have them.

    Nothing new is made when their hash is that of the greatest known config, pending ones included; a
    partition that lacks that one gets the same record again. In a log without any record they act
    from the beginning, else 5 s after the greatest `now`. `known` is a runner with all partitions open, or who
    knows as much without one.

    Raises:
        LogError: the log fails; calling it again completes what was begun.

    """
    stored = log.cursor(LATEST)
    latest = None if stored is None else codec.decode(stored)
    for configs in known.known_configs().values():
        for config in configs:
            if latest is None or config.key > _key(latest):
                data = ConfigApplied(effective=config.effective, hash=config.hash, rules=config.rules)
                latest = Event(
                    id=config.id,
                    source=config.source,
                    type=type_name("config.applied"),
                    time=config.acts,
                    partitionkey=EVERY_PARTITION,
                    data=data,
                )
    if latest is None or not isinstance(latest.data, ConfigApplied) or latest.data.hash != digest(rules):
        now = clock()
        empty = known.now() == 0 and all(
            log.start(Stream.EVENTS, n) == log.end(Stream.EVENTS, n) for n in range(log.partitions)
        )
        effective = 0 if empty and latest is None else max(now, known.now()) + LEAD
        if latest is not None:
            effective = max(effective, _key(latest)[0] + 1)
        latest = config_event(rules, source, effective=effective, time=now)
        log.move_cursors({LATEST: codec.encode(latest)})
    written = [_write(log, known, latest, number) for number in range(log.partitions)]
    return latest if any(written) else None


def partition_cursor(partition: int) -> str:
    """Return the name of the cursor that says which config was written to a partition last."""
    return f"rules/partition/{partition}"


def config_mark(event: Event) -> bytes:
    """Return what that cursor holds of a config."""
    return json.encode(_key(event))


def _write(log: Log, known: Known, event: Event, partition: int) -> bool:
    """Append the config to one partition, unless it is there."""
    cursor, key, mark = partition_cursor(partition), _key(event), config_mark(event)
    if log.cursor(cursor) == mark or any(c.key == key for c in known.known_configs().get(partition, ())):
        return False
    log.append([event], partition=partition, cursors={cursor: mark})
    return True


def _key(event: Event) -> ConfigKey:
    effective = event.data.effective if isinstance(event.data, ConfigApplied) else -1
    return (effective, event.source, event.id)
