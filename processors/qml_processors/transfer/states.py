"""The states of a source, brought to one instant, and shared out anew over the partitions of a target.

Where a record lies decides no finding (docs/architecture.md), but positions and clocks are a partition's
own. So every partition is recovered and processes what it has not yet, and then all of them fire what is due
up to one instant, the latest of their clocks. At that instant a series is the same in every layout: it moves to
the partition of its key, with its open findings, and its row says "current at the end of what was carried".
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from qml_processors.base import Processor
from qml_processors.runner.checkpoint import RollingCheckpoint
from qml_processors.runner.duplicates import Source as EventSource
from qml_processors.runner.outputs import IndexKey
from qml_processors.runner.partition import OWN, Partition
from qml_processors.runner.position import EVENT
from qml_processors.runner.recovery import recover
from qml_processors.runner.rules_schedule import Config, ConfigKey, RulesSchedule
from qml_processors.runner.runner import own_processors
from qml_processors.runner.series import Series, Slot
from qml_processors.transfer.plan import Plan, Source, TransferError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter, Log, Misplaced, Record, Stream
from quantum_mlops.transports.partitioning import partition_of

_CHUNK = 500
_PIECE = 5000
_LOSS_KEY = "events/"


class Gathered(Struct, kw_only=True):
    """All partitions of a source at the instant `now`, and what they derived on the way there."""

    now: int
    partitions: list[Partition]
    misplaced: list[Event] = field(default_factory=list)
    findings: list[Event] = field(default_factory=list)
    summaries: list[Event] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


def gather(source: Source, plan: Plan, processors: Sequence[Processor[Any]], *, accept_loss: bool = False) -> Gathered:
    """Recover every partition of the source and bring it to the end of the plan. Writes nothing.

    Raises:
        TransferError: there are states of processors that are not installed here.
        StateTooNewError, UnrecoverableError: see `recover`.
        LogError: the source fails.

    """
    partitions = [Partition(number, make_slots(processors)) for number in range(plan.partitions)]
    misplaced: list[Event] = []
    for partition in partitions:
        _recover(source, partition, accept_loss=accept_loss)
        misplaced += _process(source, partition, plan)
    now = max(partition.now for partition in partitions)
    for partition in partitions:
        partition.advance(now)
    sent_on = [replace(event, ingestedtime=now) for event in misplaced]  # as their partition's owner would
    for event in sent_on:
        number = partition_of(event.partitionkey, plan.partitions)
        partitions[number].process([Record(plan.ends[Stream.EVENTS][number], event, now)], 2**62)
    gathered = Gathered(now=now, partitions=partitions, misplaced=sent_on)
    for partition in partitions:
        gathered.findings += partition.outputs.findings
        gathered.summaries += partition.outputs.summaries
        gathered.dead_letters += partition.outputs.dead_letters
    return gathered


def make_slots(processors: Iterable[Processor[Any]]) -> list[Slot]:
    """Return the slots of one partition."""
    everyone = sorted([*processors, *own_processors()], key=lambda processor: processor.name)
    return [Slot(processor) for processor in everyone]


def share_out(gathered: Gathered, processors: Sequence[Processor[Any]], ends: Sequence[int]) -> list[Partition]:
    """Return the partitions of a target, one for each of `ends`, with the series and sources that belong there.

    What was gathered is used up.
    """
    partitions = [Partition(number, make_slots(processors)) for number in range(len(ends))]
    configs = merge_configs(config for one in gathered.partitions for config in one.schedule.configs())
    for partition, end in zip(partitions, ends, strict=True):
        partition.position = (end - 1, gathered.now, EVENT, ())
        partition.now = partition.previous = gathered.now
        partition.batch_offset = end
        partition.schedule = RulesSchedule(configs, gathered.now)
        partition.schedule.unsaved = list(configs)
    for one in gathered.partitions:
        for slot in one.slots.values():
            for series in slot.series.values():
                if not series.gone:
                    _settle(series, partitions)
        sources: list[EventSource] = [*one.sources.values(), *one.foreign.values()]
        for source in sources:
            partition = partitions[partition_of(source.key[0], len(ends))]
            known: dict[Any, Any] = partition.sources if source.kind == "d" else partition.foreign
            known[source.key] = source
            source.since, source.segment = partition.batch_offset, -1
            partition.dirty.append(source)
        for key, finding in one.outputs.index.items():
            for number in _homes(key, len(ends)):
                partitions[number].outputs.set_open(key, finding)
    return partitions


def store(partition: Partition, target: Log, tell: Callable[[int], None]) -> None:
    """Write all of a partition's rows and its watermark. Idempotent as long as nothing else writes there.

    Raises:
        LogError: the target fails; calling it again, with a partition made anew, completes it.

    """
    rolling = RollingCheckpoint(partition, 1.0, 1, lambda: 0)
    rolling.begin(partition.batch_offset)
    while True:
        before = len(partition.dirty)
        commit = rolling.commit(_PIECE)
        if commit is None:
            return
        target.commit(partition.number, commit)
        partition.outputs.clear()
        tell(before - len(partition.dirty))
        if not partition.dirty:
            return


def merge_configs(configs: Iterable[Config]) -> list[Config]:
    """Return each config once; where one came late to some partition, as the others took it."""
    found: dict[ConfigKey, Config] = {}
    for config in configs:
        known = found.get(config.key)
        if known is None or config.acts < known.acts:
            found[config.key] = config
    return [found[key] for key in sorted(found)]


def _recover(source: Source, partition: Partition, *, accept_loss: bool) -> None:
    rolling = RollingCheckpoint(partition, 1.0, 1, lambda: 0)
    recover(source, partition, rolling, accept_loss=accept_loss)
    if rolling.rewrite:
        raise TransferError(
            f"partition {partition.number} of the source holds states of processors that are not installed here; "
            "install the same plugins, or let a daemon or worker without them run once"
        )


def _process(source: Source, partition: Partition, plan: Plan) -> list[Event]:
    """Process what the source's own runner has not yet; return what lies in the wrong partition."""
    end = plan.ends[Stream.EVENTS][partition.number]
    offset = partition.next_offset(source.start(Stream.EVENTS, partition.number))
    misplaced: list[Event] = []
    while offset < end and (records := source.read(Stream.EVENTS, partition.number, offset, _CHUNK)):
        mine = []
        for record in records:
            event = record.event
            if record.offset >= end:
                continue
            if isinstance(event, Misplaced):
                misplaced.append(event.event)
            elif is_misplaced(event, partition.number, plan.partitions):
                misplaced.append(event)  # type: ignore[arg-type] # is_misplaced: an event
            else:
                mine.append(record)
        partition.batch_offset = offset
        partition.process(mine, 2**62)
        offset = records[-1].offset + 1
    return misplaced


def is_misplaced(event: object, partition: int, partitions: int) -> bool:
    """Whether an event lies in a partition that is not its key's; `*` belongs to every one."""
    if not isinstance(event, Event) or event.partitionkey == "*":
        return False
    return partition_of(event.partitionkey, partitions) != partition


def _settle(series: Series, partitions: list[Partition]) -> None:
    address = series.address
    homes = _homes((*address, ""), len(partitions))
    for number in homes:
        partition = partitions[number]
        slot = partition.slots[address[0]]
        if len(homes) > 1:
            known = slot.series.get(address[1:])
            if known is not None and known.last >= series.last:
                continue
            if known is not None:
                partition.dirty.remove(known)
            settled = _copy(series, slot)
        else:
            settled = _move(series, slot)
        slot.series[address[1:]] = settled
        settled.since = partition.batch_offset
        partition.dirty.append(settled)


def _homes(key: IndexKey, count: int) -> Sequence[int]:
    """Return the partitions that a series belongs to; the runner's own ones are the partitions' themselves."""
    processor, partitionkey, name, _ = key
    if processor not in OWN:
        return [partition_of(partitionkey, count)]
    if name.startswith(_LOSS_KEY):
        return [int(name.removeprefix(_LOSS_KEY)) % count]
    return range(count)


def _move(series: Series, slot: Slot) -> Series:
    series.slot, series.hot = slot, slot.hot
    series.entry, series.at, series.segment, series.buried = None, None, -1, -1
    series.routed = series.asleep = False
    return series


def _copy(series: Series, slot: Slot) -> Series:
    copied = Series(slot, series.partitionkey, series.key)
    copied.state = None if series.state is None else slot.decode(slot.encode(series.state))
    for name in ("last", "source", "id", "openings", "late", "project", "errors", "error_last", "timer"):
        setattr(copied, name, getattr(series, name))
    copied.open = dict(series.open)
    return copied
