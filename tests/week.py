"""The recorded week as a log's events, and how events come into a log of any number of partitions."""

import gzip
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from qml_daemon.configuration import read_config
from qml_processors.runner.rules_log import config_event
from quantum_mlops.codec import decode
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Log

FOLDER = Path(__file__).parent / "golden" / "week"


def read_week() -> list[Event]:
    """Return the week's rules, in force from the beginning, and its events."""
    found = [decode(line) for line in gzip.decompress((FOLDER / "events.jsonl.gz").read_bytes()).splitlines()]
    rules = read_config(FOLDER / "quantum-mlops.toml", {}).rules
    first = found[0].ingestedtime
    return [replace(config_event(rules, "qml://week/0/rules", effective=0, time=first), ingestedtime=first), *found]


def feed(log: Log, events: Sequence[Event]) -> None:
    """Append events as their transport would: what belongs to every partition goes to each."""
    for at in range(0, len(events), 5000):
        parts: list[list[Event]] = [[] for _ in range(log.partitions)]
        for event in events[at : at + 5000]:
            everywhere = event.partitionkey == "*"
            for number in range(log.partitions) if everywhere else [log.partition_of(event.partitionkey)]:
                parts[number].append(event)
        for number, part in enumerate(parts):
            log.append(part, partition=number)
