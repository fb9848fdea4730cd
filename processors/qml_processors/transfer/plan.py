"""What is carried from where, written into the target before anything else: so that an interrupted transfer goes on."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from quantum_mlops.errors import UserError
from quantum_mlops.transports.base import Checkpoint, Log, Record, Stream

PLAN = "transfer/plan"
"""The cursor that holds the plan; `done` is True when all is there."""


class TransferError(UserError):
    """These two logs do not go together; nothing was written, or what was is named."""


class Plan(Struct, frozen=True):
    """The part of the source that is carried: from `starts` to before `ends`, by stream and partition."""

    source: str
    starts: dict[Stream, list[int]]
    ends: dict[Stream, list[int]]
    done: bool = False

    @property
    def partitions(self) -> int:
        """How many partitions the source has."""
        return len(self.ends[Stream.EVENTS])

    def records(self, *streams: Stream) -> int:
        """Return how many records there are at most."""
        return sum(sum(self.ends[stream]) - sum(self.starts[stream]) for stream in streams)


class Carried(Struct, frozen=True, kw_only=True):
    """What was carried, up to `until` (nanoseconds UTC).

    `ticks_left_out` told nothing; `undecodable` lie in the dead letters, too.
    """

    events: int
    ticks_left_out: int
    undecodable: int
    findings: int
    summaries: int
    dead_letters: int
    series: int
    open_findings: int
    until: int


class Source(Protocol):
    """What a transfer needs of the log that it reads; a reader of a file has it, too."""

    partitions: int

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        ...

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """See `Log.cursors`."""
        ...


def make_plan(source: Source, name: str) -> Plan:
    """Return the plan for all that the source holds now."""
    numbers = range(source.partitions)
    return Plan(
        source=name,
        starts={stream: [source.start(stream, number) for number in numbers] for stream in Stream},
        ends={stream: [source.end(stream, number) for number in numbers] for stream in Stream},
    )


class Cursors(Protocol):
    """Named positions of a log."""

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...


def refuse_unfinished(log: Cursors) -> None:
    """Do nothing, unless a transfer into this log was begun and is not done: then nobody may work on it.

    Raises:
        TransferError: it is so.

    """
    plan = read_plan(log)
    if plan is not None and not plan.done:
        raise TransferError(
            f"only a part of {plan.source} was carried into this log; finish it first: quantum-mlops kafka import"
        )


def read_plan(target: Cursors) -> Plan | None:
    """Return the plan that a target was begun with."""
    stored = target.cursor(PLAN)
    return None if stored is None else msgspec.json.decode(stored, type=Plan)


def settle_plan(source: Source, target: Log, name: str) -> Plan:
    """Return the plan to carry out: a new one for an empty target, or the one that was begun.

    Raises:
        TransferError: the target holds something else.

    """
    plan = make_plan(source, name)
    begun = read_plan(target)
    if begun is not None and begun.done:
        raise TransferError(f"the target was filled from {begun.source} already; a transfer needs an empty one")
    if begun is not None:
        if (begun.source, begun.starts, begun.ends) != (plan.source, plan.starts, plan.ends):
            raise TransferError(
                f"the target was filled in part from {begun.source}, which is another one or has changed since; "
                "remove its topics or its file, and begin again"
            )
        return begun
    for stream in Stream:
        for number in range(target.partitions):
            if target.end(stream, number) != target.start(stream, number):
                raise TransferError(f"the target is not empty: partition {number} of its {stream} holds records")
    if any(target.checkpoint(number).watermark is not None for number in range(target.partitions)):
        raise TransferError("the target is not empty: it holds states")
    target.move_cursors({PLAN: msgspec.json.encode(plan)})
    return plan
