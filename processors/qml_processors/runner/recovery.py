"""Recovery: from the checkpoint and the log back to the very state at the watermark.

Rows were written at different positions. The replay starts before the oldest unwritten change; a row
that is ahead of it sleeps until the replay has come to its position. Outputs are suppressed: they were
committed with the watermark. Afterwards the index of open findings is compared with the states.
"""

from collections.abc import Mapping

from msgspec import DecodeError, Raw

from qml_processors.runner import failure, loss, rows, step, watermark
from qml_processors.runner.cause import Cause
from qml_processors.runner.checkpoint import RollingCheckpoint
from qml_processors.runner.comparison import compare
from qml_processors.runner.counts import Counts
from qml_processors.runner.duplicates import CountedSource, ForeignSource, Source
from qml_processors.runner.offsets import OffsetRanges
from qml_processors.runner.outputs import IndexKey
from qml_processors.runner.partition import Partition
from qml_processors.runner.position import EVENT
from qml_processors.runner.rules_schedule import Config, RulesSchedule
from qml_processors.runner.runner_log import StoredLog
from qml_processors.runner.segments import Entry
from qml_processors.runner.series import Series, Slot
from qml_processors.runner.sharing import Sharing
from quantum_mlops.errors import QuantumMlopsError, StateTooNewError
from quantum_mlops.transports.base import Checkpoint, Stream

_CHUNK = 500


class UnrecoverableError(QuantumMlopsError):
    """What the log holds does not suffice to rebuild a partition's states."""


def recover(log: StoredLog, partition: Partition, rolling: RollingCheckpoint, *, accept_loss: bool = False) -> int:
    """Bring a fresh partition to its watermark; return how many open findings did not match.

    `accept_loss`: where the log no longer holds what the replay needs, go on with what there is, and say so.

    Raises:
        StateTooNewError: a row was written by a newer version of its processor.
        UnrecoverableError: the log no longer holds what the replay needs, or a row is unreadable.
        LogError: the log fails.

    """
    stored = log.checkpoint(partition.number)
    if stored.watermark is None:
        return 0
    mark = _watermark(stored)
    start = log.start(Stream.EVENTS, partition.number)
    if start > mark.replay_offset and not accept_loss:
        raise UnrecoverableError(f"the log starts at offset {start}, the replay needs {mark.replay_offset}")
    rolling.replay_offset, rolling.replay_now = mark.replay_offset, mark.replay_now
    partition.outputs.live = False
    try:
        _load(partition, stored.rows, mark, rolling)
    except DecodeError as error:
        raise UnrecoverableError(f"a checkpoint row is unreadable: {error}") from error
    _replay(log, partition, rolling, mark, start)
    mismatches = compare(partition)
    report_loss(partition, mark.replay_offset, start)
    return mismatches


def report_loss(partition: Partition, needed: int, start: int) -> None:
    """Open a DataLoss finding where the log starts after `needed`, unless that much is known to be lost."""
    needed = max(needed, loss.known_until(partition))
    if start > needed:
        loss.report(partition, needed, start, partition.next_offset(0))


def _watermark(stored: Checkpoint) -> watermark.Watermark:
    try:
        return watermark.decode(stored.watermark or b"")
    except DecodeError as error:
        raise StateTooNewError(f"the watermark is of an unknown format: {error}") from error


def _load(
    partition: Partition, stored: Mapping[bytes, bytes], mark: watermark.Watermark, rolling: RollingCheckpoint
) -> None:
    """Fill the partition from its rows."""
    configs: list[Config] = []
    segments: dict[int, bytes] = {}
    for key, row in stored.items():
        kind, *address = rows.decode_key(key)
        if kind == rows.SEGMENT:
            segments[address[0]] = row
        elif kind == rows.OPEN:
            index_key: IndexKey = (address[0], address[1], address[2], address[3])
            partition.outputs.index[index_key] = rows.decode_open(row)
        else:
            configs.append(rows.decode_config(row))
    partition.schedule = RulesSchedule(configs, mark.replay_now)
    _load_segments(partition, segments, rolling)
    partition.sleepers.sort(key=_position, reverse=True)
    for series in reversed(partition.sleepers):
        if series.gone and series.at is not None:
            rolling.bury(series.at[0], series)
    ahead = [series for series in partition.sleepers if _position(series)[0] >= mark.replay_offset]
    for series in partition.sleepers[len(ahead) :]:  # the replay starts after these
        step.wake(partition, series)
    partition.sleepers = ahead


def _load_segments(partition: Partition, segments: Mapping[int, bytes], rolling: RollingCheckpoint) -> None:
    """Load the newest row of each key."""
    newest: dict[bytes, tuple[int, bytes]] = {}
    sharing = Sharing()
    for number in sorted(segments):
        packed = rows.decode_segment(segments[number])
        rolling.segments.restore(number, len(packed))
        newest.update({key: (number, row) for key, row in packed})
    for key, (number, row) in newest.items():
        kind, *address = rows.decode_key(key)
        entry: Entry
        if kind != rows.SERIES:
            entry = _load_source(partition, kind, (address[0], address[1]), row)
        elif address[0] in partition.slots:
            entry = _load_series(partition, partition.slots[address[0]], (address[1], address[2]), row, sharing)
        else:
            rolling.rewrite = True
            continue
        rolling.segments.keep(number, entry)


def _position(series: Series) -> tuple[int, int, int, tuple[int | str, ...]]:
    return series.at or (-1, 0, EVENT, ())


def _load_series(partition: Partition, slot: Slot, key: tuple[str, str], row: bytes, sharing: Sharing) -> Series:
    stored = rows.decode_series(row)
    key = (sharing.text(key[0]), sharing.text(key[1]))
    series = slot.series[key] = Series(slot, *key)
    series.at = sharing.place(stored.at)
    series.last = sharing.number(stored.last)
    series.source = sharing.text(stored.source)
    series.id = sharing.text(stored.id)
    series.openings = stored.openings
    series.late = stored.late
    series.project = sharing.text(stored.project)
    series.errors = stored.errors
    series.error_last = stored.error_last
    series.open = stored.open
    series.asleep = True
    partition.sleepers.append(series)
    if stored.state == rows.NOTHING:
        return series
    if stored.version > slot.version:
        raise StateTooNewError(
            f"{slot.name}: a state of version {stored.version}, this is version {slot.version}; "
            "run the newer quantum-mlops"
        )
    try:
        series.state = _decode(slot, stored.state, stored.version)
        sharing.state(series.state)
    except StateTooNewError:
        raise
    except Exception as error:  # noqa: BLE001 - any bug of a plugin; counted, dead-lettered, reported
        cause = Cause(series.last, series.source, series.id, series.late, partition.schedule.current)
        step.touch(partition, series)
        failure.fail(partition, series, cause, error)
        partition.timers.arm(series, None)  # it sleeps; waking arms it
    return series


def _decode(slot: Slot, state: Raw, version: int) -> object:
    return slot.decode(bytes(state)) if version == slot.version else slot.migrate(bytes(state), version)


def _load_source(partition: Partition, kind: str, key: tuple[str, str], row: bytes) -> Source:
    stored = rows.decode_source(row)
    source: CountedSource | ForeignSource
    if kind == rows.COUNTED:
        source = partition.sources[key] = CountedSource(key)
        source.restore(rows.decode_spans(stored.content))
    else:
        source = partition.foreign[key] = ForeignSource(key)
        source.restore(rows.decode_ids(stored.content))
    source.at = stored.at
    source.last = stored.last
    return source


def _replay(
    log: StoredLog, partition: Partition, rolling: RollingCheckpoint, mark: watermark.Watermark, start: int
) -> None:
    """Take every step from the replay start to the watermark again, without outputs."""
    target = mark.position
    partition.until = target
    partition.now = partition.previous = mark.replay_now
    partition.dropped = OffsetRanges(mark.dropped)
    partition.killed = list(mark.killed)
    errors = dict(partition.counts.processor_errors)
    offset = max(start, mark.replay_offset)
    while offset <= target[0]:
        records = [r for r in log.read(Stream.EVENTS, partition.number, offset, _CHUNK) if r.offset <= target[0]]
        if not records:
            break
        rolling.begin(offset)
        partition.process(records, 2**62)
        offset = records[-1].offset + 1
    while partition.sleepers:
        step.wake(partition, partition.sleepers.pop())
    partition.until = None
    partition.outputs.live = True
    partition.position = target
    partition.now, partition.previous = mark.now, mark.previous
    partition.inside = -1 if target[2] == EVENT else target[0]
    partition.counts = Counts(processor_errors=errors)
    rolling.begin(partition.next_offset(start))
