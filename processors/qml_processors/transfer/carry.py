"""Carries a log into an empty one: events, what was derived of them, states, and how far its readers were.

Afterwards the target goes on as the source would have: the same findings with the same ids, and what is open
stays open. The steps are a plan, events, derived records, states, positions; each can be done again,
so a transfer that was interrupted goes on where it stopped. Until the plan says `done` nobody may work on the target.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from qml_processors.base import Processor
from qml_processors.transfer.cursors import ReaderPositions, other_cursors
from qml_processors.transfer.derived import DerivedCarrier, LetterCarrier
from qml_processors.transfer.events import WRITTEN, EventCarrier
from qml_processors.transfer.job import Job, Tell
from qml_processors.transfer.plan import PLAN, Carried, Source, TransferError, settle_plan
from qml_processors.transfer.states import gather, share_out, store
from quantum_mlops.transports.base import Log, Stream


def no_tell(what: str, done: int, total: int) -> None:
    """Say nothing."""


def carry(
    source: Source,
    target: Log,
    processors: Sequence[Processor[Any]],
    name: str,
    *,
    tell: Tell = no_tell,
    accept_loss: bool = False,
) -> Carried:
    """Carry all that `source` holds into `target`. Nobody else may write either of them meanwhile.

    `name` says which source it is; `accept_loss` goes on where the source's own log lost what its states need.

    Raises:
        TransferError: the target is not empty, or the source cannot be carried.
        QuantumMlopsError: one of the logs failed; calling it again goes on.

    """
    plan = settle_plan(source, target, name)
    gathered = gather(source, plan, processors, accept_loss=accept_loss)
    job = Job(source=source, target=target, plan=plan, gathered=gathered, tell=tell)
    carrier = EventCarrier(job)
    events = carrier.carry()
    job.ends = [target.end(Stream.EVENTS, number) for number in range(target.partitions)]
    _refuse_strangers(job, carrier.records())
    positions = ReaderPositions(source, plan)
    findings = DerivedCarrier(job, Stream.FINDINGS, positions).carry()
    summaries = DerivedCarrier(job, Stream.SUMMARIES, positions).carry()
    letters = LetterCarrier(job).carry()
    series, open_findings = _carry_states(job, processors)
    cursors: dict[str, bytes | None] = {**other_cursors(source, target), **positions.cursors(target)}
    cursors |= dict.fromkeys(target.cursors(WRITTEN))
    target.move_cursors({**cursors, PLAN: msgspec.json.encode(replace(plan, done=True))})
    return Carried(
        until=gathered.now,
        events=events.events,
        ticks_left_out=events.ticks_left_out,
        undecodable=events.undecodable,
        findings=findings,
        summaries=summaries,
        dead_letters=letters,
        series=series,
        open_findings=open_findings,
    )


def _refuse_strangers(job: Job, carried: Sequence[int]) -> None:
    """The states will say that all events before `job.ends` are processed: so these must be ours alone."""
    for number, (found, ours) in enumerate(zip(job.written(Stream.EVENTS), carried, strict=True)):
        if found != ours:
            raise TransferError(
                f"partition {number} of the target holds {found - ours} events that were not carried: somebody wrote "
                "there meanwhile; stop what sends to it, remove its topics or its file, and begin again"
            )


def _carry_states(job: Job, processors: Sequence[Processor[Any]]) -> tuple[int, int]:
    """Write the states; return how many series and open findings there are. None where nothing ever came."""
    partitions = share_out(job.gathered, processors, job.ends) if job.gathered.now else []
    total, done = sum(len(partition.dirty) for partition in partitions), 0
    series = sum(len(slot.series) for partition in partitions for slot in partition.slots.values())
    open_findings = len({key for partition in partitions for key in partition.outputs.index})

    def tell(count: int) -> None:
        nonlocal done
        done += count
        job.tell("states", done, total)

    for partition in partitions:
        store(partition, job.target, tell)
    return series, open_findings
