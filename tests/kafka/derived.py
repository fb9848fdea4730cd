"""What a log's processors derived, in a form that is equal in every home."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qml_processors.runner import Runner, RunnerConfig, replay
from quantum_mlops.codec import encode
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter, Log, Stream
from tests.kafka.counting import all_processors

_PAGE = 1000


class Derived(Struct, frozen=True):
    """Findings and summaries as bytes, sorted, each as often as it was found; the canonical bytes of the states."""

    findings: list[bytes]
    summaries: list[bytes]
    states: bytes


def read_stream(log: Log, stream: Stream) -> list[Event | DeadLetter]:
    """Return all records of a stream, by partition."""
    found = []
    for partition in range(log.partitions):
        offset = 0
        while records := log.read(stream, partition, offset, _PAGE):
            found += [record.event for record in records]
            offset = records[-1].offset + 1
    return found


def sort(events: Sequence[Event]) -> list[bytes]:
    """Return events as bytes without the time at which a home stored them."""
    return sorted(encode(replace(event, ingestedtime=None)) for event in events)


def collect(log: Log) -> Derived:
    """Return what lies in a log whose processing has ended; takes its partitions over."""
    runner = Runner(log, all_processors(), RunnerConfig(accept_loss=True))
    for partition in range(log.partitions):
        assert runner.open(partition), runner.stats().partitions[partition].given_up
        assert runner.stats().partitions[partition].mismatches == 0
    return Derived(sort(read_stream(log, Stream.FINDINGS)), sort(read_stream(log, Stream.SUMMARIES)), runner.states())


def replayed(log: Log) -> Derived:
    """Return what one uninterrupted replay of a log derives."""
    found = replay(log, all_processors())
    return Derived(sort(found.findings), sort(found.summaries), found.states)


def differ(missing: bytes, more: Sequence[bytes]) -> str:
    """Say in what an event differs from the one of the same id that stands in its place."""
    wanted = msgspec.json.decode(missing)
    other = next((found for one in more if (found := msgspec.json.decode(one))["id"] == wanted["id"]), None)
    if other is None:
        return f"the first: {missing!r}"
    flat, instead = wanted | wanted.pop("data"), other | other.pop("data")
    names = [name for name in flat.keys() | instead.keys() if flat.get(name) != instead.get(name)]
    return "; ".join(f"{flat['id']} {name}: {instead.get(name)} in place of {flat.get(name)}" for name in names)


def compare(found: Derived, expected: Derived) -> None:
    """Assert that both are equal, and say where they are not."""
    for name in ("findings", "summaries"):
        one, other = getattr(found, name), getattr(expected, name)
        assert len(one) == len(set(one)), f"{len(one) - len(set(one))} {name} twice"
        missing, more = sorted(set(other) - set(one)), sorted(set(one) - set(other))
        told = f"{name}: {len(missing)} are missing, {len(more)} too many"
        assert not missing, f"{told}; {differ(missing[0], more)}"
        assert not more, f"{told}; {more[0]!r}"
    assert found.states == expected.states
