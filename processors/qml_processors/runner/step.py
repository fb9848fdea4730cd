"""The steps of a partition: an event at its series, a timer, a switch of rules, a waking row.

A step either happens whole or, where the processor raises, not at all: then the series fails (see
`failure`). `apply` is the hot loop; it is flat on purpose.
"""

from typing import TYPE_CHECKING

from qml_processors.runner import failure
from qml_processors.runner.cause import Cause
from qml_processors.runner.derive import OutputError, derive
from qml_processors.runner.position import Position
from qml_processors.runner.routes import Route
from qml_processors.runner.rules_schedule import Config
from qml_processors.runner.series import ERROR_QUIET, Series
from quantum_mlops.clock import MINUTE
from quantum_mlops.events import Event

if TYPE_CHECKING:
    from qml_processors.runner.partition import Partition

LATE_AFTER = 5 * MINUTE


def apply(  # noqa: C901, PLR0912, PLR0915 - the hot loop is flat: a call costs as much as what it does
    partition: "Partition", route: Route, event: Event
) -> None:
    """Show an event to each series of its route, in order."""
    now = partition.now
    config = partition.schedule.current
    rules = config.rules
    source, event_id = event.source, event.id
    late = now - event.time > LATE_AFTER
    live = partition.until is None
    timers = partition.timers
    for series in route:
        if series.asleep:
            continue
        apply_to, next_timer, encode, opens = series.hot
        if series.since is None:
            series.since = partition.batch_offset
            partition.dirty.append(series)
        series.last = now
        series.source = source
        series.id = event_id
        series.openings = 0
        series.late = late
        derived = None
        try:
            state = series.state
            if state is None:
                series.project = event.project
                state = series.state = series.slot.open(series.key)
            before = encode(state) if opens is not None and live and opens(state, event, rules) else None
            outputs = apply_to(state, event, rules)
            if outputs.__class__ is not tuple:
                outputs = [*outputs]
            timer = next_timer(state, rules)
            if timer is not None and timer.__class__ is not int:
                raise OutputError(f"next_timer returned {timer!r}")  # noqa: TRY301 - as if it had raised
            if outputs:
                derived = derive(series, outputs, Cause(now, source, event_id, late, config, before, event))
        except Exception as error:  # noqa: BLE001 - any bug of a plugin; counted, dead-lettered, reported
            cause = Cause(now, source, event_id, late, config, None, event)
            failure.fail(partition, series, cause, error)
            continue
        if derived is not None:
            partition.outputs.adopt(series, derived)
            if derived.forget:
                failure.forget(partition, series, Cause(now, source, event_id, late, config))
                continue
        if timer == series.timer == series.due and not series.errors:
            continue  # as it was, and in time
        series.timer = timer
        if timer is not None and timer < now:
            timer = now
        if series.errors:
            timer = failure.earlier(timer, series)
        series.due = timer
        if timer is not None:
            entry = series.entry
            if entry is None or timer < entry:
                timers.push(series, timer)


def fire(partition: "Partition", series: Series, position: Position) -> None:
    """Fire the timer of a series: close a quiet ProcessorError, then what the processor owes."""
    due = position[1]
    slot = series.slot
    config = partition.schedule.current
    owed = series.timer is not None and max(series.timer, config.acts, series.last) <= due
    touch(partition, series)
    if series.errors and series.error_last + ERROR_QUIET <= due:
        failure.close(partition, series, Cause(due, series.source, series.id, series.late, config), "quiet for an hour")
    series.last = due
    if not owed:
        rearm(partition, series, due)
        return
    derived = None
    try:
        if partition.condemns(position):
            raise failure.KilledError  # noqa: TRY301 - the one way of failing
        before = slot.encode(series.state) if slot.bundled_timers and partition.until is None else None
        outputs = [*slot.on_timer(series.state, due, config.rules)]
        timer = slot.next_timer(series.state, config.rules)
        if timer is not None and (timer.__class__ is not int or timer <= due):
            raise OutputError(f"next_timer is {timer!r} after on_timer at {due}")  # noqa: TRY301 - as if it had raised
        if outputs:
            cause = Cause(due, series.source, series.id, series.late, config, before)
            derived = derive(series, outputs, cause)
    except Exception as error:  # noqa: BLE001 - any bug of a plugin; counted, dead-lettered, reported
        failure.fail(partition, series, Cause(due, series.source, series.id, series.late, config), error)
        return
    if derived is not None:
        partition.outputs.adopt(series, derived)
        if derived.forget:
            failure.forget(partition, series, Cause(due, series.source, series.id, series.late, config))
            return
    series.timer = timer
    rearm(partition, series, due)


def switch(partition: "Partition", config: Config) -> None:
    """Arm every series again under new rules; those that raise fail at that instant, in order."""
    failed: list[tuple[Series, Exception]] = []
    for slot in partition.slots.values():
        for series in slot.series.values():
            if series.state is None or series.asleep:
                continue
            try:
                series.timer = checked_timer(series, config)
            except Exception as error:  # noqa: BLE001 - any bug of a plugin; counted, dead-lettered, reported
                failed.append((series, error))
                continue
            rearm(partition, series, config.acts)
    for series, reason in sorted(failed, key=lambda pair: pair[0].address):
        touch(partition, series)
        series.source, series.id, series.openings = config.source, config.id, 0
        cause = Cause(config.acts, config.source, config.id, late=False, config=config)
        failure.fail(partition, series, cause, reason)


def wake(partition: "Partition", series: Series) -> None:
    """Let a row that was ahead of the replay take part from here on; its timer is derived."""
    series.asleep = False
    config = partition.schedule.current
    if series.state is not None:
        try:
            series.timer = checked_timer(series, config)
        except Exception as error:  # noqa: BLE001 - any bug of a plugin; counted, dead-lettered, reported
            touch(partition, series)
            cause = Cause(max(series.last, config.acts), series.source, series.id, series.late, config)
            failure.fail(partition, series, cause, error)
            return
    if series.timer is not None or series.errors:
        rearm(partition, series, max(series.last, config.acts))


def checked_timer(series: Series, config: Config) -> int | None:
    """Return the processor's next timer, an int of nanoseconds or None."""
    timer = series.slot.next_timer(series.state, config.rules)
    if timer is not None and timer.__class__ is not int:
        raise OutputError(f"next_timer returned {timer!r}")
    return timer


def touch(partition: "Partition", series: Series) -> None:
    """Note that the series changes in this batch."""
    if series.since is None:
        series.since = partition.batch_offset
        partition.dirty.append(series)


def rearm(partition: "Partition", series: Series, floor: int) -> None:
    """Set the due time from the processor's timer and the ProcessorError's end, not before `floor`."""
    timer = series.timer
    if timer is not None:
        timer = max(timer, floor, series.last)
    if series.errors:
        timer = failure.earlier(timer, series)
    partition.timers.arm(series, timer)
